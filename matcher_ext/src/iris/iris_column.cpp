// Columns are written row by row and searched block by block. The words of a block hold bits of all
// its templates, so a block that is not complete is kept template by template, in a tail that no
// reader of a complete block sees.
#include "idmesh/matcher/iris_column.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

#include "idmesh/matcher/error.hpp"
#include "iris_gate.hpp"
#include "iris_tail.hpp"

namespace idmesh::matcher {

namespace {

constexpr std::size_t blocks_for(std::size_t rows) noexcept {
    return (rows + kIrisLanes - 1) / kIrisLanes;
}

constexpr std::size_t block_bytes(std::size_t words) noexcept {
    return 2 * words * kIrisLanes * sizeof(std::uint64_t);
}

std::size_t spread_block_bytes(IrisLayout layout) noexcept {
    return has_spread(layout) ? block_bytes(kSpreadWords) : 0;
}

IrisLayout checked(IrisLayout layout) {
    check_iris_layout(layout);
    return layout;
}

std::uint64_t* words_of(const Plane& plane) noexcept {
    return reinterpret_cast<std::uint64_t*>(plane.data());
}

}  // namespace

IrisView::Tail::Tail(std::size_t number, IrisLayout layout)
    : block(number), row_words(2 * layout.words()), rows(kIrisLanes * row_words) {}

void IrisView::Tail::write(IrisLayout layout, std::uint64_t* to,
                           std::uint64_t* spread_to) const noexcept {
    for (std::size_t lane = 0; lane < kIrisLanes; ++lane) {
        if ((present.load(std::memory_order_acquire) >> lane & 1U) == 0) {
            continue;
        }
        const std::uint64_t* bits = rows.data() + lane * row_words;
        put_in_block(bits, row_words, lane, to);
        if (has_spread(layout)) {
            std::uint64_t few[2 * kSpreadWords];
            take_spread(bits, few);
            put_in_block(few, 2 * kSpreadWords, lane, spread_to);
        }
    }
}

void put_in_block(const std::uint64_t* bits, std::size_t words, std::size_t lane,
                  std::uint64_t* block) noexcept {
    for (std::size_t w = 0; w < words; ++w) {
        for (std::size_t k = 0; k < kIrisLanes; ++k) {
            block[w * kIrisLanes + k] |= (bits[w] >> 4 * k & 15U) << 4 * lane;
        }
    }
}

IrisColumn::IrisColumn(std::size_t rows, IrisLayout layout)
    : layout_(checked(layout)),
      blocks_(blocks_for(rows) * block_bytes(layout.words())),
      spread_blocks_(blocks_for(rows) * spread_block_bytes(layout)),
      present_(rows) {}

IrisColumn::~IrisColumn() = default;
IrisColumn::IrisColumn(IrisColumn&&) noexcept = default;
IrisColumn& IrisColumn::operator=(IrisColumn&&) noexcept = default;

void IrisColumn::put(std::size_t row, const IrisTemplate& iris) {
    assert(row < present_.bytes() && iris.layout == layout_);
    const std::size_t block = row / kIrisLanes;
    if (!tail_ || tail_->block != block) {
        std::shared_ptr<IrisView::Tail> fresh;
        try {
            fresh = std::make_shared<IrisView::Tail>(block, layout_);
        } catch (const std::bad_alloc&) {
            throw MatcherError("OUT_OF_MEMORY", "gallery", "No memory is left for the gallery.");
        }
        write_tail();
        tail_ = std::move(fresh);
    }
    const std::size_t lane = row % kIrisLanes;
    std::copy(iris.bits.begin(), iris.bits.end(),
              tail_->rows.begin() + static_cast<std::ptrdiff_t>(lane * tail_->row_words));
    const auto others = tail_->present.load(std::memory_order_relaxed);
    tail_->present.store(static_cast<std::uint16_t>(others | 1U << lane),
                         std::memory_order_release);
    reinterpret_cast<std::uint8_t*>(present_.data())[row] = 1;
}

void IrisColumn::write_tail() noexcept {
    if (tail_) {
        tail_->write(layout_, words_of(blocks_) + tail_->block * 2 * layout_.words() * kIrisLanes,
                     words_of(spread_blocks_) + tail_->block * 2 * kSpreadWords * kIrisLanes);
        complete_ = tail_->block + 1;
        tail_.reset();
    }
}

IrisView IrisColumn::view() const noexcept {
    IrisView view;
    view.layout_ = layout_;
    view.blocks_ = words_of(blocks_);
    view.spread_blocks_ = words_of(spread_blocks_);
    view.present_ = reinterpret_cast<const std::uint8_t*>(present_.data());
    view.complete_ = tail_ ? tail_->block : complete_;
    view.tail_ = tail_;
    view.kernels_ = &iris_kernels();
    return view;
}

std::vector<PlaneBytes> IrisColumn::planes(std::size_t rows) {
    assert(!tail_);
    const std::size_t blocks = blocks_for(rows);
    std::vector<PlaneBytes> planes = {
        {"iris", {blocks_.data(), blocks * block_bytes(layout_.words())}},
        {"iris_present", {present_.data(), rows}}};
    if (has_spread(layout_)) {
        planes.push_back(
            {"iris_spread", {spread_blocks_.data(), blocks * spread_block_bytes(layout_)}});
    }
    return planes;
}

bool IrisColumn::settle(std::size_t rows) noexcept {
    write_tail();
    const std::size_t blocks = blocks_for(rows);
    complete_ = blocks;
    const bool all = blocks_.settle(blocks * block_bytes(layout_.words()));
    const bool spread = spread_blocks_.settle(blocks * spread_block_bytes(layout_));
    return present_.settle(rows) && all && spread;
}

std::size_t IrisColumn::bytes(std::size_t rows) const noexcept {
    return blocks_for(rows) * (block_bytes(layout_.words()) + spread_block_bytes(layout_)) + rows;
}

}  // namespace idmesh::matcher
