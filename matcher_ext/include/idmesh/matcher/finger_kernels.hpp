// The inner loops of finger comparison, one implementation per instruction set; every set equals
// serial bit for bit. No inline function here: the linker may keep a copy built for another set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "idmesh/matcher/finger_template.hpp"
#include "idmesh/matcher/instruction_set.hpp"

namespace idmesh::matcher {

// The first minutiae of a finger, the ones a scan looks at, have their descriptors laid out so
// that eight of them are compared at once: word w of minutia k is at
// [k / 8 * 8 * kDescriptorWords + w * 8 + k % 8]. Absent minutiae are zero.
inline constexpr std::size_t kScanMinutiae = 24;
inline constexpr std::size_t kScanWords = kScanMinutiae * kDescriptorWords;
// Of a probe that many are looked at.
inline constexpr std::size_t kScanProbeMinutiae = 48;

// A descriptor of n bits weighs 4096 / sqrt(n), rounded, or nothing if it is empty: so two weights
// times the bits in both, over 2^16, is their likeness (the cosine) as 0 to 256.
inline constexpr unsigned kLikenessShift = 16;
// In a scan, likeness up to here is chance and does not count.
inline constexpr std::uint32_t kScanFloor = 120;
// Of 256: samples turned further against each other, 84 degrees, are not compared as one finger.
inline constexpr int kMostTurned = 60;

struct FingerScanProbe {
    std::uint32_t count;  // of minutiae
    alignas(64) std::uint64_t words[kScanProbeMinutiae][kDescriptorWords];
    std::uint64_t weight[kScanProbeMinutiae];
    std::uint8_t direction[kScanProbeMinutiae];
};

// Rows of a column, one after the other.
struct FingerScanRows {
    const std::uint64_t* words;     // kScanWords to the row, aligned to 64 bytes
    const std::uint8_t* bits;       // set in each descriptor, kScanMinutiae to the row
    const std::uint32_t* minutiae;  // kScanMinutiae to the row, the direction in the lowest byte
};

// A finger in columns, zero beyond count.
struct FingerPoints {
    std::size_t count;
    alignas(64) float x[kMaxMinutiae];
    alignas(64) float y[kMaxMinutiae];
    alignas(64) std::uint8_t direction[kMaxMinutiae];
    alignas(64) Descriptor descriptors[kMaxMinutiae];
};

// How alike every probe minutia is to every reference minutia, 0 to 255; 0 where their directions
// are too far apart to be of one finger. kMaxMinutiae to the row, zero beyond the counts.
struct FingerLikeness {
    alignas(64) std::uint8_t of[kMaxMinutiae][kMaxMinutiae];
};

inline constexpr std::size_t kMaxSeeds = 64;

// Pairs of minutiae whose descriptors are alike, in the order of the table. Columns are zero
// beyond count up to a multiple of 16.
struct FingerSeeds {
    std::size_t count;
    std::uint8_t probe[kMaxSeeds], reference[kMaxSeeds];               // minutia numbers
    alignas(64) float probe_x[kMaxSeeds], probe_y[kMaxSeeds];          // pixels
    alignas(64) float reference_x[kMaxSeeds], reference_y[kMaxSeeds];  // pixels
    alignas(64) float cosine[kMaxSeeds], sine[kMaxSeeds];  // of reference minus probe direction
    alignas(64) float likeness[kMaxSeeds];                 // of the descriptors, 0 to 1
};

// How well every two seeds agree on how the finger moved, 0 to 1. Symmetric.
struct FingerAgreement {
    alignas(64) float of[kMaxSeeds][kMaxSeeds];
};

// Takes probe to reference: turn, then shift.
struct FingerMotion {
    float cosine, sine;
    float shift_x, shift_y;
    float middle_x, middle_y;  // of the paired minutiae, in the reference
};

inline constexpr std::size_t kMaxNear = 256;

// Minutiae that a motion brings close together, by probe, then reference.
struct FingerNear {
    std::size_t count;
    std::uint8_t probe[kMaxNear], reference[kMaxNear];
    float apart[kMaxNear];    // pixels left over, squared
    float allowed[kMaxNear];  // the most they may be
};

// None takes a lock, allocates or can fail.
struct FingerKernels {
    // scores[k] of row first + k: how alike the stored minutiae are to their best partners among
    // the probe's.
    void (*scan)(const FingerScanProbe& probe, const FingerScanRows& rows, std::size_t first,
                 std::size_t last, std::uint16_t* scores) noexcept;
    void (*describe)(const Minutia* minutiae, std::size_t count, Descriptor* out) noexcept;
    void (*find_likeness)(const FingerPoints& probe, const FingerPoints& reference,
                          FingerLikeness& out) noexcept;
    // The pairs of at least the likeness from which on there are no more than `most` (up to
    // kMaxSeeds); the first of them where there is no such likeness.
    void (*find_seeds)(const FingerPoints& probe, const FingerPoints& reference,
                       const FingerLikeness& likeness, std::size_t most, FingerSeeds& out) noexcept;
    void (*find_agreement)(const FingerSeeds& seeds, FingerAgreement& out) noexcept;
    // Of each seed by those that agree with it, by power iteration; the largest is 1.
    void (*find_support)(const FingerSeeds& seeds, const FingerAgreement& agreement,
                         float* support) noexcept;
    void (*find_near)(const FingerPoints& probe, const FingerPoints& reference,
                      const FingerMotion& motion, FingerNear& out) noexcept;
};

// A set without kernels of its own uses those of the one below.
const FingerKernels& finger_kernels(InstructionSet set) noexcept;

}  // namespace idmesh::matcher
