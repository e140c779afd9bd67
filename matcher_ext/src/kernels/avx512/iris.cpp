// Iris kernels that count bits with VPOPCNTQ, 16 templates at once.
#include "idmesh/matcher/iris_kernels.hpp"

#include <immintrin.h>

#include "iris_lanes.hpp"

namespace idmesh::matcher::avx512 {

namespace {

#include "../iris_gates.inl"

// Bytes of words 0, 2, ... 14 of 16 words, those of one place together; plus 8: of words 1, 3, ...
__m512i every_second_word() noexcept {
    alignas(64) std::uint8_t index[64];
    for (unsigned place = 0; place < 8; ++place) {
        for (unsigned k = 0; k < 8; ++k) {
            index[8 * place + k] = static_cast<std::uint8_t>(16 * k + place);
        }
    }
    return _mm512_load_si512(index);
}

// Bit j of even to bit 2j, of odd to bit 2j + 1.
std::uint16_t in_order(__mmask8 even, __mmask8 odd) noexcept {
    return static_cast<std::uint16_t>(_pdep_u32(even, 0x5555) | _pdep_u32(odd, 0xAAAA));
}

__m512i counted(__m512i sum, __m512i bits) noexcept {
    return _mm512_add_epi64(sum, _mm512_popcnt_epi64(bits));
}

// code * (compared - 2 mismatched) - mask * compared > 0
__mmask8 passes(IrisWeights weights, __m512i compared, __m512i mismatched) noexcept {
    const __m512i of_compared = _mm512_set1_epi64(weights.code - weights.mask);
    const __m512i of_mismatched = _mm512_set1_epi64(2 * weights.code);
    return _mm512_cmpgt_epi64_mask(_mm512_mul_epi32(compared, of_compared),
                                   _mm512_mul_epi32(mismatched, of_mismatched));
}

constexpr int kDifferInMask = 0x28;  // (first ^ second) & third

std::uint64_t sum(__m512i lanes) noexcept {
    return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(lanes));
}

void compare_rotations(const std::uint64_t* rotated, std::size_t rotations,
                       const std::uint64_t* reference, std::size_t words,
                       MaskedHamming* out) noexcept {
    for (std::size_t r = 0; r < rotations; ++r, rotated += 2 * words) {
        __m512i compared = _mm512_setzero_si512();
        __m512i mismatched = _mm512_setzero_si512();
        for (std::size_t w = 0; w < words; w += 8) {
            const auto some = static_cast<__mmask8>(words - w < 8 ? (1U << (words - w)) - 1 : 255U);
            const auto load = [&](const std::uint64_t* from) {
                return _mm512_maskz_loadu_epi64(some, from + w);
            };
            const __m512i mask = _mm512_and_si512(load(rotated + words), load(reference + words));
            compared = counted(compared, mask);
            mismatched = counted(
                mismatched,
                _mm512_ternarylogic_epi64(load(rotated), load(reference), mask, kDifferInMask));
        }
        out[r].compared = static_cast<std::uint32_t>(sum(compared));
        out[r].mismatched = static_cast<std::uint32_t>(sum(mismatched));
    }
}

void extract(const std::uint64_t* block, std::size_t lane, std::size_t words,
             std::uint64_t* out) noexcept {
    alignas(64) std::uint64_t lanes[kMostWords * kIrisLanes / 16];
    constexpr std::size_t kAtOnce = kMostWords / 16;
    for (std::size_t w = 0; w < 2 * words; w += kAtOnce) {
        const std::size_t count = 2 * words - w < kAtOnce ? 2 * words - w : kAtOnce;
        to_lanes(block + w * kIrisLanes, count, lanes);
        for (std::size_t k = 0; k < count; ++k) {
            out[w + k] = lanes[k * kIrisLanes + lane % 2 * 8 + lane / 2];
        }
    }
}

}  // namespace

void to_lanes(const std::uint64_t* block, std::size_t words, std::uint64_t* out) noexcept {
    const __m512i even_words = every_second_word();
    const __m512i odd_words = _mm512_add_epi8(even_words, _mm512_set1_epi8(8));
    const __m512i low = _mm512_set1_epi8(15);
    for (std::size_t w = 0; w < words; ++w, block += kIrisLanes, out += kIrisLanes) {
        const __m512i first = _mm512_loadu_si512(block);
        const __m512i second = _mm512_loadu_si512(block + 8);
        const __m512i even = _mm512_permutex2var_epi8(first, even_words, second);
        const __m512i odd = _mm512_permutex2var_epi8(first, odd_words, second);
        constexpr int kChoose = 0xCA;  // first ? second : third
        _mm512_store_si512(
            out, _mm512_ternarylogic_epi64(low, even, _mm512_slli_epi16(odd, 4), kChoose));
        _mm512_store_si512(
            out + 8, _mm512_ternarylogic_epi64(low, _mm512_srli_epi16(even, 4), odd, kChoose));
    }
}

std::uint16_t pass(const IrisScan& scan, std::size_t probe, std::size_t rotation,
                   const std::uint64_t* lanes) noexcept {
    const std::uint64_t* code = scan.rotated + (probe * scan.rotations + rotation) * 2 * scan.words;
    const std::uint64_t* mask = code + scan.words;
    const std::uint64_t* masks = lanes + scan.words * kIrisLanes;
    __m512i compared[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    __m512i mismatched[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (std::size_t w = 0; w < scan.words; ++w) {
        const __m512i probe_code = _mm512_set1_epi64(static_cast<long long>(code[w]));
        const __m512i probe_mask = _mm512_set1_epi64(static_cast<long long>(mask[w]));
        for (std::size_t half = 0; half < 2; ++half) {
            const std::size_t at = w * kIrisLanes + 8 * half;
            const __m512i both = _mm512_and_si512(probe_mask, _mm512_load_si512(masks + at));
            compared[half] = counted(compared[half], both);
            mismatched[half] =
                counted(mismatched[half],
                        _mm512_ternarylogic_epi64(probe_code, _mm512_load_si512(lanes + at), both,
                                                  kDifferInMask));
        }
    }
    return in_order(passes(scan.weights[probe], compared[0], mismatched[0]),
                    passes(scan.weights[probe], compared[1], mismatched[1]));
}

const IrisKernels iris = {gate, gate_spread, extract, compare_rotations};

}  // namespace idmesh::matcher::avx512
