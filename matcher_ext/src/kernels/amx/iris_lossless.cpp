// The lossless gate on tiles.
#include <immintrin.h>

#include "../avx512/iris_lanes.hpp"
#include "iris.hpp"

namespace idmesh::matcher::amx {

namespace {

#include "iris_tiles.inl"

constexpr std::size_t kProbesAtOnce = 16;  // share the widened bits of the blocks
// Rotations of a probe in three blocks to finish by counting the bits of single ones; more are
// cheaper by tiles.
constexpr std::size_t kFew = 12;
constexpr std::size_t kWordsAtOnce = 32;  // widened at once: 96 KiB of three blocks

// Three blocks, some probes, 32 rotations at a time.
class Lossless {
  public:
    // The first block stands in for those that are not there. Those that follow are fetched
    // meanwhile, beyond the last too, where that does nothing.
    Lossless(const IrisScan& scan, const std::uint64_t* blocks, std::size_t count,
             std::uint16_t* hits) noexcept
        : scan_(scan), count_(count), hits_(hits) {
        for (std::size_t b = 0; b < kBlocks; ++b) {
            blocks_[b] = blocks + (b < count ? b : 0) * 2 * scan.words * kIrisLanes;
        }
        for (std::size_t b = 0; b < count; ++b) {
            valid_[b] = count_valid(blocks_[b] + scan.words * kIrisLanes, scan.words);
        }
        const std::size_t groups = (scan.rotations + 31) / 32;
        const std::size_t lines = 2 * kBlocks * scan.words * kIrisLanes / 8;
        fetch_ = reinterpret_cast<std::uintptr_t>(blocks) + 64 * lines;
        fetch_end_ = fetch_ + 64 * lines;
        fetch_step_ = 64 * (lines / (scan.words * scan.probes * groups) + 1);
    }

    void run(std::size_t first_probe, std::size_t last_probe, std::size_t group) noexcept {
        for (std::size_t word = 0; word < scan_.words; word += kWordsAtOnce) {
            const std::size_t last = least_of(word + kWordsAtOnce, scan_.words);
            // Of a layout that is widened whole, once for all probes.
            const bool widens = !widened_;
            if (widens) {
                widen_word(word);
            }
            for (std::size_t q = first_probe; q < last_probe; ++q) {
                Sums& sums = sums_[q - first_probe];
                if (word == 0) {
                    clear();
                } else {
                    load(sums);
                }
                add_code(q, group, word, last, widens && q == first_probe);
                store(sums);
            }
        }
        widened_ = scan_.words <= kWordsAtOnce;
        std::size_t unfinished = 0;
        for (std::size_t q = first_probe; q < last_probe; ++q) {
            if (!finish_few(q, group, sums_[q - first_probe])) {
                unfinished_[unfinished++] = q;
            }
        }
        if (unfinished != 0) {
            finish_by_masks(first_probe, group, unfinished);
        }
    }

  private:
    Rows lines_at(std::size_t q, std::size_t group, bool of_mask, std::size_t word) const noexcept {
        const std::size_t rows = scan_.words / scan_.row_words;
        const std::size_t plane = (2 * q + (of_mask ? 1 : 0)) * rows;
        const std::int8_t* first = scan_.lines +
                                   (plane + word / scan_.row_words) * scan_.line_bytes +
                                   word % scan_.row_words * 64 + 16 * group;
        return {first, first + (16 * group + 16 < scan_.rotations ? 16 : 0)};
    }

    // The first probe widens the next word while the tiles of the last are multiplied.
    void add_code(std::size_t q, std::size_t group, std::size_t first, std::size_t last,
                  bool widens) noexcept {
        const auto prepare = [&](std::size_t w) {
            if (widens && w + 1 < last) {
                widen_word(w + 1);
            }
            const std::uintptr_t end = fetch_ + fetch_step_;
            for (; fetch_ < end && fetch_ < fetch_end_; fetch_ += 64) {
                _mm_prefetch(reinterpret_cast<const char*>(fetch_), _MM_HINT_T1);
            }
        };
        const std::size_t gap = scan_.line_bytes - 64 * scan_.row_words;
        std::size_t left_of_row = scan_.row_words - first % scan_.row_words;
        const std::uint8_t* bits = bits_ + first % kWordsAtOnce * kBlocks * kTile;
        Rows rows = lines_at(q, group, false, first);
        for (std::size_t w = first; w < last; ++w, bits += kBlocks * kTile) {
            prepare(w);
            multiply(rows, 1, bits);
            left_of_row -= 1;
            const std::size_t step = left_of_row != 0 ? 64 : 64 + gap;
            left_of_row = left_of_row != 0 ? left_of_row : scan_.row_words;
            rows = {rows.first + step, rows.second + step};
        }
    }

    // Finishes those that the sums of code let pass by counting bits, if they are few.
    bool finish_few(std::size_t q, std::size_t group, const Sums& sums) noexcept {
        const std::size_t first = 16 * group;
        const std::size_t last = least_of(first + 32, scan_.rotations);
        struct {
            std::uint16_t block, row, templates;
        } few[kFew];
        std::size_t found = 0;
        for (std::size_t b = 0; b < count_; ++b) {
            const __m512i bound = bound_of(valid_[b], scan_.masked[q], scan_.weights[q]);
            if (above(sums, b, scan_.rotations, first, bound) == 0) {
                continue;
            }
            for (std::size_t r = first; r < last; ++r) {
                const std::int32_t* tile = sums.tile[b + (r - first) / 16 * kBlocks];
                const unsigned templates = above(tile + 16 * (r % 16), 1, bound);
                if (templates == 0) {
                    continue;
                }
                if (found == kFew || 2 * scan_.words > kMostLaidWords) {
                    return false;
                }
                few[found++] = {static_cast<std::uint16_t>(b), static_cast<std::uint16_t>(r),
                                static_cast<std::uint16_t>(templates)};
            }
        }
        for (std::size_t k = 0; k < found; ++k) {
            const std::size_t b = few[k].block;
            if (!laid_[b]) {
                laid_[b] = true;
                avx512::to_lanes(blocks_[b], 2 * scan_.words, lanes_[b]);
            }
            hit(b, q,
                few[k].templates &
                    avx512::pass(scan_, q, rotation_of(scan_, few[k].row), lanes_[b]));
        }
        return true;
    }

    // Adds the masks to the sums of the probes in unfinished_.
    void finish_by_masks(std::size_t first_probe, std::size_t group, std::size_t count) noexcept {
        for (std::size_t word = 0; word < scan_.words; word += kWordsAtOnce) {
            const std::size_t last = least_of(word + kWordsAtOnce, scan_.words);
            for (std::size_t w = word; w < last; ++w) {
                for (std::size_t b = 0; b < kBlocks; ++b) {
                    widen_mask(blocks_[b] + (scan_.words + w) * kIrisLanes,
                               bits_ + ((w - word) * kBlocks + b) * kTile);
                }
            }
            for (std::size_t k = 0; k < count; ++k) {
                Sums& sums = sums_[unfinished_[k] - first_probe];
                load(sums);
                for (std::size_t w = word; w < last; ++w) {
                    multiply(lines_at(unfinished_[k], group, true, w), 1,
                             bits_ + (w - word) * kBlocks * kTile);
                }
                store(sums);
            }
        }
        widened_ = false;
        for (std::size_t k = 0; k < count; ++k) {
            const std::size_t q = unfinished_[k];
            for (std::size_t b = 0; b < count_; ++b) {
                hit(b, q,
                    above(sums_[q - first_probe], b, scan_.rotations, 16 * group,
                          _mm512_setzero_si512()));
            }
        }
    }

    void widen_word(std::size_t word) noexcept {
        for (std::size_t b = 0; b < kBlocks; ++b) {
            const std::uint64_t* code = blocks_[b] + word * kIrisLanes;
            widen_code(code, code + scan_.words * kIrisLanes,
                       bits_ + (word % kWordsAtOnce * kBlocks + b) * kTile);
        }
    }

    void hit(std::size_t b, std::size_t q, unsigned templates) noexcept {
        std::uint16_t& hits = hits_[b * scan_.probes + q];
        hits = static_cast<std::uint16_t>(hits | templates);
    }

    const IrisScan& scan_;
    const std::size_t count_;
    std::uint16_t* const hits_;
    const std::uint64_t* blocks_[kBlocks];
    std::uintptr_t fetch_;
    std::uintptr_t fetch_end_;
    std::size_t fetch_step_;
    bool widened_ = false;
    bool laid_[kBlocks] = {};
    __m512i valid_[kBlocks];
    std::size_t unfinished_[kProbesAtOnce];
    Sums sums_[kProbesAtOnce];
    alignas(64) std::uint64_t lanes_[kBlocks][kMostLaidWords * kIrisLanes];
    alignas(64) std::uint8_t bits_[kWordsAtOnce * kBlocks * kTile];
};

}  // namespace

void gate_lossless(const std::uint64_t* blocks, std::size_t count, const IrisScan& scan,
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
        Lossless some(scan, blocks + b * 2 * scan.words * kIrisLanes, least_of(kBlocks, count - b),
                      hits + b * scan.probes);
        for (std::size_t q = 0; q < scan.probes; q += kProbesAtOnce) {
            for (std::size_t group = 0; 16 * group < scan.rotations; group += 2) {
                some.run(q, least_of(q + kProbesAtOnce, scan.probes), group);
            }
        }
    }
    _tile_release();
}

}  // namespace idmesh::matcher::amx
