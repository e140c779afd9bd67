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
    take(from.minutiae_, minutiae_, kScanMinutiae * sizeof(std::uint32_t));
    const auto count = std::to_integer<std::size_t>(from.counts_.data()[from_row]);
    begin(row, count);
    std::copy_n(from.others(from_row), count - std::min(count, kScanMinutiae), others(row));
    take(from.counts_, counts_, 1);
}

bool FingerColumn::adopt(std::size_t rows) noexcept {
    used_ = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        const auto count = std::to_integer<std::size_t>(counts_.data()[row]);
        if (count > kMaxMinutiae) {
            return false;
        }
        begin(row, count);
    }
    return true;
}

}  // namespace idmesh::matcher
