// The gate of two stages on tiles: spread bits first, what passes with all bits.
#include <immintrin.h>

#include "../avx512/iris_lanes.hpp"
#include "iris.hpp"

namespace idmesh::matcher::amx {

namespace {

#include "iris_tiles.inl"

constexpr std::size_t kMostSpreadWords = 8;  // of code
// Rotations of a probe in three blocks to finish by counting the bits of single ones; more are
// cheaper by tiles.
constexpr std::size_t kFew = 32;
constexpr std::size_t kAhead = 8;  // triples of blocks that are fetched before their turn

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

// Three blocks of spread bits.
struct Triple {
    // The first block stands in for those that are not there.
    void begin(const IrisScan& scan, const std::uint64_t* blocks, std::size_t first_block,
               std::size_t last_block) noexcept {
        first = first_block;
        count = least_of(kBlocks, last_block - first_block);
        masks_widened = false;
        for (std::size_t b = 0; b < kBlocks; ++b) {
            block[b] = blocks + (first + (b < count ? b : 0)) * 2 * scan.words * kIrisLanes;
            valid[b] = count_valid(block[b] + scan.words * kIrisLanes, scan.words);
            laid[b] = false;
        }
    }

    std::size_t first;
    std::size_t count;
    const std::uint64_t* block[kBlocks];
    __m512i valid[kBlocks];
    bool masks_widened;
    bool laid[kBlocks];
    alignas(64) std::uint64_t lanes[kBlocks][2 * kMostSpreadWords * kIrisLanes];
    alignas(64) std::uint8_t masks[kMostSpreadWords * kBlocks * kTile];
};

// What the codes of a triple gave for 32 rotations of a probe, from row `first` on.
struct Job {
    Triple* triple;
    std::size_t probe;
    std::size_t first;
    Sums sums;
};

// The spread bits of all blocks. Nothing waits for what was just stored: the codes of a triple are
// widened while the one before is multiplied, sums are looked at after the next ones.
class Spread {
  public:
    Spread(const IrisScan& scan, const std::uint64_t* blocks, std::size_t count,
           Finisher& finisher) noexcept
        : scan_(scan), blocks_(blocks), count_(count), finisher_(finisher) {}

    void run() noexcept {
        triples_[0].begin(scan_, blocks_, 0, count_);
        for (std::size_t w = 0; w < scan_.words; ++w) {
            widen_word(triples_[0], w);
        }
        for (std::size_t number = 0; number * kBlocks < count_; ++number) {
            Triple* next = nullptr;
            if ((number + 1) * kBlocks < count_) {
                next = &triples_[(number + 1) % kTriples];
                next->begin(scan_, blocks_, (number + 1) * kBlocks, count_);
            }
            run(triples_[number % kTriples], next);
            if (number % kLater == kLater - 1) {
                finisher_.finish();
            }
        }
        finish(jobs_[latest_]);
    }

  private:
    // One whose last sums are still looked at, one that is multiplied, one that is widened.
    static constexpr std::size_t kTriples = 3;
    static constexpr std::size_t kLater = 8;  // triples until what passes has come from memory

    void run(Triple& now, const Triple* next) noexcept {
        for (std::size_t q = 0; q < scan_.probes; ++q) {
            for (std::size_t first = 0; first < scan_.rotations; first += 32) {
                const bool last = q + 1 == scan_.probes && first + 32 >= scan_.rotations;
                Job& job = jobs_[1 - latest_];
                job.triple = &now;
                job.probe = q;
                job.first = first;
                add_code(job, last ? next : nullptr);
                if (started_) {
                    finish(jobs_[latest_]);
                }
                started_ = true;
                latest_ = 1 - latest_;
            }
        }
    }

    Rows rows_of(const Job& job, const std::int8_t* tiles) const noexcept {
        const std::size_t groups = (scan_.rotations + 15) / 16;
        const std::size_t group_bytes = scan_.words * kTile;
        const std::int8_t* first = tiles + (job.probe * groups + job.first / 16) * group_bytes;
        return {first, first + (job.first / 16 + 1 < groups ? group_bytes : 0)};
    }

    void add_code(Job& job, const Triple* next) noexcept {
        const Rows rows = rows_of(job, scan_.code_tiles);
        const std::size_t step = kBlocks * kTile;
        clear();
        for (std::size_t w = 0; w < scan_.words; ++w) {
            multiply({rows.first + w * kTile, rows.second + w * kTile}, 64, bits_ + w * step);
            if (next != nullptr) {
                widen_word(*next, w);
            }
        }
        store(job.sums);
    }

    void add_masks(Job& job) noexcept {
        Triple& triple = *job.triple;
        const bool widens = !triple.masks_widened;
        triple.masks_widened = true;
        const auto widen_masks = [&](std::size_t w) {
            for (std::size_t b = 0; b < kBlocks && w < scan_.words; ++b) {
                widen_mask(triple.block[b] + (scan_.words + w) * kIrisLanes,
                           triple.masks + (w * kBlocks + b) * kTile);
            }
        };
        if (widens) {
            widen_masks(0);
            widen_masks(1);
        }
        const Rows rows = rows_of(job, scan_.mask_tiles);
        load(job.sums);
        for (std::size_t w = 0; w < scan_.words; ++w) {
            if (widens) {
                widen_masks(w + 2);
            }
            multiply({rows.first + w * kTile, rows.second + w * kTile}, 64,
                     triple.masks + w * kBlocks * kTile);
        }
        store(job.sums);
    }

    void finish(Job& job) noexcept {
        if (!finish_few(job)) {
            add_masks(job);
            for (std::size_t b = 0; b < job.triple->count; ++b) {
                note(job, b);
            }
        }
        if (finisher_.is_full()) {
            finisher_.finish();
        }
    }

    // Counts the spread bits of those that the sums of code let pass, if they are few.
    bool finish_few(const Job& job) noexcept {
        Triple& triple = *job.triple;
        const std::size_t q = job.probe;
        Passed few[kFew];
        std::size_t found = 0;
        for (std::size_t b = 0; b < triple.count; ++b) {
            const __m512i bound = bound_of(triple.valid[b], scan_.masked[q], scan_.weights[q]);
            if (above(job.sums, b, scan_.rotations, job.first, bound) == 0) {
                continue;
            }
            for (std::size_t r = 0; r < rows_in(job); ++r) {
                const unsigned templates = above(row_of(job, b, r), 1, bound);
                if (templates == 0) {
                    continue;
                }
                if (found == kFew) {
                    return false;
                }
                few[found++] = passed(job, b, r, templates);
            }
        }
        for (std::size_t k = 0; k < found; ++k) {
            const std::size_t b = few[k].block - triple.first;
            if (!triple.laid[b]) {
                triple.laid[b] = true;
                avx512::to_lanes(triple.block[b], 2 * scan_.words, triple.lanes[b]);
            }
            few[k].templates = static_cast<std::uint16_t>(
                few[k].templates & avx512::pass(scan_, q, few[k].rotation, triple.lanes[b]));
            if (few[k].templates != 0) {
                finisher_.add(few[k]);
            }
        }
        return true;
    }

    void note(const Job& job, std::size_t b) noexcept {
        for (std::size_t r = 0; r < rows_in(job); ++r) {
            const unsigned found = above(row_of(job, b, r), 1, _mm512_setzero_si512());
            if (found != 0) {
                finisher_.add(passed(job, b, r, found));
            }
        }
    }

    std::size_t rows_in(const Job& job) const noexcept {
        return least_of(32, scan_.rotations - job.first);
    }

    static const std::int32_t* row_of(const Job& job, std::size_t b, std::size_t r) noexcept {
        return job.sums.tile[b + r / 16 * kBlocks] + 16 * (r % 16);
    }

    Passed passed(const Job& job, std::size_t b, std::size_t r, unsigned templates) const noexcept {
        return {static_cast<std::uint32_t>(job.triple->first + b),
                static_cast<std::uint8_t>(job.probe),
                static_cast<std::uint8_t>(rotation_of(scan_, job.first + r)),
                static_cast<std::uint16_t>(templates)};
    }

    // Fetches as much of a later triple: beyond the end too, where it does nothing.
    void widen_word(const Triple& triple, std::size_t word) noexcept {
        const std::size_t later = kAhead * kBlocks * 2 * scan_.words * kIrisLanes;
        const auto ahead = reinterpret_cast<std::uintptr_t>(triple.block[0]) + 8 * later;
        for (std::size_t b = 0; b < kBlocks; ++b) {
            const std::uint64_t* code = triple.block[b] + word * kIrisLanes;
            widen_code(code, code + scan_.words * kIrisLanes, bits_ + (word * kBlocks + b) * kTile);
            for (std::size_t line = 0; line < 4; ++line) {
                const std::uintptr_t at = ahead + 64 * ((word * kBlocks + b) * 4 + line);
                _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T1);
            }
        }
    }

    const IrisScan& scan_;
    const std::uint64_t* const blocks_;
    const std::size_t count_;
    Finisher& finisher_;
    bool started_ = false;
    std::size_t latest_ = 0;
    Triple triples_[kTriples];
    Job jobs_[2];
    alignas(64) std::uint8_t bits_[kMostSpreadWords * kBlocks * kTile];
};

}  // namespace

void gate_two_stage(const std::uint64_t* spread_blocks, const std::uint64_t* blocks,
                    std::size_t count, const IrisScan& spread, const IrisScan& scan,
                    std::uint16_t* hits) noexcept {
    if (spread.code_tiles == nullptr || 2 * scan.words > kMostLaidWords) {
        avx512::iris.gate_spread(spread_blocks, blocks, count, spread, scan, hits);
        return;
    }
    const TileConfig config;
    _tile_loadconfig(&config);
    for (std::size_t k = 0; k < count * scan.probes; ++k) {
        hits[k] = 0;
    }
    Finisher finisher(scan, blocks, hits);
    Spread(spread, spread_blocks, count, finisher).run();
    finisher.finish();
    _tile_release();
}

}  // namespace idmesh::matcher::amx
