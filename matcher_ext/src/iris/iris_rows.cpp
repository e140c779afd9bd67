// Rows that go to another column, or come from a file.
#include <algorithm>

#include "idmesh/matcher/iris_column.hpp"
#include "iris_tail.hpp"

namespace idmesh::matcher {

IrisTemplate IrisView::iris(std::size_t row) const {
    const std::size_t words = 2 * layout_.words();
    const std::size_t block = row / kIrisLanes;
    const std::size_t lane = row % kIrisLanes;
    IrisTemplate made{layout_, std::vector<std::uint64_t>(words)};
    if (tail_ && tail_->block == block) {
        std::copy_n(tail_->rows.data() + lane * tail_->row_words, words, made.bits.data());
    } else {
        kernels_->extract(blocks_ + block * words * kIrisLanes, lane, layout_.words(),
                          made.bits.data());
    }
    return made;
}

bool IrisColumn::well_formed(std::size_t rows) const noexcept {
    return std::all_of(present_.data(), present_.data() + rows,
                       [](std::byte one) { return one <= std::byte{1}; });
}

}  // namespace idmesh::matcher
