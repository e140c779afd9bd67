#include <algorithm>
#include <cassert>

#include "idmesh/matcher/iris_column.hpp"
#include "iris_gate.hpp"
#include "iris_tail.hpp"

namespace idmesh::matcher {

namespace {

// Blocks to one call of a kernel: their hits fit a core's nearest cache.
constexpr std::size_t kBlocksAtOnce = 96;

std::uint64_t probes_that_take_all(const IrisProbes& probes) noexcept {
    std::uint64_t take_all = 0;
    for (std::size_t q = 0; q < probes.count(); ++q) {
        // What compares no bit at all has a similarity of 0.5.
        take_all |= std::uint64_t{probes.least_similarity(q) <= 0.5F} << q;
    }
    return take_all;
}

}  // namespace

void IrisView::gate_blocks(std::size_t first, std::size_t last, const IrisProbes& probes,
                           IrisGate how, std::uint16_t* hits) const noexcept {
    const IrisScan& all = probes.all_bits();
    const IrisScan* spread = how == IrisGate::two_stage ? probes.spread_bits() : nullptr;
    const auto run = [&](const std::uint64_t* few, const std::uint64_t* bits, std::size_t count,
                         std::uint16_t* out) {
        if (spread != nullptr) {
            kernels_->gate_spread(few, bits, count, *spread, all, out);
        } else {
            kernels_->gate(bits, count, all, out);
        }
    };
    const std::size_t complete = std::clamp(complete_, first, last);
    const std::size_t block = 2 * layout_.words() * kIrisLanes;
    const std::size_t spread_block = 2 * kSpreadWords * kIrisLanes;
    if (complete > first) {
        run(spread_blocks_ + (spread != nullptr ? first * spread_block : 0),
            blocks_ + first * block, complete - first, hits);
    }
    std::fill(hits + (complete - first) * all.probes, hits + (last - first) * all.probes,
              std::uint16_t{0});
    if (tail_ && tail_->block >= first && tail_->block < last) {
        alignas(64) std::uint64_t few[2 * kSpreadWords * kIrisLanes] = {};
        alignas(64) std::uint64_t bits[2 * kMaxIrisWords * kIrisLanes];
        std::fill(bits, bits + block, std::uint64_t{0});
        tail_->write(layout_, bits, few);
        run(few, bits, 1, hits + (tail_->block - first) * all.probes);
    }
}

void IrisView::gate(std::size_t first, std::size_t last, const IrisProbes& probes, IrisGate how,
                    std::uint64_t* hits) const noexcept {
    assert(probes.layout() == layout_);
    const std::uint64_t take_all = probes_that_take_all(probes);
    for (std::size_t row = first; row < last; ++row) {
        hits[row - first] = present_[row] != 0 ? take_all : 0;
    }
    std::uint16_t lanes[kBlocksAtOnce * kMaxIrisProbes];
    const std::size_t end = (last + kIrisLanes - 1) / kIrisLanes;
    for (std::size_t block = first / kIrisLanes; block < end; block += kBlocksAtOnce) {
        const std::size_t count = std::min(kBlocksAtOnce, end - block);
        gate_blocks(block, block + count, probes, how, lanes);
        for (std::size_t k = 0; k < count * probes.count(); ++k) {
            for (unsigned left = lanes[k]; left != 0; left &= left - 1) {
                const std::size_t lane = static_cast<std::size_t>(__builtin_ctz(left));
                const std::size_t row = (block + k / probes.count()) * kIrisLanes + lane;
                if (row >= first && row < last) {
                    hits[row - first] |= std::uint64_t{1} << k % probes.count();
                }
            }
        }
    }
}

MaskedHamming IrisView::best_rotation(std::size_t row, const IrisProbes& probes,
                                      std::size_t probe) const noexcept {
    const std::size_t block = row / kIrisLanes;
    const std::size_t lane = row % kIrisLanes;
    if (tail_ && tail_->block == block) {
        return probes.best_rotation(probe, tail_->rows.data() + lane * tail_->row_words);
    }
    std::uint64_t reference[2 * kMaxIrisWords];
    kernels_->extract(blocks_ + block * 2 * layout_.words() * kIrisLanes, lane, layout_.words(),
                      reference);
    return probes.best_rotation(probe, reference);
}

float IrisView::similarity(std::size_t row, const IrisProbes& probes,
                           std::size_t probe) const noexcept {
    return iris_similarity(best_rotation(row, probes, probe), iris_typical_compared(layout_));
}

}  // namespace idmesh::matcher
