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
// [k / 8 * 32 + w * 8 + k % 8]. Absent minutiae are zero.
inline constexpr std::size_t kScanMinutiae = 16;
inline constexpr std::size_t kScanWords = kScanMinutiae * kDescriptorWords;
// Of a probe that many are looked at.
inline constexpr std::size_t kScanProbeMinutiae = 48;

struct FingerScanProbe {
    std::uint32_t count;  // of minutiae
    alignas(64) std::uint64_t words[kScanProbeMinutiae][kDescriptorWords];
    std::uint64_t bits[kScanProbeMinutiae];  // set in each descriptor
};

// Rows of a column, one after the other.
struct FingerScanRows {
    const std::uint64_t* words;  // kScanWords to the row, aligned to 64 bytes
    const std::uint8_t* bits;    // set in each descriptor, kScanMinutiae to the row
};

struct FingerKernels {
    // scores[k] of row first + k: how alike the stored minutiae are to their best partners among
    // the probe's. Takes no lock, allocates nothing, cannot fail.
    void (*scan)(const FingerScanProbe& probe, const FingerScanRows& rows, std::size_t first,
                 std::size_t last, std::uint16_t* scores) noexcept;

    // Compares every probe descriptor with every reference descriptor.
    // out[i * reference_count + j] is twice the bits set in both over the bits set in either,
    // summed (Dice), as 0 to 255; 0 where neither has any.
    void (*compare_descriptors)(const Descriptor* probe, std::size_t probe_count,
                                const Descriptor* reference, std::size_t reference_count,
                                std::uint8_t* out) noexcept;
};

// A set without kernels of its own uses those of the one below.
const FingerKernels& finger_kernels(InstructionSet set) noexcept;

}  // namespace idmesh::matcher
