// Iris kernels that count bits by looking up nibbles, 16 templates at once.
#include "idmesh/matcher/iris_kernels.hpp"

#include <immintrin.h>

namespace idmesh::matcher::avx2 {

namespace {

constexpr std::size_t kVectors = 4;  // of four words, to 16 templates

// Words of nibbles j of 16 words become words of templates j: bits are swapped across a diagonal
// (Hacker's Delight, 7-3), four words to the vector.
void to_lanes(const std::uint64_t* block, std::size_t words, std::uint64_t* out) noexcept {
    for (std::size_t w = 0; w < words; ++w, block += kIrisLanes, out += kIrisLanes) {
        std::uint64_t rows[kIrisLanes];
        for (std::size_t k = 0; k < kIrisLanes; ++k) {
            rows[k] = block[k];
        }
        constexpr std::uint64_t kHalves[] = {0x00000000FFFFFFFFU, 0x0000FFFF0000FFFFU,
                                             0x00FF00FF00FF00FFU, 0x0F0F0F0F0F0F0F0FU};
        std::size_t step = 8;
        for (const std::uint64_t low : kHalves) {
            for (std::size_t k = 0; k < kIrisLanes; k = (k + step + 1) & ~step) {
                const std::uint64_t swapped = (rows[k] >> 4 * step ^ rows[k + step]) & low;
                rows[k] ^= swapped << 4 * step;
                rows[k + step] ^= swapped;
            }
            step /= 2;
        }
        for (std::size_t k = 0; k < kIrisLanes; ++k) {
            out[k] = rows[k];
        }
    }
}

// Bits of each byte.
__m256i bits_of_bytes(__m256i bits) noexcept {
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i low = _mm256_and_si256(bits, nibble);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(bits, 4), nibble);
    return _mm256_add_epi8(_mm256_shuffle_epi8(counts, low), _mm256_shuffle_epi8(counts, high));
}

struct Counts {
    __m256i compared[kVectors];
    __m256i mismatched[kVectors];
};

// Sums of bytes hold 31 words of 8 bits each; then they are taken to 64 bits.
constexpr std::size_t kWordsOfBytes = 31;

void count_some(const std::uint64_t* code, const std::uint64_t* mask, const std::uint64_t* lanes,
                const std::uint64_t* lane_masks, std::size_t words, Counts& counts) noexcept {
    const __m256i zero = _mm256_setzero_si256();
    for (std::size_t v = 0; v < kVectors; ++v) {
        __m256i compared = zero;
        __m256i mismatched = zero;
        for (std::size_t w = 0; w < words; ++w) {
            const std::size_t at = w * kIrisLanes + 4 * v;
            const auto load = [&](const std::uint64_t* from) {
                return _mm256_load_si256(reinterpret_cast<const __m256i*>(from + at));
            };
            const __m256i both = _mm256_and_si256(
                _mm256_set1_epi64x(static_cast<long long>(mask[w])), load(lane_masks));
            const __m256i differ = _mm256_and_si256(
                both,
                _mm256_xor_si256(_mm256_set1_epi64x(static_cast<long long>(code[w])), load(lanes)));
            compared = _mm256_add_epi8(compared, bits_of_bytes(both));
            mismatched = _mm256_add_epi8(mismatched, bits_of_bytes(differ));
        }
        counts.compared[v] = _mm256_add_epi64(counts.compared[v], _mm256_sad_epu8(compared, zero));
        counts.mismatched[v] =
            _mm256_add_epi64(counts.mismatched[v], _mm256_sad_epu8(mismatched, zero));
    }
}

unsigned pass(const IrisScan& scan, std::size_t probe, std::size_t rotation,
              const std::uint64_t* lanes) noexcept {
    const std::uint64_t* code = scan.rotated + (probe * scan.rotations + rotation) * 2 * scan.words;
    const std::uint64_t* lane_masks = lanes + scan.words * kIrisLanes;
    Counts counts;
    for (std::size_t v = 0; v < kVectors; ++v) {
        counts.compared[v] = _mm256_setzero_si256();
        counts.mismatched[v] = _mm256_setzero_si256();
    }
    for (std::size_t w = 0; w < scan.words; w += kWordsOfBytes) {
        const std::size_t left = scan.words - w;
        count_some(code + w, code + scan.words + w, lanes + w * kIrisLanes,
                   lane_masks + w * kIrisLanes, left < kWordsOfBytes ? left : kWordsOfBytes,
                   counts);
    }
    const IrisWeights weights = scan.weights[probe];
    const __m256i of_compared = _mm256_set1_epi64x(weights.code - weights.mask);
    const __m256i of_mismatched = _mm256_set1_epi64x(2 * weights.code);
    unsigned passed = 0;
    for (std::size_t v = 0; v < kVectors; ++v) {
        const __m256i positive =
            _mm256_cmpgt_epi64(_mm256_mul_epi32(counts.compared[v], of_compared),
                               _mm256_mul_epi32(counts.mismatched[v], of_mismatched));
        passed |= static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(positive))) << 4 * v;
    }
    return passed;
}

#include "../iris_gates.inl"

}  // namespace

const IrisKernels iris = {gate, gate_spread, nullptr, nullptr};

}  // namespace idmesh::matcher::avx2
