// The inner loops, one implementation per instruction set. The linker may keep any file's copy of
// an inline function, one built for another set included: so none here or in src/kernels, only
// pointers and counts. Every set equals serial bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace idmesh::matcher {

// Inner products of probe with count vectors, one after the other, each of padded_dimension (a
// multiple of 16) floats. The sum is taken in 16 lanes, then lane by lane.
// Takes no lock, allocates nothing, cannot fail.
using CompareFace = void(const float* probe, const float* references, std::size_t padded_dimension,
                         std::size_t count, float* out) noexcept;

namespace serial {
CompareFace compare_face;
}  // namespace serial

}  // namespace idmesh::matcher
