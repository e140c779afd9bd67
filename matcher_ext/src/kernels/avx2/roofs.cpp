#include "idmesh/matcher/roofs.hpp"

#include <immintrin.h>

namespace idmesh::matcher::avx2 {

namespace {

constexpr std::size_t kChains = 8;  // independent, so that latency is hidden

std::uint64_t folded(const __m256i* lanes) noexcept {
    __m256i sum = lanes[0];
    for (std::size_t k = 1; k < kChains; ++k) {
        sum = _mm256_add_epi64(sum, lanes[k]);
    }
    alignas(32) std::uint64_t words[4];
    _mm256_store_si256(reinterpret_cast<__m256i*>(words), sum);
    return words[0] + words[1] + words[2] + words[3];
}

std::uint64_t read(const std::byte* bytes, std::size_t count) noexcept {
    __m256i lanes[kChains] = {};
    for (std::size_t k = 0; k < count; k += kChains * 32) {
        for (std::size_t chain = 0; chain < kChains; ++chain) {
            lanes[chain] = _mm256_or_si256(
                lanes[chain],
                _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes + k + 32 * chain)));
        }
    }
    return folded(lanes);
}

// Bits by look-up of nibbles, as there is no instruction for them in this set.
std::uint64_t count_bits() noexcept {
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i word = _mm256_set1_epi8(0x35);
    __m256i sums[kChains] = {};
    for (std::uint64_t k = 0; k < kRoofBits / (256 * kChains); ++k) {
        for (__m256i& sum : sums) {
            __asm__("" : "+x"(word));
            const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(word, nibble));
            const __m256i high =
                _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(word, 4), nibble));
            sum = _mm256_add_epi64(
                sum, _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256()));
        }
    }
    return folded(sums);
}

// Products of a signed and an unsigned byte, added in two steps: what AVX2 has.
std::uint64_t multiply() noexcept {
    __m256i a = _mm256_set1_epi8(3);
    const __m256i b = _mm256_set1_epi8(-5);
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sums[kChains] = {};
    for (std::uint64_t k = 0; k < kRoofProducts / (32 * kChains); ++k) {
        for (__m256i& sum : sums) {
            __asm__("" : "+x"(a));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
        }
    }
    return folded(sums);
}

}  // namespace

const RoofKernels roof_kernels = {read, count_bits, multiply};

}  // namespace idmesh::matcher::avx2
