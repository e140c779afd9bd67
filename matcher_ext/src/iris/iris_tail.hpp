// The block of a column that is still written.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "idmesh/matcher/iris_column.hpp"

namespace idmesh::matcher {

// Each row is written once, before it is seen in `present`.
struct IrisView::Tail {
    Tail(std::size_t number, IrisLayout layout);

    // Adds the rows that are present to a block of zeros, and to one of spread bits where the
    // layout has those.
    void write(IrisLayout layout, std::uint64_t* to, std::uint64_t* spread_to) const noexcept;

    const std::size_t block;
    const std::size_t row_words;
    std::vector<std::uint64_t> rows;
    std::atomic<std::uint16_t> present{0};  // bit per row
};

// Adds a template to a block that has zeros there.
void put_in_block(const std::uint64_t* bits, std::size_t words, std::size_t lane,
                  std::uint64_t* block) noexcept;

}  // namespace idmesh::matcher
