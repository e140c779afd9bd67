// Many probes at once: tiles of 16 rows by 16 probes. While the tile unit multiplies one block of
// rows, the next is widened from nibbles to bytes, the one after asked for from memory, and the
// last products are looked at. High nibbles first; where so many rows pass that their low nibbles
// are wanted anyway, whole codes at once.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "kernels/avx512/face.hpp"

namespace idmesh::matcher::amx {

namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kBlock = 16;  // rows of a tile
constexpr std::size_t kTileBytes = 1024;
// Lines of a block that are widened ahead of the tiles: with all else they stay in 48 KiB.
constexpr std::size_t kRing = 4;
constexpr std::size_t kAhead = 6144;  // bytes
// Fewer keep less of a tile busy than the vectors of avx512 do.
constexpr std::size_t kLeastProbes = 4;
// Of a block, beyond which reading all low nibbles is cheaper.
constexpr std::size_t kManyCandidates = 20;
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

struct Scan {
    const FaceRows& rows;
    const FaceQuery& query;
    std::uint64_t* hits;
    std::size_t lines;  // of a row
    // What is widened next.
    std::size_t block = 0;
    std::size_t line = 0;
    std::size_t slot = 0;
    std::size_t candidates = 0;
    Limits limits;
    alignas(64) std::uint8_t ring[kRing][2 * kTileBytes];
    alignas(64) std::int32_t products[4][kBlock * 16];
    Candidate candidate[2 * kBlock * kMaxFaceProbes];

    Scan(const FaceRows& all_rows, const FaceQuery& all_probes, std::uint64_t* out) noexcept
        : rows(all_rows), query(all_probes), hits(out), lines(all_rows.row_bytes / kLineBytes) {}
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

// One line of half a block's rows as signed bytes: of the high nibbles alone, or of the whole
// codes, 8 added. Rows past the last one are the last one again.
template <bool kFine>
inline void widen(Scan& scan, std::size_t half) noexcept {
    const __m512i upper = _mm512_set1_epi8(static_cast<char>(0xF0));
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x88));
    const std::size_t last = scan.rows.count - 1;
    const std::size_t first = scan.block + half * 8;
    std::uint8_t* to = scan.ring[scan.slot] + half * 8 * kLineBytes;
#pragma GCC unroll 8
    for (std::size_t k = 0; k < 8; ++k) {
        const std::size_t from =
            std::min(first + k, last) * scan.rows.row_bytes + scan.line * kLineBytes;
        const __m512i high = load(scan.rows.high + from);
        __m512i one = _mm512_and_si512(high, upper);
        __m512i other = _mm512_and_si512(_mm512_slli_epi16(high, 4), upper);
        if constexpr (kFine) {
            const __m512i low = _mm512_xor_si512(load(scan.rows.low + from), flip);
            // upper ? a : b, bit by bit
            one = _mm512_ternarylogic_epi64(upper, high, _mm512_srli_epi16(low, 4), 0xCA);
            other = _mm512_ternarylogic_epi64(upper, other, low, 0xCA);
        }
        _mm512_store_si512(to + k * kLineBytes, one);
        _mm512_store_si512(to + k * kLineBytes + kTileBytes, other);
    }
}

inline void next_line(Scan& scan) noexcept {
    scan.slot = (scan.slot + 1) % kRing;
    if (++scan.line == scan.lines) {
        scan.line = 0;
        scan.block += kBlock;
    }
}

template <bool kFine>
inline void prefetch(const Scan& scan, std::size_t at) noexcept {
    for (std::size_t k = 0; k < 8; ++k) {
        const std::size_t ahead = at + kAhead + k * kLineBytes;
        _mm_prefetch(reinterpret_cast<const char*>(scan.rows.high + ahead), _MM_HINT_T0);
        if constexpr (kFine) {
            _mm_prefetch(reinterpret_cast<const char*>(scan.rows.low + ahead), _MM_HINT_T0);
        }
    }
}

template <bool kFine>
Limits limits_of(const FaceRows& rows, std::size_t block) noexcept {
    const std::size_t count = std::min(rows.count - block, kBlock);
    const auto valid = static_cast<__mmask16>((1U << count) - 1);
    const __m512 units = _mm512_maskz_loadu_ps(valid, rows.codes_per_unit + block);
    const __m512 errors = _mm512_maskz_loadu_ps(valid, errors_of(rows, kFine) + block);
    const __mmask16 present = _mm512_cmp_ps_mask(units, _mm512_setzero_ps(), _CMP_NEQ_OQ);
    return {_mm512_mask_reduce_min_ps(present, units), _mm512_reduce_max_ps(units),
            _mm512_reduce_max_ps(errors)};
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
void look_closely(Scan& scan, std::size_t block, std::size_t group, __m512i added) noexcept {
    const __m512 reach = _mm512_loadu_ps(scan.query.reach + 16 * group);
    const __m512 spread = _mm512_loadu_ps(scan.query.spread + 16 * group);
    const float* errors = errors_of(scan.rows, kFine);
    const std::size_t end = std::min(block + kBlock, scan.rows.count);
    const std::int32_t* products = scan.products[group];
    for (std::size_t row = block; row < end; ++row, products += 16) {
        const __mmask16 found = above(_mm512_sub_epi32(load(products), added),
                                      _mm512_set1_ps(scan.rows.codes_per_unit[row]), reach,
                                      _mm512_set1_ps(errors[row]), spread);
        if (found == 0) {
            continue;
        }
        if constexpr (kFine) {
            scan.hits[row] |= std::uint64_t{found} << 16 * group;
        } else {
            keep(scan, row, group, found, products);
        }
    }
}

// The largest product of each probe against a bound that no row's own exceeds: each operation is
// monotonic, rounding included.
template <bool kFine>
inline void look(Scan& scan, std::size_t block, std::size_t group) noexcept {
    const std::int32_t* products = scan.products[group];
    __m512i most = load(products);
    __m512i also = load(products + 16);
#pragma GCC unroll 7
    for (std::size_t row = 2; row < kBlock; row += 2) {
        most = _mm512_max_epi32(most, load(products + 16 * row));
        also = _mm512_max_epi32(also, load(products + 16 * row + 16));
    }
    const __m512i added = kFine ? _mm512_slli_epi32(load(scan.query.code_sum + 16 * group), 3)
                                : _mm512_setzero_si512();
    const __m512 reach = _mm512_loadu_ps(scan.query.reach + 16 * group);
    const __m512 least = _mm512_sub_ps(
        _mm512_min_ps(_mm512_mul_ps(_mm512_set1_ps(scan.limits.least_codes_per_unit), reach),
                      _mm512_mul_ps(_mm512_set1_ps(scan.limits.most_codes_per_unit), reach)),
        _mm512_mul_ps(_mm512_set1_ps(scan.limits.most_error),
                      _mm512_loadu_ps(scan.query.spread + 16 * group)));
    most = _mm512_sub_epi32(_mm512_max_epi32(most, also), added);
    if (_mm512_cmp_ps_mask(_mm512_cvtepi32_ps(most), least, _CMP_GT_OQ) != 0) {
        look_closely<kFine>(scan, block, group, added);
    }
}

// One step of 64 codes: a tile of rows with a tile of each group's probes.
template <std::size_t kGroups>
inline void multiply_tiles(const std::uint8_t* rows, const std::int8_t* probes,
                           std::size_t group_bytes) noexcept {
    _tile_loadd(4, rows, kLineBytes);
    _tile_loadd(5, probes, kLineBytes);
    _tile_dpbssd(0, 4, 5);
    if constexpr (kGroups > 1) {
        _tile_loadd(6, probes + group_bytes, kLineBytes);
        _tile_dpbssd(1, 4, 6);
    }
    if constexpr (kGroups > 2) {
        _tile_loadd(7, probes + 2 * group_bytes, kLineBytes);
        _tile_dpbssd(2, 4, 7);
    }
    if constexpr (kGroups > 3) {
        _tile_loadd(5, probes + 3 * group_bytes, kLineBytes);
        _tile_dpbssd(3, 4, 5);
    }
}

template <std::size_t kGroups>
inline void store_tiles(Scan& scan) noexcept {
    _tile_stored(0, scan.products[0], kLineBytes);
    _tile_zero(0);
    if constexpr (kGroups > 1) {
        _tile_stored(1, scan.products[1], kLineBytes);
        _tile_zero(1);
    }
    if constexpr (kGroups > 2) {
        _tile_stored(2, scan.products[2], kLineBytes);
        _tile_zero(2);
    }
    if constexpr (kGroups > 3) {
        _tile_stored(3, scan.products[3], kLineBytes);
        _tile_zero(3);
    }
}

// One block with all probes. On the side: lines ahead are widened, and the products of the block
// before looked at if there are any.
template <bool kFine, std::size_t kGroups>
inline void multiply_block(Scan& scan, std::size_t block, bool before) noexcept {
    const std::size_t group_bytes = 2 * scan.lines * kTileBytes;
    const std::int8_t* probes = scan.query.tiles;
    std::size_t at = block * scan.rows.row_bytes;
    for (std::size_t line = 0; line < scan.lines; ++line) {
        const std::uint8_t* rows = scan.ring[(scan.slot + 1) % kRing];
        for (std::size_t half = 0; half < 2; ++half) {
            multiply_tiles<kGroups>(rows + half * kTileBytes, probes, group_bytes);
            probes += kTileBytes;
            prefetch<kFine>(scan, at);
            at += 8 * kLineBytes;
            widen<kFine>(scan, half);
        }
        next_line(scan);
        // The compiler does not know that tiles are loaded from memory.
        __asm__ volatile("" ::: "memory");
        if (before) {
            for (std::size_t group = line * kGroups / scan.lines;
                 group < (line + 1) * kGroups / scan.lines; ++group) {
                look<kFine>(scan, block - kBlock, group);
            }
        }
    }
    store_tiles<kGroups>(scan);
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

// From `first` on, until `last` or, of high nibbles alone, until too many rows pass. Returns where
// it stopped.
template <bool kFine, std::size_t kGroups>
std::size_t run(Scan& scan, std::size_t first, std::size_t last) noexcept {
    scan.block = first;
    scan.line = 0;
    scan.slot = 0;
    for (std::size_t k = 0; k + 1 < kRing; ++k) {
        widen<kFine>(scan, 0);
        widen<kFine>(scan, 1);
        next_line(scan);
    }
    __asm__ volatile("" ::: "memory");
    std::size_t block = first;
    bool few = true;
    for (; few && block < last; block += kBlock) {
        const std::size_t before = scan.candidates;
        multiply_block<kFine, kGroups>(scan, block, block != first);
        few = scan.candidates - before <= kManyCandidates;
        // Their low nibbles were asked for a block ago.
        decide(scan, before);
        scan.limits = limits_of<kFine>(scan.rows, block);
    }
    for (std::size_t group = 0; group < kGroups; ++group) {
        look<kFine>(scan, block - kBlock, group);
    }
    decide(scan, scan.candidates);
    return block;
}

template <std::size_t kGroups>
void gate_groups(Scan& scan) noexcept {
    store_tiles<kGroups>(scan);  // Zeroes them.
    for (std::size_t row = 0; row < scan.rows.count;) {
        row = run<false, kGroups>(scan, row, scan.rows.count);
        if (row < scan.rows.count) {
            row = run<true, kGroups>(scan, row, std::min(row + kFineRows, scan.rows.count));
        }
    }
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
    switch ((query.probes + 15) / 16) {
        case 1:
            gate_groups<1>(scan);
            break;
        case 2:
            gate_groups<2>(scan);
            break;
        case 3:
            gate_groups<3>(scan);
            break;
        default:
            gate_groups<4>(scan);
    }
    _tile_release();
}

}  // namespace idmesh::matcher::amx

#endif
