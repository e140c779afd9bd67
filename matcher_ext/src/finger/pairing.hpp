// Which minutiae of two fingerprints are the same, found in steps that only this file shares.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "idmesh/matcher/finger_template.hpp"

namespace idmesh::matcher::pairing {

inline constexpr std::size_t kMaxSeeds = 64;

// Pairs of minutiae whose descriptors are alike, in columns; sorted by nothing.
struct Seeds {
    std::size_t count = 0;
    std::array<std::uint8_t, kMaxSeeds> probe, reference;   // minutia numbers
    std::array<float, kMaxSeeds> probe_x, probe_y;          // pixels
    std::array<float, kMaxSeeds> reference_x, reference_y;  // pixels
    std::array<float, kMaxSeeds> cosine, sine;              // of reference minus probe direction
    std::array<float, kMaxSeeds> likeness;                  // of the descriptors, 0 to 1
};

// Takes probe to reference: turn, then shift.
struct Motion {
    float cosine, sine;
    float shift_x, shift_y;
    float middle_x, middle_y;  // of the paired minutiae, in the reference
};

struct Pair {
    std::uint8_t probe, reference;
    std::uint8_t likeness;  // of the descriptors, 0 to 255
    std::int8_t turned;     // direction left over after the motion, 256 to the turn
    float apart;            // pixels left over after the motion, squared
};

struct Pairing {
    std::size_t count = 0;
    std::array<Pair, kMaxMinutiae> pairs;
};

// likeness: the table of CompareDescriptors, probe.count rows.
void find_seeds(const FingerView& probe, const FingerView& reference, const std::uint8_t* likeness,
                Seeds& out) noexcept;

// How well every two seeds agree on how the finger moved. Row-major, kMaxSeeds to the row, [0, 1].
using Agreement = std::array<float, kMaxSeeds * kMaxSeeds>;
void find_agreement(const Seeds& seeds, Agreement& out) noexcept;

// The support of each seed by those that agree with it, by power iteration; largest is 1.
void find_support(const Seeds& seeds, const Agreement& agreement, float* support) noexcept;

// The seeds that agree with the best supported one and each other, one to one.
// Returns how many were written to chosen.
std::size_t choose_seeds(const Seeds& seeds, const Agreement& agreement, const float* support,
                         std::uint8_t* chosen) noexcept;

// The agreement of all twos of the chosen seeds, added.
float agreement_of(const Agreement& agreement, const std::uint8_t* chosen,
                   std::size_t count) noexcept;

Motion motion_of_seeds(const Seeds& seeds, const std::uint8_t* chosen, std::size_t count) noexcept;

// Pairs all minutiae that the motion brings close together, one to one, best first.
void pair_minutiae(const FingerView& probe, const FingerView& reference,
                   const std::uint8_t* likeness, const Motion& motion, Pairing& out) noexcept;

// The motion that fits the pairs best. pairing.count must not be 0.
Motion motion_of_pairs(const FingerView& probe, const FingerView& reference,
                       const Pairing& pairing) noexcept;

// Minutiae of each that lie where the other has minutiae too, after the motion.
struct Overlap {
    std::size_t probe, reference;
};
Overlap find_overlap(const FingerView& probe, const FingerView& reference,
                     const Motion& motion) noexcept;

}  // namespace idmesh::matcher::pairing
