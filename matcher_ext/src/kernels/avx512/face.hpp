// What the AMX kernel shares with this one.
#pragma once

#include "idmesh/matcher/face_kernels.hpp"

namespace idmesh::matcher::avx512 {

// Inner product of a row's low nibbles with a probe's codes.
std::int32_t face_low_product(const std::uint8_t* low, std::size_t row_bytes,
                              const std::int8_t* probe, std::int32_t code_sum) noexcept;

}  // namespace idmesh::matcher::avx512
