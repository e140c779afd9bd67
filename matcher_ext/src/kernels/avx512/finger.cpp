// AVX-512 with VPOPCNTDQ: eight minutiae to the register.
#if defined(__AVX512VPOPCNTDQ__)

#include <immintrin.h>

#include "finger/kernels.hpp"
#include "finger/tables.hpp"

namespace idmesh::matcher::avx512 {

namespace {

#include "kernels/finger_steps.inl"

// Bits in both of eight descriptors, word w at words[8 w], and one descriptor.
__m512i bits_in_both(const __m512i* eight, const std::uint64_t* one) noexcept {
    __m512i both = _mm512_setzero_si512();
    for (std::size_t w = 0; w < kDescriptorWords; ++w) {
        const __m512i word = _mm512_set1_epi64(static_cast<long long>(one[w]));
        both = _mm512_add_epi64(both, _mm512_popcnt_epi64(_mm512_and_si512(eight[w], word)));
    }
    return both;
}

std::uint16_t scan_row(const FingerScanProbe& probe, const std::uint64_t* words,
                       const std::uint8_t* bits, const std::uint32_t* minutiae,
                       const FingerTables& t) noexcept {
    constexpr std::size_t kGroups = kScanMinutiae / 8;
    __m512i eights[kGroups][kDescriptorWords];
    __m512i direction[kGroups];  // plus the most that may be turned, in the lowest byte
    __m512i best[kGroups];
    for (std::size_t g = 0; g < kGroups; ++g) {
        for (std::size_t w = 0; w < kDescriptorWords; ++w) {
            eights[g][w] = _mm512_load_si512(words + (g * kDescriptorWords + w) * 8);
        }
        const __m256i eight = _mm256_load_si256(reinterpret_cast<const __m256i*>(minutiae) + g);
        direction[g] =
            _mm512_add_epi64(_mm512_cvtepu32_epi64(eight), _mm512_set1_epi64(kMostTurned));
        best[g] = _mm512_setzero_si512();
    }
    const __m512i byte = _mm512_set1_epi64(255);
    const __m512i most = _mm512_set1_epi64(2 * kMostTurned);
    for (std::size_t i = 0; i < probe.count; ++i) {
        const __m512i weight = _mm512_set1_epi64(static_cast<long long>(probe.weight[i]));
        const __m512i my_direction = _mm512_set1_epi64(probe.direction[i]);
        for (std::size_t g = 0; g < kGroups; ++g) {
            const __m512i both = bits_in_both(eights[g], probe.words[i]);
            const __m512i turned =
                _mm512_and_si512(_mm512_sub_epi64(direction[g], my_direction), byte);
            const __mmask8 gate = _mm512_cmple_epu64_mask(turned, most);
            best[g] = _mm512_max_epu32(best[g], _mm512_maskz_mul_epu32(gate, both, weight));
        }
    }
    __m512i sum = _mm512_setzero_si512();
    const __m512i floor = _mm512_set1_epi64(kScanFloor);
    for (std::size_t g = 0; g < kGroups; ++g) {
        alignas(64) std::uint64_t weights[8];
        for (std::size_t k = 0; k < 8; ++k) {
            weights[k] = t.weight[bits[g * 8 + k]];
        }
        const __m512i alike = _mm512_srli_epi64(
            _mm512_mul_epu32(best[g], _mm512_load_si512(weights)), kLikenessShift);
        sum = _mm512_add_epi64(sum, _mm512_sub_epi64(_mm512_max_epu32(alike, floor), floor));
    }
    return static_cast<std::uint16_t>(_mm512_reduce_add_epi64(sum));
}

void scan_wide(const FingerScanProbe& probe, const FingerScanRows& rows, std::size_t first,
               std::size_t last, std::uint16_t* scores) noexcept {
    const FingerTables& t = finger_tables();
    for (std::size_t row = first; row < last; ++row) {
        scores[row - first] =
            scan_row(probe, rows.words + row * kScanWords, rows.bits + row * kScanMinutiae,
                     rows.minutiae + row * kScanMinutiae, t);
    }
}

void add_neighbour(const FingerTables& t, int field, std::uint8_t relative,
                   __m512i* cells) noexcept {
    // As the upper byte, so that the upper half of the product is the weight times the spot's.
    const __m512i spots = _mm512_slli_epi16(
        _mm512_cvtepu8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(t.spot[field]))),
        8);
    for (std::size_t d = 0; d < kSpotDirections; ++d) {
        const __m512i weight = _mm512_set1_epi16(t.direction[relative][d]);
        cells[d] = _mm512_add_epi16(cells[d], _mm512_mulhi_epu16(spots, weight));
    }
}

void describe_wide(const Minutia* minutiae, std::size_t count, Descriptor* out) noexcept {
    const FingerTables& t = finger_tables();
    alignas(64) std::int16_t x[kMaxMinutiae] = {};
    alignas(64) std::int16_t y[kMaxMinutiae] = {};
    for (std::size_t k = 0; k < count; ++k) {
        x[k] = minutiae[k].x;
        y[k] = minutiae[k].y;
    }
    const __m512i reach = _mm512_set1_epi16(kReach);
    for (std::size_t self = 0; self < count; ++self) {
        const Minutia& me = minutiae[self];
        std::uint64_t around = 0;
        for (std::size_t half = 0; half < kMaxMinutiae; half += 32) {
            const __m512i off_x = _mm512_abs_epi16(
                _mm512_sub_epi16(_mm512_load_si512(x + half), _mm512_set1_epi16(me.x)));
            const __m512i off_y = _mm512_abs_epi16(
                _mm512_sub_epi16(_mm512_load_si512(y + half), _mm512_set1_epi16(me.y)));
            around |= std::uint64_t{_mm512_cmple_epi16_mask(off_x, reach) &
                                    _mm512_cmple_epi16_mask(off_y, reach)}
                      << half;
        }
        around &= ~(std::uint64_t{1} << self) & (~std::uint64_t{0} >> (64 - count));
        __m512i cells[kSpotDirections] = {};
        for (; around != 0; around &= around - 1) {
            const Minutia& other = minutiae[__builtin_ctzll(around)];
            const int field = field_of(t, me, other);
            if (field >= 0) {
                add_neighbour(t, field, static_cast<std::uint8_t>(other.direction - me.direction),
                              cells);
            }
        }
        const __m512i set = _mm512_set1_epi16(kBitAt);
        for (std::size_t w = 0; w < kDescriptorWords; ++w) {
            out[self].bits[w] = std::uint64_t{_mm512_cmpge_epu16_mask(cells[2 * w], set)} |
                                std::uint64_t{_mm512_cmpge_epu16_mask(cells[2 * w + 1], set)} << 32;
        }
    }
}

void find_likeness_wide(const FingerPoints& probe, const FingerPoints& reference,
                        FingerLikeness& out) noexcept {
    const FingerTables& t = finger_tables();
    constexpr std::size_t kGroups = kMaxMinutiae / 8;
    alignas(64) std::uint64_t words[kGroups][kDescriptorWords][8];
    alignas(64) std::uint64_t weight[kMaxMinutiae];
    const std::size_t groups = (reference.count + 7) / 8;
    for (std::size_t j = 0; j < groups * 8; ++j) {
        const std::uint64_t* bits = reference.descriptors[j].bits;
        for (std::size_t w = 0; w < kDescriptorWords; ++w) {
            words[j / 8][w][j % 8] = bits[w];
        }
        weight[j] = t.weight[bits_of(bits, 1)];
    }
    const __m512i directions = _mm512_load_si512(reference.direction);
    const __m512i most = _mm512_set1_epi8(2 * kMostTurned);
    const __m512i top = _mm512_set1_epi64(255);
    for (std::size_t i = 0; i < probe.count; ++i) {
        const std::uint64_t* mine = probe.descriptors[i].bits;
        const __m512i my_weight = _mm512_set1_epi64(t.weight[bits_of(mine, 1)]);
        alignas(64) std::uint8_t row[kMaxMinutiae] = {};
        for (std::size_t g = 0; g < groups; ++g) {
            const __m512i both = bits_in_both(reinterpret_cast<const __m512i*>(words[g]), mine);
            const __m512i alike =
                _mm512_srli_epi64(_mm512_mul_epu32(_mm512_mul_epu32(both, my_weight),
                                                   _mm512_load_si512(weight + g * 8)),
                                  kLikenessShift);
            _mm_storel_epi64(reinterpret_cast<__m128i*>(row + g * 8),
                             _mm512_cvtepi64_epi8(_mm512_min_epu32(alike, top)));
        }
        const __m512i turned = _mm512_sub_epi8(
            directions, _mm512_set1_epi8(static_cast<char>(probe.direction[i] - kMostTurned)));
        const __mmask64 gate = _mm512_cmple_epu8_mask(turned, most);
        _mm512_store_si512(out.of[i], _mm512_maskz_mov_epi8(gate, _mm512_load_si512(row)));
    }
}

std::size_t count_from_wide(const FingerLikeness& likeness, std::size_t rows, int floor) noexcept {
    const __m512i least = _mm512_set1_epi8(static_cast<char>(floor));
    std::size_t count = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        const __mmask64 from = _mm512_cmpge_epu8_mask(_mm512_load_si512(likeness.of[i]), least);
        count += static_cast<std::size_t>(__builtin_popcountll(from));
    }
    return count;
}

void find_seeds_wide(const FingerPoints& probe, const FingerPoints& reference,
                     const FingerLikeness& likeness, std::size_t most, FingerSeeds& out) noexcept {
    const FingerTables& t = finger_tables();
    int low = 1;
    int high = 255;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (count_from_wide(likeness, probe.count, middle) <= most) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    out.count = 0;
    const __m512i least = _mm512_set1_epi8(static_cast<char>(low));
    for (std::size_t i = 0; i < probe.count; ++i) {
        std::uint64_t from = _mm512_cmpge_epu8_mask(_mm512_load_si512(likeness.of[i]), least);
        for (; from != 0; from &= from - 1) {
            const auto j = static_cast<std::size_t>(__builtin_ctzll(from));
            add_seed(t, probe, i, reference, j, likeness.of[i][j], most, out);
        }
    }
    pad_seeds(out);
}

// length_of, of sixteen.
__m512 lengths_of(__m512 x, __m512 y) noexcept {
    const __m512 along = _mm512_abs_ps(x);
    const __m512 across = _mm512_abs_ps(y);
    return _mm512_add_ps(_mm512_mul_ps(_mm512_set1_ps(0.96F), _mm512_max_ps(along, across)),
                         _mm512_mul_ps(_mm512_set1_ps(0.398F), _mm512_min_ps(along, across)));
}

// How near sixteen seeds from b on are to where seed a and the turn expect them, 0 to 1.
__m512 nearness(const FingerSeeds& s, std::size_t a, std::size_t b, __m512 cosine,
                __m512 sine) noexcept {
    const auto minus = [](const float* all, std::size_t from, std::size_t less) {
        return _mm512_sub_ps(_mm512_load_ps(all + from), _mm512_set1_ps(all[less]));
    };
    const __m512 x = minus(s.probe_x, b, a);
    const __m512 y = minus(s.probe_y, b, a);
    const __m512 to_x = _mm512_sub_ps(_mm512_mul_ps(cosine, x), _mm512_mul_ps(sine, y));
    const __m512 to_y = _mm512_add_ps(_mm512_mul_ps(sine, x), _mm512_mul_ps(cosine, y));
    const __m512 off_x = _mm512_sub_ps(minus(s.reference_x, b, a), to_x);
    const __m512 off_y = _mm512_sub_ps(minus(s.reference_y, b, a), to_y);
    const __m512 square = _mm512_add_ps(_mm512_mul_ps(off_x, off_x), _mm512_mul_ps(off_y, off_y));
    const __m512 allowed = _mm512_add_ps(
        _mm512_set1_ps(kSeedNear), _mm512_mul_ps(_mm512_set1_ps(kSeedElastic), lengths_of(x, y)));
    const __m512 near =
        _mm512_sub_ps(_mm512_set1_ps(1.0F), _mm512_div_ps(square, _mm512_mul_ps(allowed, allowed)));
    return _mm512_max_ps(near, _mm512_setzero_ps());
}

__m512i numbers(const std::uint8_t* of) noexcept {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(of)));
}

void find_agreement_wide(const FingerSeeds& s, FingerAgreement& out) noexcept {
    const std::size_t columns = padded(s.count);
    const __m512 zero = _mm512_setzero_ps();
    for (std::size_t a = 0; a < s.count; ++a) {
        const __m512 my_cosine = _mm512_set1_ps(s.cosine[a]);
        const __m512 my_sine = _mm512_set1_ps(s.sine[a]);
        for (std::size_t b = 0; b < columns; b += 16) {
            const __m512 cosines = _mm512_load_ps(s.cosine + b);
            const __m512 sines = _mm512_load_ps(s.sine + b);
            const __m512 turn =
                _mm512_add_ps(_mm512_mul_ps(my_cosine, cosines), _mm512_mul_ps(my_sine, sines));
            const __m512 turned = _mm512_mul_ps(_mm512_sub_ps(turn, _mm512_set1_ps(kTurnCosine)),
                                                _mm512_set1_ps(1.0F / (1.0F - kTurnCosine)));
            const __mmask16 counts =
                _mm512_cmp_ps_mask(turned, zero, _CMP_GT_OQ) &
                _mm512_cmpneq_epi32_mask(numbers(s.probe + b), _mm512_set1_epi32(s.probe[a])) &
                _mm512_cmpneq_epi32_mask(numbers(s.reference + b),
                                         _mm512_set1_epi32(s.reference[a]));
            __m512 agreed = zero;
            if (counts != 0) {
                const __m512 scale = _mm512_sub_ps(_mm512_set1_ps(0.625F),
                                                   _mm512_mul_ps(_mm512_set1_ps(0.125F), turn));
                const __m512 cosine = _mm512_mul_ps(_mm512_add_ps(my_cosine, cosines), scale);
                const __m512 sine = _mm512_mul_ps(_mm512_add_ps(my_sine, sines), scale);
                agreed = _mm512_maskz_mul_ps(counts, nearness(s, a, b, cosine, sine), turned);
            }
            _mm512_store_ps(out.of[a] + b, agreed);
        }
    }
}

void find_near_wide(const FingerPoints& probe, const FingerPoints& reference, const FingerMotion& m,
                    FingerNear& out) noexcept {
    const std::size_t columns = padded(reference.count);
    const std::uint64_t valid = ~std::uint64_t{0} >> (64 - reference.count);
    out.count = 0;
    for (std::size_t i = 0; i < probe.count; ++i) {
        const float x = m.cosine * probe.x[i] - m.sine * probe.y[i] + m.shift_x;
        const float y = m.sine * probe.x[i] + m.cosine * probe.y[i] + m.shift_y;
        const float reach = kPairNear + kPairElastic * length_of(x - m.middle_x, y - m.middle_y);
        const float most = reach < kPairFarthest ? reach : kPairFarthest;
        const float allowed = most * most;
        alignas(64) float apart[kMaxMinutiae];
        std::uint64_t near = 0;
        for (std::size_t j = 0; j < columns; j += 16) {
            const __m512 off_x = _mm512_sub_ps(_mm512_load_ps(reference.x + j), _mm512_set1_ps(x));
            const __m512 off_y = _mm512_sub_ps(_mm512_load_ps(reference.y + j), _mm512_set1_ps(y));
            const __m512 square =
                _mm512_add_ps(_mm512_mul_ps(off_x, off_x), _mm512_mul_ps(off_y, off_y));
            _mm512_store_ps(apart + j, square);
            near |= std::uint64_t{_mm512_cmp_ps_mask(square, _mm512_set1_ps(allowed), _CMP_LE_OQ)}
                    << j;
        }
        for (near &= valid; near != 0 && out.count < kMaxNear; near &= near - 1) {
            const auto j = static_cast<std::size_t>(__builtin_ctzll(near));
            const std::size_t k = out.count++;
            out.probe[k] = static_cast<std::uint8_t>(i);
            out.reference[k] = static_cast<std::uint8_t>(j);
            out.apart[k] = apart[j];
            out.allowed[k] = allowed;
        }
    }
}

}  // namespace

const FingerKernels kFingerKernels = {scan_wide,       describe_wide,       find_likeness_wide,
                                      find_seeds_wide, find_agreement_wide, find_support,
                                      find_near_wide};

}  // namespace idmesh::matcher::avx512

#endif
