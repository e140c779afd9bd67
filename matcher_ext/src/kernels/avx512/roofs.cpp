#include "idmesh/matcher/roofs.hpp"

#include <immintrin.h>

namespace idmesh::matcher::avx512 {

namespace {

constexpr std::size_t kChains = 8;  // independent, so that latency is hidden

std::uint64_t folded(const __m512i* lanes) noexcept {
    __m512i sum = lanes[0];
    for (std::size_t k = 1; k < kChains; ++k) {
        sum = _mm512_add_epi64(sum, lanes[k]);
    }
    return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(sum));
}

std::uint64_t read(const std::byte* bytes, std::size_t count) noexcept {
    __m512i lanes[kChains] = {};
    for (std::size_t k = 0; k < count; k += kChains * 64) {
        for (std::size_t chain = 0; chain < kChains; ++chain) {
            lanes[chain] = _mm512_or_si512(lanes[chain], _mm512_load_si512(bytes + k + 64 * chain));
        }
    }
    return folded(lanes);
}

std::uint64_t count_bits() noexcept {
    __m512i word = _mm512_set1_epi8(0x35);
    __m512i sums[kChains] = {};
    for (std::uint64_t k = 0; k < kRoofBits / (512 * kChains); ++k) {
        for (__m512i& sum : sums) {
            __asm__("" : "+v"(word));
            sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(word));
        }
    }
    return folded(sums);
}

std::uint64_t multiply() noexcept {
    __m512i a = _mm512_set1_epi8(3);
    const __m512i b = _mm512_set1_epi8(-5);
    __m512i sums[kChains] = {};
    for (std::uint64_t k = 0; k < kRoofProducts / (64 * kChains); ++k) {
        for (__m512i& sum : sums) {
            __asm__("" : "+v"(a));
            sum = _mm512_dpbusd_epi32(sum, a, b);
        }
    }
    return folded(sums);
}

}  // namespace

const RoofKernels roof_kernels = {read, count_bits, multiply};

}  // namespace idmesh::matcher::avx512
