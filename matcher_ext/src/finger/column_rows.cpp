// Rows that come from another column, or from a file.
#include <algorithm>

#include "idmesh/matcher/finger_column.hpp"

namespace idmesh::matcher {

void FingerColumn::copy(std::size_t row, const FingerColumn& from, std::size_t from_row) noexcept {
    const auto take = [&](const Plane& source, Plane& target, std::size_t row_bytes) {
        std::copy_n(source.data() + from_row * row_bytes, row_bytes,
                    target.data() + row * row_bytes);
    };
    take(from.bits_, bits_, kScanMinutiae);
    take(from.words_, words_, kScanWords * sizeof(std::uint64_t));
    take(from.minutiae_, minutiae_, kMaxMinutiae * sizeof(std::uint32_t));
    take(from.counts_, counts_, 1);
}

bool FingerColumn::well_formed(std::size_t rows) const noexcept {
    return std::all_of(counts_.data(), counts_.data() + rows, [](std::byte count) {
        return std::to_integer<std::size_t>(count) <= kMaxMinutiae;
    });
}

}  // namespace idmesh::matcher
