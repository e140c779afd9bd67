// Tiles of irises: a row of A is a rotation of the probe, a column of B a template. Included by the
// AMX kernels of irises only, within their anonymous namespace.

constexpr std::size_t kTile = 1024;  // bytes
constexpr std::size_t kBlocks = 3;   // at once: they share the tiles of the probe

struct alignas(64) TileConfig {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Accumulators: tile block + kBlocks * half, a half being 16 rotations.
struct alignas(64) Sums {
    std::int32_t tile[2 * kBlocks][kTile / 4];
};

// Widens one word of code of 16 templates to bytes: 1, -1, 0 where masked.
inline __attribute__((always_inline)) void widen_code(const std::uint64_t* code,
                                                      const std::uint64_t* mask,
                                                      std::uint8_t* out) noexcept {
    const __m512i one = _mm512_set1_epi8(1);
    const __m512i minus = _mm512_set1_epi8(-1);
    for (std::size_t k = 0; k < 16; ++k) {
        const __m512i valid = _mm512_maskz_mov_epi8(mask[k], one);
        _mm512_store_si512(out + 64 * k, _mm512_mask_mov_epi8(valid, code[k], minus));
    }
}

// One word of mask: 1, 0.
inline __attribute__((always_inline)) void widen_mask(const std::uint64_t* mask,
                                                      std::uint8_t* out) noexcept {
    const __m512i one = _mm512_set1_epi8(1);
    for (std::size_t k = 0; k < 16; ++k) {
        _mm512_store_si512(out + 64 * k, _mm512_maskz_mov_epi8(mask[k], one));
    }
}

// Tiles of the probe, of code or of mask, 16 rotations each.
struct Rows {
    const std::int8_t* first;
    const std::int8_t* second;
};

// The rotation of a row of the tiles.
std::size_t rotation_of(const IrisScan& scan, std::size_t row) noexcept {
    return scan.rotations - 1 - row;
}

// Six accumulators += two tiles of A times those of three blocks. A's rows may be unaligned and
// slow to load, so each is used three times.
inline __attribute__((always_inline)) void multiply(Rows rows, long stride,
                                                    const std::uint8_t* bits) noexcept {
    _tile_loadd(6, rows.first, stride);
    _tile_loadd(7, bits, 64);
    _tile_dpbssd(0, 6, 7);
    _tile_loadd(7, bits + kTile, 64);
    _tile_dpbssd(1, 6, 7);
    _tile_loadd(7, bits + 2 * kTile, 64);
    _tile_dpbssd(2, 6, 7);
    _tile_loadd(6, rows.second, stride);
    _tile_dpbssd(5, 6, 7);
    _tile_loadd(7, bits + kTile, 64);
    _tile_dpbssd(4, 6, 7);
    _tile_loadd(7, bits, 64);
    _tile_dpbssd(3, 6, 7);
}

void clear() noexcept {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
}

void load(const Sums& sums) noexcept {
    _tile_loadd(0, sums.tile[0], 64);
    _tile_loadd(1, sums.tile[1], 64);
    _tile_loadd(2, sums.tile[2], 64);
    _tile_loadd(3, sums.tile[3], 64);
    _tile_loadd(4, sums.tile[4], 64);
    _tile_loadd(5, sums.tile[5], 64);
}

void store(Sums& sums) noexcept {
    _tile_stored(0, sums.tile[0], 64);
    _tile_stored(1, sums.tile[1], 64);
    _tile_stored(2, sums.tile[2], 64);
    _tile_stored(3, sums.tile[3], 64);
    _tile_stored(4, sums.tile[4], 64);
    _tile_stored(5, sums.tile[5], 64);
}

std::size_t least_of(std::size_t a, std::size_t b) noexcept {
    return a < b ? a : b;
}

// Templates whose sum is above `bound` at any of the first `rows` rows.
unsigned above(const std::int32_t* tile, std::size_t rows, __m512i bound) noexcept {
    __m512i most = _mm512_load_si512(tile);
    for (std::size_t r = 1; r < rows; ++r) {
        most = _mm512_max_epi32(most, _mm512_load_si512(tile + 16 * r));
    }
    return _mm512_cmpgt_epi32_mask(most, bound);
}

// Of the rows from `first` on.
unsigned above(const Sums& sums, std::size_t block, std::size_t rotations, std::size_t first,
               __m512i bound) noexcept {
    const std::size_t left = rotations - first;
    unsigned found = above(sums.tile[block], least_of(left, 16), bound);
    if (left > 16) {
        found |= above(sums.tile[block + kBlocks], least_of(left - 16, 16), bound);
    }
    return found;
}

// Bits of each of 16 templates that are set in `words` words of mask, as int32.
__m512i count_valid(const std::uint64_t* mask, std::size_t words) noexcept {
    constexpr std::size_t kWordsOfBytes = 31;  // until a byte of the sums is full
    const __m512i counts =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i low_bytes = _mm512_set1_epi16(255);
    // Of nibbles 4k, 4k + 1, 4k + 2, 4k + 3, in 16 bits each.
    __m512i sums[4] = {};
    for (std::size_t w = 0; w < words; w += kWordsOfBytes) {
        const std::size_t last = 2 * least_of(w + kWordsOfBytes, words);
        __m512i even = _mm512_setzero_si512();
        __m512i odd = _mm512_setzero_si512();
        for (std::size_t k = 2 * w; k < last; ++k) {
            const __m512i some = _mm512_loadu_si512(mask + 8 * k);
            const __m512i high = _mm512_and_si512(_mm512_srli_epi16(some, 4), nibble);
            even =
                _mm512_add_epi8(even, _mm512_shuffle_epi8(counts, _mm512_and_si512(some, nibble)));
            odd = _mm512_add_epi8(odd, _mm512_shuffle_epi8(counts, high));
        }
        sums[0] = _mm512_add_epi16(sums[0], _mm512_and_si512(even, low_bytes));
        sums[1] = _mm512_add_epi16(sums[1], _mm512_and_si512(odd, low_bytes));
        sums[2] = _mm512_add_epi16(sums[2], _mm512_srli_epi16(even, 8));
        sums[3] = _mm512_add_epi16(sums[3], _mm512_srli_epi16(odd, 8));
    }
    __m128i of[4];
    for (std::size_t k = 0; k < 4; ++k) {
        // Over the eight words of a vector; 65,535 bits are the most that fit.
        __m256i half = _mm256_add_epi16(_mm512_castsi512_si256(sums[k]),
                                        _mm512_extracti64x4_epi64(sums[k], 1));
        __m128i quarter =
            _mm_add_epi16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
        of[k] = _mm_add_epi16(quarter, _mm_unpackhi_epi64(quarter, quarter));
    }
    const __m128i first = _mm_unpacklo_epi16(of[0], of[1]);
    const __m128i second = _mm_unpacklo_epi16(of[2], of[3]);
    const __m256i all =
        _mm256_set_m128i(_mm_unpackhi_epi32(first, second), _mm_unpacklo_epi32(first, second));
    return _mm512_cvtepu16_epi32(all);
}

// A sum of code alone that is not above this is below zero with the mask: of the bits that a
// template has valid the probe masks no more than `masked`, and the others are compared.
__m512i bound_of(__m512i valid, std::int32_t masked, IrisWeights weights) noexcept {
    const __m512i least = _mm512_max_epi32(_mm512_sub_epi32(valid, _mm512_set1_epi32(masked)),
                                           _mm512_setzero_si512());
    return _mm512_mullo_epi32(least, _mm512_set1_epi32(weights.mask));
}
