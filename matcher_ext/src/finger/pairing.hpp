// Which minutiae of two fingerprints are the same: the steps between the kernels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "idmesh/matcher/finger_kernels.hpp"

namespace idmesh::matcher::pairing {

struct Pair {
    std::uint8_t probe, reference;
    std::int8_t turned;  // direction left over after the motion, 256 to the turn
    float apart;         // pixels left over after the motion, squared
};

struct Pairing {
    std::size_t count = 0;
    std::array<Pair, kMaxMinutiae> pairs;
};

// The seeds that agree with the best supported one and each other, one to one.
// Returns how many were written to chosen.
std::size_t choose_seeds(const FingerSeeds& seeds, const FingerAgreement& agreement,
                         const float* support, std::uint8_t* chosen) noexcept;

// The agreement of all twos of the chosen seeds, added.
float agreement_of(const FingerAgreement& agreement, const std::uint8_t* chosen,
                   std::size_t count) noexcept;

// The same, each seed by how early its minutiae come, for the clearest come first.
float clear_agreement_of(const FingerPoints& probe, const FingerSeeds& seeds,
                         const FingerAgreement& agreement, const std::uint8_t* chosen,
                         std::size_t count) noexcept;

// Takes the chosen seeds away, so that others are supported by what is left.
void leave_out(FingerSeeds& seeds, FingerAgreement& agreement, const std::uint8_t* chosen,
               std::size_t count) noexcept;

FingerMotion motion_of_seeds(const FingerSeeds& seeds, const std::uint8_t* chosen,
                             std::size_t count) noexcept;

// Of the minutiae that the motion brings close together pairs, one to one, best first.
void pair_minutiae(const FingerPoints& probe, const FingerPoints& reference,
                   const FingerLikeness& likeness, const FingerMotion& motion,
                   const FingerNear& near, Pairing& out) noexcept;

// The motion that fits the pairs best. pairing.count must not be 0.
FingerMotion motion_of_pairs(const FingerPoints& probe, const FingerPoints& reference,
                             const Pairing& pairing) noexcept;

// How well each pair and the three that agree with it best keep their distance and direction, which
// they do where skin is stretched, 0 to 1 each; added.
float company_of(const FingerPoints& probe, const FingerPoints& reference,
                 const FingerMotion& motion, const Pairing& pairing) noexcept;

// How far the minutiae of a finger reach to each of eight sides, and a margin.
inline constexpr std::size_t kSides = 8;
struct Reach {
    float to[kSides];
};
Reach reach_of(const FingerPoints& points) noexcept;

// Minutiae of each that lie where the other has minutiae too, after the motion.
struct Overlap {
    std::size_t probe, reference;
};
Overlap find_overlap(const FingerPoints& probe, const Reach& probe_reach,
                     const FingerPoints& reference, const Reach& reference_reach,
                     const FingerMotion& motion) noexcept;

}  // namespace idmesh::matcher::pairing
