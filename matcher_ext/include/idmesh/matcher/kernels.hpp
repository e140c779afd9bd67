// The inner loops, one implementation per instruction set. The linker may keep any file's copy of
// an inline function, one built for another set included: so none here or in src/kernels, only
// pointers and counts. Every set equals serial bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace idmesh::matcher {

struct Descriptor;  // finger_template.hpp

// Compares every probe descriptor with every reference descriptor. out[i * reference_count + j] is
// twice the bits set in both over the bits set in either, summed (Dice), as 0 to 255; 0 where
// neither has any.
// Takes no lock, allocates nothing, cannot fail.
using CompareDescriptors = void(const Descriptor* probe, std::size_t probe_count,
                                const Descriptor* reference, std::size_t reference_count,
                                std::uint8_t* out) noexcept;

// Inner products of probe with count vectors, one after the other, each of padded_dimension (a
// multiple of 16) floats. The sum is taken in 16 lanes, then lane by lane.
// Takes no lock, allocates nothing, cannot fail.
using CompareFace = void(const float* probe, const float* references, std::size_t padded_dimension,
                         std::size_t count, float* out) noexcept;

namespace serial {
CompareDescriptors compare_descriptors;
CompareFace compare_face;
}  // namespace serial

}  // namespace idmesh::matcher
