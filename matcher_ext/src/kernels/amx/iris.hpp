// The AMX iris kernels' two gates. Each first multiplies the codes alone: what a template and a
// probe have valid bounds from below how many bits they compare, so that most rotations fall
// without the masks, which would be as many products again.
#pragma once

#include "idmesh/matcher/iris_kernels.hpp"

namespace idmesh::matcher::amx {

GateIris gate_lossless;
GateIrisSpread gate_two_stage;

// Words of code and of mask of the largest layout whose blocks are laid out for counting.
inline constexpr std::size_t kMostLaidWords = 64;

}  // namespace idmesh::matcher::amx
