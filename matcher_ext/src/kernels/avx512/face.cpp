#if defined(__AVX512VNNI__)

#include "kernels/avx512/face.hpp"

#include <immintrin.h>

#include <algorithm>

namespace idmesh::matcher::avx512 {

namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kBlock = 16;  // rows: a vector of their products
// Bytes. Much further off, the core's own prefetcher no longer helps.
constexpr std::size_t kAhead = 3072;
// With as many probes, their lanes side by side cost less than adding lanes up.
constexpr std::size_t kManyProbes = 8;

__m512i load(const void* bytes) noexcept {
    return _mm512_loadu_si512(bytes);
}

// Sixteen times (nibble + 8), of the high and the low halves of the bytes.
__m512i upper_shifted(__m512i bytes) noexcept {
    // (bytes ^ 0x88) & 0xF0
    return _mm512_ternarylogic_epi64(bytes, _mm512_set1_epi8(static_cast<char>(0x88)),
                                     _mm512_set1_epi8(static_cast<char>(0xF0)), 0x28);
}
__m512i lower_shifted(__m512i bytes) noexcept {
    return _mm512_ternarylogic_epi64(_mm512_slli_epi16(bytes, 4),
                                     _mm512_set1_epi8(static_cast<char>(0x80)),
                                     _mm512_set1_epi8(static_cast<char>(0xF0)), 0x28);
}

// The lanes of four vectors added up.
__m128i sums_of(__m512i a, __m512i b, __m512i c, __m512i d) noexcept {
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    const __m512i all =
        _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const __m256i half =
        _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// Inner products of the high nibbles of four rows, at `stride` from each other, with a probe.
__m128i four_products(const std::uint8_t* high, std::size_t stride, std::size_t row_bytes,
                      const std::int8_t* probe, std::int32_t code_sum) noexcept {
    __m512i upper[4] = {};
    __m512i lower[4] = {};
    for (std::size_t at = 0; at < row_bytes; at += kLineBytes) {
        const __m512i first = load(probe + 2 * at);
        const __m512i second = load(probe + 2 * at + kLineBytes);
        for (std::size_t row = 0; row < 4; ++row) {
            const __m512i bytes = load(high + row * stride + at);
            upper[row] = _mm512_dpbusd_epi32(upper[row], upper_shifted(bytes), first);
            lower[row] = _mm512_dpbusd_epi32(lower[row], lower_shifted(bytes), second);
        }
    }
    const __m128i sums =
        sums_of(_mm512_add_epi32(upper[0], lower[0]), _mm512_add_epi32(upper[1], lower[1]),
                _mm512_add_epi32(upper[2], lower[2]), _mm512_add_epi32(upper[3], lower[3]));
    return _mm_sub_epi32(sums, _mm_set1_epi32(16 * 8 * code_sum));
}

__mmask16 above(__m512i product, __m512 codes_per_unit, __m512 reach, __m512 error,
                __m512 spread) noexcept {
    const __m512 least =
        _mm512_sub_ps(_mm512_mul_ps(codes_per_unit, reach), _mm512_mul_ps(error, spread));
    return _mm512_cmp_ps_mask(_mm512_cvtepi32_ps(product), least, _CMP_GT_OQ);
}

bool fine_hit(const FaceRows& rows, const FaceQuery& query, std::size_t row, std::size_t q,
              std::int32_t coarse) noexcept {
    const std::int32_t product =
        coarse + face_low_product(rows.low + row * rows.row_bytes, rows.row_bytes,
                                  query.codes + q * 2 * rows.row_bytes, query.code_sum[q]);
    const float least = rows.codes_per_unit[row] * query.reach[q];
    const float lost = rows.fine_error[row] * query.spread[q];
    return static_cast<float>(product) > least - lost;
}

// Sixteen rows, or fewer, with one probe; the bytes ahead are asked for where ahead is not zero.
void gate_block(const FaceRows& rows, const FaceQuery& query, std::size_t first, std::size_t q,
                std::size_t ahead, std::uint64_t* hits) noexcept {
    const std::size_t count = std::min(kBlock, rows.count - first);
    const auto valid = static_cast<__mmask16>((1U << count) - 1);
    alignas(64) std::int32_t products[kBlock];
    for (std::size_t k = 0; k < count; k += 4) {
        const std::uint8_t* high = rows.high + (first + k) * rows.row_bytes;
        for (std::size_t at = 0; ahead != 0 && at < 4 * rows.row_bytes; at += kLineBytes) {
            _mm_prefetch(reinterpret_cast<const char*>(high + ahead + at), _MM_HINT_T0);
        }
        // Of fewer than four rows the first one is read again in place of the others.
        const bool whole = k + 4 <= count;
        for (std::size_t row = 0; row < (whole ? 1 : count - k); ++row) {
            const __m128i four = four_products(
                high + row * rows.row_bytes, whole ? rows.row_bytes : 0, rows.row_bytes,
                query.codes + q * 2 * rows.row_bytes, query.code_sum[q]);
            if (whole) {
                _mm_store_si128(reinterpret_cast<__m128i*>(products + k), four);
            } else {
                products[k + row] = _mm_cvtsi128_si32(four);
            }
        }
    }
    auto found = static_cast<unsigned>(above(
        _mm512_maskz_load_epi32(valid, products),
        _mm512_maskz_loadu_ps(valid, rows.codes_per_unit + first), _mm512_set1_ps(query.reach[q]),
        _mm512_maskz_loadu_ps(valid, rows.coarse_error + first), _mm512_set1_ps(query.spread[q])));
    for (; found != 0; found &= found - 1) {
        const auto k = static_cast<std::size_t>(__builtin_ctz(found));
        hits[first + k] |= std::uint64_t{fine_hit(rows, query, first + k, q, products[k])} << q;
    }
}

// The whole codes of a row as unsigned bytes, 16 * 8 + 8 added to each.
void widen(const std::uint8_t* high, const std::uint8_t* low, std::size_t row_bytes,
           std::uint8_t* out) noexcept {
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x88));
    const __m512i upper = _mm512_set1_epi8(static_cast<char>(0xF0));
    for (std::size_t at = 0; at < row_bytes; at += kLineBytes) {
        const __m512i h = _mm512_xor_si512(load(high + at), flip);
        const __m512i l = _mm512_xor_si512(load(low + at), flip);
        // upper ? a : b, bit by bit
        _mm512_store_si512(out + 2 * at,
                           _mm512_ternarylogic_epi64(upper, h, _mm512_srli_epi16(l, 4), 0xCA));
        _mm512_store_si512(out + 2 * at + kLineBytes,
                           _mm512_ternarylogic_epi64(upper, _mm512_slli_epi16(h, 4), l, 0xCA));
    }
}

// Four rows of whole codes with all probes, a probe in each lane.
template <std::size_t kGroups>
void gate_four(const FaceRows& rows, const FaceQuery& query, std::size_t first,
               const std::uint8_t* codes, std::uint64_t* hits) noexcept {
    const std::size_t row_codes = 2 * rows.row_bytes;
    const std::size_t group_bytes = 16 * row_codes;
    __m512i product[4][kGroups];
    for (std::size_t g = 0; g < kGroups; ++g) {
        const __m512i sums = load(query.code_sum + 16 * g);
        const __m512i added = _mm512_mullo_epi32(sums, _mm512_set1_epi32(-(16 * 8 + 8)));
        for (auto& row : product) {
            row[g] = added;
        }
    }
    for (std::size_t at = 0; at < row_codes; at += 4) {
        __m512i probes[kGroups];
        for (std::size_t g = 0; g < kGroups; ++g) {
            probes[g] = load(query.tiles + g * group_bytes + 16 * at);
        }
        for (std::size_t row = 0; row < 4; ++row) {
            std::int32_t four;
            __builtin_memcpy(&four, codes + row * row_codes + at, 4);
            for (std::size_t g = 0; g < kGroups; ++g) {
                product[row][g] =
                    _mm512_dpbusd_epi32(product[row][g], _mm512_set1_epi32(four), probes[g]);
            }
        }
    }
    for (std::size_t row = 0; row < std::min<std::size_t>(4, rows.count - first); ++row) {
        std::uint64_t found = 0;
        for (std::size_t g = 0; g < kGroups; ++g) {
            const __mmask16 hit = above(
                product[row][g], _mm512_set1_ps(rows.codes_per_unit[first + row]),
                _mm512_loadu_ps(query.reach + 16 * g), _mm512_set1_ps(rows.fine_error[first + row]),
                _mm512_loadu_ps(query.spread + 16 * g));
            found |= std::uint64_t{hit} << 16 * g;
        }
        hits[first + row] = found;
    }
}

template <std::size_t kGroups>
void gate_many(const FaceRows& rows, const FaceQuery& query, std::uint64_t* hits) noexcept {
    constexpr std::size_t kMostCodes = 4096;
    constexpr std::size_t kLeadRows = 16;
    alignas(64) std::uint8_t codes[4 * kMostCodes];
    const std::size_t row_codes = 2 * rows.row_bytes;
    for (std::size_t first = 0; first < rows.count; first += 4) {
        for (std::size_t k = 0; k < 4; ++k) {
            const std::size_t row = std::min(first + k, rows.count - 1);
            const std::size_t from = row * rows.row_bytes;
            for (std::size_t at = 0; at < rows.row_bytes; at += kLineBytes) {
                const std::size_t to = from + kLeadRows * rows.row_bytes + at;
                _mm_prefetch(reinterpret_cast<const char*>(rows.high + to), _MM_HINT_T0);
                _mm_prefetch(reinterpret_cast<const char*>(rows.low + to), _MM_HINT_T0);
            }
            widen(rows.high + from, rows.low + from, rows.row_bytes, codes + k * row_codes);
        }
        gate_four<kGroups>(rows, query, first, codes, hits);
    }
}

}  // namespace

std::int32_t face_low_product(const std::uint8_t* low, std::size_t row_bytes,
                              const std::int8_t* probe, std::int32_t code_sum) noexcept {
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x88));
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i upper = _mm512_setzero_si512();
    __m512i lower = _mm512_setzero_si512();
    for (std::size_t at = 0; at < row_bytes; at += kLineBytes) {
        const __m512i bytes = _mm512_xor_si512(load(low + at), flip);
        upper = _mm512_dpbusd_epi32(upper, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble),
                                    load(probe + 2 * at));
        lower = _mm512_dpbusd_epi32(lower, _mm512_and_si512(bytes, nibble),
                                    load(probe + 2 * at + kLineBytes));
    }
    return _mm512_reduce_add_epi32(_mm512_add_epi32(upper, lower)) - 8 * code_sum;
}

void gate_faces(const FaceRows& rows, const FaceQuery& query, std::uint64_t* hits) noexcept {
    if (query.probes >= kManyProbes) {
        switch ((query.probes + 15) / 16) {
            case 1:
                return gate_many<1>(rows, query, hits);
            case 2:
                return gate_many<2>(rows, query, hits);
            case 3:
                return gate_many<3>(rows, query, hits);
            default:
                return gate_many<4>(rows, query, hits);
        }
    }
    for (std::size_t first = 0; first < rows.count; first += kBlock) {
        for (std::size_t k = first; k < std::min(first + kBlock, rows.count); ++k) {
            hits[k] = 0;
        }
        for (std::size_t q = 0; q < query.probes; ++q) {
            gate_block(rows, query, first, q, q == 0 ? kAhead : 0, hits);
        }
    }
}

}  // namespace idmesh::matcher::avx512

#endif
