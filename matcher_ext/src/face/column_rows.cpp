// Rows that come from another column, or from a file.
#include <algorithm>
#include <cassert>
#include <cmath>

#include "idmesh/matcher/face_column.hpp"

namespace idmesh::matcher {

void FaceColumn::copy(std::size_t row, const FaceColumn& from, std::size_t from_row) noexcept {
    assert(row < rows_ && from.dimension_ == dimension_);
    std::copy_n(from.high(from_row), row_bytes_, high(row));
    std::copy_n(from.low(from_row), row_bytes_, low(row));
    std::copy_n(from.vector_at(from_row), padded_, vector_at(row));
    fine_error()[row] = from.fine_error()[from_row];
    coarse_error()[row] = from.coarse_error()[from_row];
    codes_per_unit()[row] = from.codes_per_unit()[from_row];
}

bool FaceColumn::well_formed(std::size_t rows) const noexcept {
    for (std::size_t row = 0; row < rows; ++row) {
        const std::span<const float> elements = vector(row);
        const float bounds[] = {codes_per_unit()[row], fine_error()[row], coarse_error()[row]};
        if (!std::all_of(std::begin(bounds), std::end(bounds),
                         [](float one) { return one >= 0.0F && std::isfinite(one); }) ||
            !std::all_of(elements.begin(), elements.end(),
                         [](float one) { return std::fabs(one) <= 1.001F; })) {
            return false;
        }
    }
    return true;
}

}  // namespace idmesh::matcher
