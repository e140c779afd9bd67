// Iris kernels on tiles: a row of A is a rotation of the probe, a column of B a template, and the
// weighted sum that decides comes out of one accumulator.
#include "idmesh/matcher/iris_kernels.hpp"

#include <immintrin.h>

#include "../avx512/iris_lanes.hpp"

namespace idmesh::matcher::amx {

namespace {

constexpr std::size_t kTile = 1024;          // bytes
constexpr std::size_t kBlocks = 3;           // at once: they share the tiles of the probe
constexpr std::size_t kProbesAtOnce = 16;    // share the widened bits of the blocks
constexpr std::size_t kWordsAtOnce = 32;     // widened at once: 192 KiB of three blocks
constexpr std::size_t kMostLaidWords = 64;   // of code and of mask, of the default layout
constexpr std::size_t kMostSpreadWords = 8;  // of code

struct alignas(64) TileConfig {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Accumulators: tile block + kBlocks * group.
struct alignas(64) Sums {
    std::int32_t tile[2 * kBlocks][kTile / 4];
};

// Widens one word of 16 templates: bytes of code (1, -1, 0 where masked); kBlocks tiles further
// those of mask (1, 0), so that tiles lie in the order of their use.
inline __attribute__((always_inline)) void widen(const std::uint64_t* code,
                                                 const std::uint64_t* mask,
                                                 std::uint8_t* out) noexcept {
    const __m512i one = _mm512_set1_epi8(1);
    const __m512i minus = _mm512_set1_epi8(-1);
    for (std::size_t k = 0; k < 16; ++k) {
        const __m512i valid = _mm512_maskz_mov_epi8(mask[k], one);
        _mm512_store_si512(out + 64 * k, _mm512_mask_mov_epi8(valid, code[k], minus));
        _mm512_store_si512(out + kBlocks * kTile + 64 * k, valid);
    }
}

// Six accumulators += two tiles of A, 16 rotations each, times those of three blocks. A's rows are
// unaligned and slow to load, so each is used three times.
inline __attribute__((always_inline)) void multiply(const std::int8_t* first,
                                                    const std::int8_t* second, long stride,
                                                    const std::uint8_t* bits) noexcept {
    _tile_loadd(6, first, stride);
    _tile_loadd(7, bits, 64);
    _tile_dpbssd(0, 6, 7);
    _tile_loadd(7, bits + kTile, 64);
    _tile_dpbssd(1, 6, 7);
    _tile_loadd(7, bits + 2 * kTile, 64);
    _tile_dpbssd(2, 6, 7);
    _tile_loadd(6, second, stride);
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

// Templates whose sum is positive at any of the first `rows` rows.
unsigned positive(const std::int32_t* tile, std::size_t rows) noexcept {
    __m512i most = _mm512_load_si512(tile);
    for (std::size_t r = 1; r < rows; ++r) {
        most = _mm512_max_epi32(most, _mm512_load_si512(tile + 16 * r));
    }
    return _mm512_cmpgt_epi32_mask(most, _mm512_setzero_si512());
}

std::size_t least_of(std::size_t a, std::size_t b) noexcept {
    return a < b ? a : b;
}

// Of the rotations from `first` on.
unsigned positive_of(const Sums& sums, std::size_t block, std::size_t rotations,
                     std::size_t first) noexcept {
    const std::size_t left = rotations - first;
    unsigned found = positive(sums.tile[block], least_of(left, 16));
    if (left > 16) {
        found |= positive(sums.tile[block + kBlocks], least_of(left - 16, 16));
    }
    return found;
}

// Three blocks, some probes, 32 rotations at a time.
class Lossless {
  public:
    // The first block stands in for those that are not there.
    Lossless(const IrisScan& scan, const std::uint64_t* blocks, std::size_t count) noexcept
        : scan_(scan), count_(count) {
        for (std::size_t b = 0; b < kBlocks; ++b) {
            blocks_[b] = blocks + (b < count ? b : 0) * 2 * scan.words * kIrisLanes;
        }
    }

    void run(std::size_t first_probe, std::size_t last_probe, std::size_t group,
             std::uint16_t* hits) noexcept {
        for (std::size_t word = 0; word < scan_.words; word += kWordsAtOnce) {
            const std::size_t last = least_of(word + kWordsAtOnce, scan_.words);
            widen_word(word, 0);
            for (std::size_t q = first_probe; q < last_probe; ++q) {
                Sums& sums = sums_[q - first_probe];
                if (word == 0) {
                    clear();
                } else {
                    load(sums);
                }
                add(q, group, word, last, q == first_probe);
                store(sums);
            }
        }
        for (std::size_t q = first_probe; q < last_probe; ++q) {
            for (std::size_t b = 0; b < count_; ++b) {
                hits[b * scan_.probes + q] = static_cast<std::uint16_t>(
                    hits[b * scan_.probes + q] |
                    positive_of(sums_[q - first_probe], b, scan_.rotations, 16 * group));
            }
        }
    }

  private:
    // The first probe widens the next word while the tiles of the last are multiplied.
    void add(std::size_t q, std::size_t group, std::size_t first, std::size_t last,
             bool widens) noexcept {
        const std::size_t rows = scan_.words / scan_.row_words;
        const std::size_t second = 16 * group + 16 < scan_.rotations ? 16 : 0;
        const std::int8_t* code = scan_.lines + q * 2 * rows * scan_.line_bytes + 16 * group;
        const std::int8_t* mask = code + rows * scan_.line_bytes;
        const std::size_t gap = scan_.line_bytes - 64 * scan_.row_words;
        std::size_t at = first / scan_.row_words * scan_.line_bytes + first % scan_.row_words * 64;
        std::size_t left_of_row = scan_.row_words - first % scan_.row_words;
        const std::uint8_t* bits = bits_;
        for (std::size_t w = first; w < last; ++w, bits += 2 * kBlocks * kTile) {
            if (widens && w + 1 < last) {
                widen_word(w + 1, w + 1 - first);
            }
            multiply(code + at, code + at + second, 1, bits);
            multiply(mask + at, mask + at + second, 1, bits + kBlocks * kTile);
            at += 64;
            if (--left_of_row == 0) {
                left_of_row = scan_.row_words;
                at += gap;
            }
        }
    }

    void widen_word(std::size_t word, std::size_t slot) noexcept {
        for (std::size_t b = 0; b < kBlocks; ++b) {
            const std::uint64_t* code = blocks_[b] + word * kIrisLanes;
            widen(code, code + scan_.words * kIrisLanes, bits_ + (slot * 2 * kBlocks + b) * kTile);
        }
    }

    const IrisScan& scan_;
    const std::size_t count_;
    const std::uint64_t* blocks_[kBlocks];
    Sums sums_[kProbesAtOnce];
    alignas(64) std::uint8_t bits_[kWordsAtOnce * kBlocks * 2 * kTile];
};

void gate(const std::uint64_t* blocks, std::size_t count, const IrisScan& scan,
          std::uint16_t* hits) noexcept {
    if (scan.lines == nullptr) {
        avx512::iris.gate(blocks, count, scan, hits);
        return;
    }
    const TileConfig config;
    _tile_loadconfig(&config);
    for (std::size_t k = 0; k < count * scan.probes; ++k) {
        hits[k] = 0;
    }
    for (std::size_t b = 0; b < count; b += kBlocks) {
        Lossless some(scan, blocks + b * 2 * scan.words * kIrisLanes, least_of(kBlocks, count - b));
        for (std::size_t q = 0; q < scan.probes; q += kProbesAtOnce) {
            for (std::size_t group = 0; 16 * group < scan.rotations; group += 2) {
                some.run(q, least_of(q + kProbesAtOnce, scan.probes), group,
                         hits + b * scan.probes);
            }
        }
    }
    _tile_release();
}

// A rotation of a probe that the spread bits of some templates of a block let pass.
struct Passed {
    std::uint32_t block;
    std::uint8_t probe;
    std::uint8_t rotation;
    std::uint16_t templates;
};

// Finishes what passes with all bits, some blocks later than found: they come from memory
// meanwhile.
class Finisher {
  public:
    Finisher(const IrisScan& scan, const std::uint64_t* blocks, std::uint16_t* hits) noexcept
        : scan_(scan), blocks_(blocks), hits_(hits) {}

    bool is_full() const noexcept { return count_ + kMostOfTriple > kMost; }

    void add(Passed passed) noexcept {
        if (count_ == 0 || passed_[count_ - 1].block != passed.block) {
            const auto* at = reinterpret_cast<const char*>(block(passed.block));
            for (std::size_t k = 0; k < 2 * scan_.words * kIrisLanes * 8; k += 64) {
                _mm_prefetch(at + k, _MM_HINT_T1);
            }
        }
        passed_[count_++] = passed;
    }

    void finish() noexcept {
        for (std::size_t k = 0; k < count_; ++k) {
            const Passed& one = passed_[k];
            const std::size_t slot = one.block % kBlocks;
            if (laid_[slot] != one.block) {
                laid_[slot] = one.block;
                avx512::to_lanes(block(one.block), 2 * scan_.words, lanes_[slot]);
            }
            std::uint16_t& hits = hits_[one.block * scan_.probes + one.probe];
            hits = static_cast<std::uint16_t>(
                hits |
                (one.templates & avx512::pass(scan_, one.probe, one.rotation, lanes_[slot])));
        }
        count_ = 0;
    }

  private:
    static constexpr std::size_t kMostOfTriple = kBlocks * 144;  // rotations, for one probe
    static constexpr std::size_t kMost = 2 * kMostOfTriple;
    static constexpr std::uint32_t kNone = ~std::uint32_t{0};

    const std::uint64_t* block(std::size_t number) const noexcept {
        return blocks_ + number * 2 * scan_.words * kIrisLanes;
    }

    const IrisScan& scan_;
    const std::uint64_t* const blocks_;
    std::uint16_t* const hits_;
    std::size_t count_ = 0;
    std::uint32_t laid_[kBlocks] = {kNone, kNone, kNone};
    Passed passed_[kMost];
    alignas(64) std::uint64_t lanes_[kBlocks][kMostLaidWords * kIrisLanes];
};

// The spread bits of three blocks.
class Spread {
  public:
    Spread(const IrisScan& scan, const std::uint64_t* blocks, std::size_t first,
           std::size_t count) noexcept
        : scan_(scan), first_(first), count_(count) {
        for (std::size_t b = 0; b < kBlocks; ++b) {
            blocks_[b] = blocks + (first + (b < count ? b : 0)) * 2 * scan.words * kIrisLanes;
        }
    }

    void run(Finisher& finisher) noexcept {
        for (std::size_t q = 0; q < scan_.probes; ++q) {
            for (std::size_t group = 0; 16 * group < scan_.rotations; group += 2) {
                add(q, group, q == 0 && group == 0);
                for (std::size_t b = 0; b < count_; ++b) {
                    if (positive_of(sums_, b, scan_.rotations, 16 * group) != 0) {
                        note(q, b, 16 * group, finisher);
                    }
                }
                if (finisher.is_full()) {
                    finisher.finish();
                }
            }
        }
    }

  private:
    void add(std::size_t q, std::size_t group, bool widens) noexcept {
        const std::size_t groups = (scan_.rotations + 15) / 16;
        const std::size_t group_bytes = 2 * scan_.words * kTile;
        const std::int8_t* code = scan_.tiles + (q * groups + group) * group_bytes;
        const std::size_t second = group + 1 < groups ? group_bytes : 0;
        const std::size_t to_mask = scan_.words * kTile;
        if (widens) {
            widen_word(0);
        }
        clear();
        for (std::size_t w = 0; w < scan_.words; ++w, code += kTile) {
            if (widens && w + 1 < scan_.words) {
                widen_word(w + 1);
            }
            const std::uint8_t* bits = bits_ + w * 2 * kBlocks * kTile;
            multiply(code, code + second, 64, bits);
            multiply(code + to_mask, code + to_mask + second, 64, bits + kBlocks * kTile);
        }
        store(sums_);
    }

    void note(std::size_t q, std::size_t b, std::size_t first, Finisher& finisher) const noexcept {
        for (std::size_t r = first; r < least_of(first + 32, scan_.rotations); ++r) {
            const std::int32_t* tile = sums_.tile[b + (r - first) / 16 * kBlocks];
            const unsigned found = positive(tile + 16 * (r % 16), 1);
            if (found != 0) {
                finisher.add({static_cast<std::uint32_t>(first_ + b), static_cast<std::uint8_t>(q),
                              static_cast<std::uint8_t>(r), static_cast<std::uint16_t>(found)});
            }
        }
    }

    void widen_word(std::size_t word) noexcept {
        for (std::size_t b = 0; b < kBlocks; ++b) {
            const std::uint64_t* code = blocks_[b] + word * kIrisLanes;
            widen(code, code + scan_.words * kIrisLanes, bits_ + (word * 2 * kBlocks + b) * kTile);
        }
    }

    const IrisScan& scan_;
    const std::size_t first_;
    const std::size_t count_;
    const std::uint64_t* blocks_[kBlocks];
    Sums sums_;
    alignas(64) std::uint8_t bits_[kMostSpreadWords * kBlocks * 2 * kTile];
};

void gate_spread(const std::uint64_t* spread_blocks, const std::uint64_t* blocks, std::size_t count,
                 const IrisScan& spread, const IrisScan& scan, std::uint16_t* hits) noexcept {
    if (spread.tiles == nullptr || 2 * scan.words > kMostLaidWords) {
        avx512::iris.gate_spread(spread_blocks, blocks, count, spread, scan, hits);
        return;
    }
    const TileConfig config;
    _tile_loadconfig(&config);
    for (std::size_t k = 0; k < count * scan.probes; ++k) {
        hits[k] = 0;
    }
    constexpr std::size_t kLater = 8 * kBlocks;
    Finisher finisher(scan, blocks, hits);
    for (std::size_t b = 0; b < count; b += kBlocks) {
        Spread(spread, spread_blocks, b, least_of(kBlocks, count - b)).run(finisher);
        if ((b + kBlocks) % kLater == 0) {
            finisher.finish();
        }
    }
    finisher.finish();
    _tile_release();
}

}  // namespace

const IrisKernels iris = {gate, gate_spread, nullptr, nullptr};

}  // namespace idmesh::matcher::amx
