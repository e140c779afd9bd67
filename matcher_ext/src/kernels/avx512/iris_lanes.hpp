// Blocks with the words of their templates side by side, for counting bits in 16 lanes at once.
// For the AVX-512 and AMX kernels.
#pragma once

#include "idmesh/matcher/iris_kernels.hpp"

namespace idmesh::matcher::avx512 {

// out[word][lane], 64-byte aligned: `words` words of each template, those of even number first.
void to_lanes(const std::uint64_t* block, std::size_t words, std::uint64_t* out) noexcept;

// Which templates pass at this rotation. lanes: words of code, then of mask, as to_lanes gives.
std::uint16_t pass(const IrisScan& scan, std::size_t probe, std::size_t rotation,
                   const std::uint64_t* lanes) noexcept;

}  // namespace idmesh::matcher::avx512
