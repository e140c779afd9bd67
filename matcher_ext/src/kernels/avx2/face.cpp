#if defined(__AVX2__)

#include <immintrin.h>

#include "idmesh/matcher/face_kernels.hpp"

namespace idmesh::matcher::avx2 {

namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kAhead = 2048;  // bytes

__m256i load(const void* bytes) noexcept {
    return _mm256_loadu_si256(static_cast<const __m256i*>(bytes));
}

// Sum of (nibble + 8) * probe code: unsigned nibbles, as maddubs asks for. A line adds at most
// 8 * 15 * 127 to a 16-bit lane, which is no overflow.
std::int32_t shifted_product(const std::uint8_t* plane, std::size_t bytes,
                             const std::int8_t* probe) noexcept {
    const __m256i flip = _mm256_set1_epi8(static_cast<char>(0x88));
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i sum = _mm256_setzero_si256();
    for (std::size_t at = 0; at < bytes; at += kLineBytes) {
        const std::int8_t* codes = probe + 2 * at;
        const __m256i a = _mm256_xor_si256(load(plane + at), flip);
        const __m256i b = _mm256_xor_si256(load(plane + at + 32), flip);
        const __m256i one = _mm256_add_epi16(
            _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(a, 4), nibble), load(codes)),
            _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(b, 4), nibble),
                                 load(codes + 32)));
        const __m256i other =
            _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_and_si256(a, nibble), load(codes + 64)),
                             _mm256_maddubs_epi16(_mm256_and_si256(b, nibble), load(codes + 96)));
        sum = _mm256_add_epi32(
            sum, _mm256_madd_epi16(_mm256_add_epi16(one, other), _mm256_set1_epi16(1)));
    }
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1));
    return _mm_cvtsi128_si32(four);
}

bool above(std::int32_t product, float codes_per_unit, float reach, float error,
           float spread) noexcept {
    const float least = codes_per_unit * reach;
    const float lost = error * spread;
    return static_cast<float>(product) > least - lost;
}

}  // namespace

void gate_faces(const FaceRows& rows, const FaceQuery& query, std::uint64_t* hits) noexcept {
    for (std::size_t row = 0; row < rows.count; ++row) {
        const std::uint8_t* high = rows.high + row * rows.row_bytes;
        const std::uint8_t* low = rows.low + row * rows.row_bytes;
        for (std::size_t at = 0; at < rows.row_bytes; at += kLineBytes) {
            _mm_prefetch(reinterpret_cast<const char*>(high + at + kAhead), _MM_HINT_T0);
        }
        const float codes_per_unit = rows.codes_per_unit[row];
        std::uint64_t found = 0;
        for (std::size_t q = 0; q < query.probes; ++q) {
            const std::int8_t* probe = query.codes + q * 2 * rows.row_bytes;
            const std::int32_t coarse =
                16 * (shifted_product(high, rows.row_bytes, probe) - 8 * query.code_sum[q]);
            if (!above(coarse, codes_per_unit, query.reach[q], rows.coarse_error[row],
                       query.spread[q])) {
                continue;
            }
            const std::int32_t fine =
                coarse + shifted_product(low, rows.row_bytes, probe) - 8 * query.code_sum[q];
            const bool hit =
                above(fine, codes_per_unit, query.reach[q], rows.fine_error[row], query.spread[q]);
            found |= std::uint64_t{hit} << q;
        }
        hits[row] = found;
    }
}

}  // namespace idmesh::matcher::avx2

#endif
