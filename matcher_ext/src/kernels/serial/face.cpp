// The plain kernel: what every other set must equal.
#include "idmesh/matcher/face_kernels.hpp"

namespace idmesh::matcher::serial {

namespace {

constexpr std::size_t kHalf = 64;  // codes in one half of a line's bytes

int signed_nibble(int nibble) noexcept {
    return (nibble ^ 8) - 8;
}

std::int32_t inner_product(const std::uint8_t* high, const std::uint8_t* low, std::size_t row_bytes,
                           const std::int8_t* probe) noexcept {
    std::int32_t sum = 0;
    for (std::size_t byte = 0; byte < row_bytes; ++byte) {
        const std::size_t element = byte / kHalf * kFaceCodesPerLine + byte % kHalf;
        const int one = 16 * signed_nibble(high[byte] >> 4) + signed_nibble(low[byte] >> 4);
        const int other = 16 * signed_nibble(high[byte] & 15) + signed_nibble(low[byte] & 15);
        sum += one * probe[element] + other * probe[element + kHalf];
    }
    return sum;
}

}  // namespace

void gate_faces(const FaceRows& rows, const FaceQuery& query, std::uint64_t* hits) noexcept {
    for (std::size_t row = 0; row < rows.count; ++row) {
        hits[row] = 0;
        for (std::size_t q = 0; q < query.probes; ++q) {
            const std::int32_t product =
                inner_product(rows.high + row * rows.row_bytes, rows.low + row * rows.row_bytes,
                              rows.row_bytes, query.codes + q * 2 * rows.row_bytes);
            const float reach = rows.codes_per_unit[row] * query.reach[q];
            const float spread = rows.fine_error[row] * query.spread[q];
            hits[row] |= std::uint64_t{static_cast<float>(product) > reach - spread} << q;
        }
    }
}

}  // namespace idmesh::matcher::serial
