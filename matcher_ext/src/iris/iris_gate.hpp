// How a least similarity becomes a gate of integers, and which bits the first stage looks at.
#pragma once

#include <cstdint>

#include "idmesh/matcher/iris_kernels.hpp"
#include "idmesh/matcher/iris_template.hpp"

namespace idmesh::matcher {

// Passes whatever iris_similarity gives least or more, for least > 0.5.
IrisWeights lossless_weights(float least) noexcept;
// For the spread bits, calibrated; see iris_gate.cpp.
IrisWeights spread_weights(float least) noexcept;

inline constexpr std::size_t kSpreadWords = 8;
inline constexpr std::size_t kSpreadStep = 4;  // every fourth angle of every row

// Whether the gate of two stages is calibrated for it.
bool has_spread(IrisLayout layout) noexcept;
// bits: words of code, words of mask of the layout that has_spread. out: kSpreadWords of each.
void take_spread(const std::uint64_t* bits, std::uint64_t* out) noexcept;

}  // namespace idmesh::matcher
