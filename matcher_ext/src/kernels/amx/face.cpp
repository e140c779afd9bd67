// Many probes at once: tiles of 16 rows by 16 probes. While the tile unit multiplies one block of
// rows, the next is widened from nibbles to bytes, the one after asked for from memory, and the
// last products are looked at. High nibbles first; where so many rows pass that their low nibbles
// are wanted anyway, whole codes at once.
#if defined(__AMX_INT8__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "kernels/avx512/face.hpp"

namespace idmesh::matcher::amx {

namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kTileRows = 16;
constexpr std::size_t kTileBytes = 1024;
constexpr std::size_t kBlock = 2 * kTileRows;
constexpr std::size_t kMostCodes = 4096;
constexpr std::size_t kAheadBlocks = 2;
// Fewer keep less of a tile busy than the vectors of avx512 do.
constexpr std::size_t kLeastProbes = 4;
// Of a block, beyond which reading all low nibbles is cheaper.
constexpr std::size_t kManyCandidates = 40;
// Rows of whole codes before the high nibbles are tried again.
constexpr std::size_t kFineRows = 1024;

struct alignas(64) TileConfig {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

struct Candidate {
    std::uint32_t row;
    std::uint32_t probe;
    std::int32_t product;  // of the high nibbles
};

// Over 16 rows, none of which is above what these say.
struct Limits {
    float least_codes_per_unit;
    float most_codes_per_unit;
    float most_error;
};

// Products of one block with one or two groups of 16 probes, to be looked at.
struct Products {
    alignas(64) std::int32_t tile[4][kTileRows * 16];  // rows 0, rows 0, rows 16, rows 16
    std::size_t block;
    std::size_t group;
    bool two_groups;
};

struct Scan {
    const FaceRows& rows;
    const FaceQuery& query;
    std::uint64_t* hits;
    std::size_t steps;  // of 64 codes
    std::size_t candidates = 0;
    const Products* pending = nullptr;
    Limits limits[2][2];  // of even and odd blocks
    Products products[2];
    alignas(64) std::uint8_t codes[2][kBlock * kMostCodes];
    Candidate candidate[2 * kBlock * kMaxFaceProbes];

    Scan(const FaceRows& all_rows, const FaceQuery& all_probes, std::uint64_t* out) noexcept
        : rows(all_rows), query(all_probes), hits(out), steps(2 * all_rows.row_bytes / 64) {}
};

__m512i load(const void* bytes) noexcept {
    return _mm512_loadu_si512(bytes);
}

const float* errors_of(const FaceRows& rows, bool fine) noexcept {
    return fine ? rows.fine_error : rows.coarse_error;
}

__mmask16 above(__m512i product, __m512 codes_per_unit, __m512 reach, __m512 error,
                __m512 spread) noexcept {
    const __m512 least =
        _mm512_sub_ps(_mm512_mul_ps(codes_per_unit, reach), _mm512_mul_ps(error, spread));
    return _mm512_cmp_ps_mask(_mm512_cvtepi32_ps(product), least, _CMP_GT_OQ);
}

// One line of each of kLines rows of a block, as signed bytes: of the high nibbles alone, or of
// the whole code, 8 added. Lines are numbered row by row first; a tile's rows are 64 bytes apart.
// Rows past the last one are the last one again.
template <bool kFine, std::size_t kLines>
inline void widen(const Scan& scan, std::size_t block, std::size_t line, std::uint8_t* out) noexcept {
    const __m512i upper = _mm512_set1_epi8(static_cast<char>(0xF0));
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x88));
    const std::size_t row_bytes = scan.rows.row_bytes;
    const std::size_t at = line / kBlock * kLineBytes;
    const std::size_t first = line % kBlock;
    std::uint8_t* to = out + (first / kTileRows * scan.steps + line / kBlock * 2) * kTileBytes +
                       first % kTileRows * kLineBytes;
    const std::size_t ahead = kAheadBlocks * kBlock * row_bytes;
#pragma GCC unroll 16
    for (std::size_t k = 0; k < kLines; ++k) {
        const std::size_t from =
            std::min(block + first + k, scan.rows.count - 1) * row_bytes + at;
        const __m512i high = load(scan.rows.high + from);
        _mm_prefetch(reinterpret_cast<const char*>(scan.rows.high + from + ahead), _MM_HINT_T0);
        __m512i one = _mm512_and_si512(high, upper);
        __m512i other = _mm512_andnot_si512(_mm512_set1_epi8(15), _mm512_slli_epi16(high, 4));
        if constexpr (kFine) {
            const __m512i low = _mm512_xor_si512(load(scan.rows.low + from), flip);
            _mm_prefetch(reinterpret_cast<const char*>(scan.rows.low + from + ahead), _MM_HINT_T0);
            // upper ? a : b, bit by bit
            one = _mm512_ternarylogic_epi64(upper, high, _mm512_srli_epi16(low, 4), 0xCA);
            other = _mm512_ternarylogic_epi64(upper, other, low, 0xCA);
        }
        _mm512_store_si512(to + k * kLineBytes, one);
        _mm512_store_si512(to + k * kLineBytes + kTileBytes, other);
    }
}

template <bool kFine>
void limit(Scan& scan, std::size_t block) noexcept {
    for (std::size_t half = 0; half < 2; ++half) {
        const std::size_t first = block + half * kTileRows;
        const std::size_t count = first < scan.rows.count ? scan.rows.count - first : 0;
        const auto valid = static_cast<__mmask16>(count >= 16 ? 0xFFFF : (1U << count) - 1);
        const __m512 units = _mm512_maskz_loadu_ps(valid, scan.rows.codes_per_unit + first);
        const __m512 errors =
            _mm512_maskz_loadu_ps(valid, errors_of(scan.rows, kFine) + first);
        const __mmask16 present = _mm512_cmp_ps_mask(units, _mm512_setzero_ps(), _CMP_NEQ_OQ);
        scan.limits[block / kBlock % 2][half] = {_mm512_mask_reduce_min_ps(present, units),
                                                 _mm512_reduce_max_ps(units),
                                                 _mm512_reduce_max_ps(errors)};
    }
}

void keep(Scan& scan, std::size_t row, std::size_t group, __mmask16 found,
          const std::int32_t* products) noexcept {
    const std::uint8_t* low = scan.rows.low + row * scan.rows.row_bytes;
    for (std::size_t at = 0; at < scan.rows.row_bytes; at += kLineBytes) {
        _mm_prefetch(reinterpret_cast<const char*>(low + at), _MM_HINT_T0);
    }
    for (unsigned left = found; left != 0; left &= left - 1) {
        const auto lane = static_cast<std::size_t>(__builtin_ctz(left));
        scan.candidate[scan.candidates++] = {static_cast<std::uint32_t>(row),
                                             static_cast<std::uint32_t>(16 * group + lane),
                                             products[lane]};
    }
}

// Every row of a tile by its own bound.
template <bool kFine>
void look_closely(Scan& scan, const std::int32_t* tile, std::size_t first, std::size_t group,
                  __m512i added) noexcept {
    const __m512 reach = _mm512_loadu_ps(scan.query.reach + 16 * group);
    const __m512 spread = _mm512_loadu_ps(scan.query.spread + 16 * group);
    const float* errors = errors_of(scan.rows, kFine);
    const std::size_t end = std::min(first + kTileRows, scan.rows.count);
    for (std::size_t row = first; row < end; ++row, tile += 16) {
        const __mmask16 found =
            above(_mm512_sub_epi32(load(tile), added),
                  _mm512_set1_ps(scan.rows.codes_per_unit[row]), reach, _mm512_set1_ps(errors[row]),
                  spread);
        if (found == 0) {
            continue;
        }
        if constexpr (kFine) {
            scan.hits[row] |= std::uint64_t{found} << 16 * group;
        } else {
            keep(scan, row, group, found, tile);
        }
    }
}

// The largest product of each probe against a bound that no row's own exceeds: each operation is
// monotonic, rounding included.
template <bool kFine>
inline void look(Scan& scan, const Products& products, std::size_t number) noexcept {
    if (number % 2 != 0 && !products.two_groups) {
        return;
    }
    const std::int32_t* tile = products.tile[number];
    const std::size_t group = products.group + number % 2;
    __m512i most = load(tile);
    __m512i also = load(tile + 16);
#pragma GCC unroll 7
    for (std::size_t row = 2; row < kTileRows; row += 2) {
        most = _mm512_max_epi32(most, load(tile + 16 * row));
        also = _mm512_max_epi32(also, load(tile + 16 * row + 16));
    }
    const __m512i added =
        kFine ? _mm512_slli_epi32(load(scan.query.code_sum + 16 * group), 3)
              : _mm512_setzero_si512();
    const Limits& limits = scan.limits[products.block / kBlock % 2][number / 2];
    const __m512 reach = _mm512_loadu_ps(scan.query.reach + 16 * group);
    const __m512 least = _mm512_sub_ps(
        _mm512_min_ps(_mm512_mul_ps(_mm512_set1_ps(limits.least_codes_per_unit), reach),
                      _mm512_mul_ps(_mm512_set1_ps(limits.most_codes_per_unit), reach)),
        _mm512_mul_ps(_mm512_set1_ps(limits.most_error),
                      _mm512_loadu_ps(scan.query.spread + 16 * group)));
    most = _mm512_sub_epi32(_mm512_max_epi32(most, also), added);
    if (_mm512_cmp_ps_mask(_mm512_cvtepi32_ps(most), least, _CMP_GT_OQ) != 0) {
        look_closely<kFine>(scan, tile, products.block + number / 2 * kTileRows, group, added);
    }
}

template <bool kFine>
void look_at_pending(Scan& scan, std::size_t from, std::size_t to) noexcept {
    for (std::size_t number = from; scan.pending != nullptr && number < to; ++number) {
        look<kFine>(scan, *scan.pending, number);
    }
}

// One block with one or two groups of probes; on the side kLines lines a step of the next block.
template <bool kFine, bool kTwoGroups, std::size_t kLines>
void multiply(Scan& scan, std::size_t block, std::size_t group, std::size_t line,
              Products& out) noexcept {
    const std::size_t steps = scan.steps;
    const std::uint8_t* rows = scan.codes[block / kBlock % 2];
    std::uint8_t* next = scan.codes[(block / kBlock + 1) % 2];
    const std::int8_t* probes = scan.query.tiles + group * steps * kTileBytes;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (std::size_t step = 0; step < steps; ++step, line += kLines) {
        _tile_loadd(4, rows + step * kTileBytes, kLineBytes);
        _tile_loadd(6, probes + step * kTileBytes, kLineBytes);
        _tile_dpbssd(0, 4, 6);
        if constexpr (kTwoGroups) {
            _tile_loadd(7, probes + (steps + step) * kTileBytes, kLineBytes);
            _tile_dpbssd(1, 4, 7);
        }
        _tile_loadd(5, rows + (steps + step) * kTileBytes, kLineBytes);
        _tile_dpbssd(2, 5, 6);
        if constexpr (kTwoGroups) {
            _tile_dpbssd(3, 5, 7);
        }
        widen<kFine, kLines>(scan, block + kBlock, line, next);
        look_at_pending<kFine>(scan, step * 4 / steps, (step + 1) * 4 / steps);
    }
    _tile_stored(0, out.tile[0], kLineBytes);
    _tile_stored(2, out.tile[2], kLineBytes);
    if constexpr (kTwoGroups) {
        _tile_stored(1, out.tile[1], kLineBytes);
        _tile_stored(3, out.tile[3], kLineBytes);
    }
    // The compiler does not know that tiles are loaded from memory.
    __asm__ volatile("" ::: "memory");
    out.block = block;
    out.group = group;
    out.two_groups = kTwoGroups;
    scan.pending = &out;
}

template <bool kFine>
void multiply_block(Scan& scan, std::size_t block, std::size_t& unit) noexcept {
    const std::size_t groups = (scan.query.probes + 15) / 16;
    limit<kFine>(scan, block);
    switch (groups) {
        case 1:
            return multiply<kFine, false, 16>(scan, block, 0, 0, scan.products[unit++ % 2]);
        case 2:
            return multiply<kFine, true, 16>(scan, block, 0, 0, scan.products[unit++ % 2]);
        default:
            multiply<kFine, true, 8>(scan, block, 0, 0, scan.products[unit++ % 2]);
            break;
    }
    const std::size_t line = 8 * scan.steps;
    if (groups == 3) {
        multiply<kFine, false, 8>(scan, block, 2, line, scan.products[unit++ % 2]);
    } else {
        multiply<kFine, true, 8>(scan, block, 2, line, scan.products[unit++ % 2]);
    }
}

// Decides the first candidates with their low nibbles, and forgets them.
void decide(Scan& scan, std::size_t count) noexcept {
    const FaceRows& rows = scan.rows;
    const FaceQuery& query = scan.query;
    for (std::size_t k = 0; k < count; ++k) {
        const auto [row, probe, high] = scan.candidate[k];
        const std::int32_t product =
            high + avx512::face_low_product(rows.low + row * rows.row_bytes, rows.row_bytes,
                                            query.codes + probe * 2 * rows.row_bytes,
                                            query.code_sum[probe]);
        const float least = rows.codes_per_unit[row] * query.reach[probe];
        const float lost = rows.fine_error[row] * query.spread[probe];
        scan.hits[row] |= std::uint64_t{static_cast<float>(product) > least - lost} << probe;
    }
    std::copy(scan.candidate + count, scan.candidate + scan.candidates, scan.candidate);
    scan.candidates -= count;
}

// From block `first` on, until `last` or, of high nibbles alone, until too many rows pass. Returns
// where it stopped.
template <bool kFine>
std::size_t run(Scan& scan, std::size_t first, std::size_t last) noexcept {
    for (std::size_t line = 0; line < kBlock * scan.steps / 2; line += 16) {
        widen<kFine, 16>(scan, first, line, scan.codes[first / kBlock % 2]);
    }
    __asm__ volatile("" ::: "memory");
    std::size_t block = first;
    std::size_t unit = 0;
    bool few = true;
    for (; few && block < last; block += kBlock) {
        const std::size_t before = scan.candidates;
        multiply_block<kFine>(scan, block, unit);
        few = scan.candidates - before <= kManyCandidates;
        // Their low nibbles were asked for a block ago.
        decide(scan, before);
    }
    look_at_pending<kFine>(scan, 0, 4);
    scan.pending = nullptr;
    decide(scan, scan.candidates);
    return block;
}

}  // namespace

void gate_faces(const FaceRows& rows, const FaceQuery& query, std::uint64_t* hits) noexcept {
    if (query.probes < kLeastProbes) {
        avx512::gate_faces(rows, query, hits);
        return;
    }
    std::memset(hits, 0, rows.count * sizeof *hits);
    const TileConfig config;
    _tile_loadconfig(&config);
    Scan scan(rows, query, hits);
    for (std::size_t row = 0; row < rows.count;) {
        row = run<false>(scan, row, rows.count);
        if (row < rows.count) {
            row = run<true>(scan, row, std::min(row + kFineRows, rows.count));
        }
    }
    _tile_release();
}

}  // namespace idmesh::matcher::amx

#endif
