#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "face/codes.hpp"
#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/face_column.hpp"
#include "idmesh/matcher/kernels.hpp"

namespace idmesh::matcher {

namespace {

// 16 * 7 + 7: the most that two signed nibbles hold.
constexpr int kMostRowCode = 119;
constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kBounds = 3;  // of a row
// Above it no cosine of unit vectors lies, below its negative all do, with room for rounding.
constexpr double kBeyond = 1.001;

std::size_t checked(std::size_t dimension) {
    if (dimension == 0 || dimension > kMaxFaceDimension) {
        throw MatcherError("DIMENSION_MISMATCH", "dimension", "Faces have 1 to 4096 elements.");
    }
    return dimension;
}

// How far the fp32 cosine may lie from the exact one: an operation rounds by 2^-24 of values that
// are at most 1 in sum, and each element takes part in d / 16 + 17 of them; and how far the floats
// that a kernel computes with may lie from the bound.
double rounding(std::size_t padded) noexcept {
    constexpr double kRounding = 1.0 / (1 << 24);
    constexpr double kOfKernel = 1e-6;
    return kOfKernel + 1.01 * kRounding * (static_cast<double>(padded) / kFaceLanes + 20.0);
}

float reach_of(double least, double error, double codes_per_unit, std::size_t padded) noexcept {
    if (!(least <= kBeyond)) {
        return std::numeric_limits<float>::infinity();  // NaN too: nothing is at least that
    }
    const double within = std::max(least, -kBeyond) - error * (1.0 + 1e-6) - rounding(padded);
    return rounded_down(within * codes_per_unit);
}

std::uint8_t nibbles(int in_high_half, int in_low_half) noexcept {
    return static_cast<std::uint8_t>((in_high_half & 15) << 4 | (in_low_half & 15));
}

}  // namespace

FaceColumn::FaceColumn(std::size_t rows, std::size_t dimension)
    : rows_(rows),
      dimension_(checked(dimension)),
      padded_(padded_face_dimension(dimension)),
      row_bytes_((dimension + kFaceCodesPerLine - 1) / kFaceCodesPerLine * kLineBytes),
      codes_(2 * rows * row_bytes_),
      bounds_(kBounds * rows * sizeof(float)),
      vectors_(rows * padded_ * sizeof(float)) {}

std::uint8_t* FaceColumn::high(std::size_t row) const noexcept {
    return reinterpret_cast<std::uint8_t*>(codes_.data()) + row * row_bytes_;
}

std::uint8_t* FaceColumn::low(std::size_t row) const noexcept {
    return high(rows_) + row * row_bytes_;
}

float* FaceColumn::vector_at(std::size_t row) const noexcept {
    return reinterpret_cast<float*>(vectors_.data()) + row * padded_;
}

std::span<const float> FaceColumn::vector(std::size_t row) const noexcept {
    return {vector_at(row), padded_};
}

void FaceColumn::put(std::size_t row, const FaceTemplate& face) noexcept {
    assert(row < rows_ && face.dimension == dimension_ && face.vector.size() == padded_);
    std::int8_t codes[kMaxFaceDimension] = {};
    const FaceCoding coding =
        code_face(std::span(face.vector).first(dimension_), kMostRowCode, codes);
    for (std::size_t byte = 0; byte < row_bytes_; ++byte) {
        const std::size_t element = byte / kLineBytes * kFaceCodesPerLine + byte % kLineBytes;
        const int one = codes[element];
        const int other = codes[element + kLineBytes];
        high(row)[byte] = nibbles((one + 8) >> 4, (other + 8) >> 4);
        low(row)[byte] = nibbles(one, other);
    }
    std::copy(face.vector.begin(), face.vector.end(), vector_at(row));
    const float fine = rounded_up(coding.error * (1.0 + 1e-9));
    fine_error()[row] = fine;
    // A quarter of a code more covers the rounding of both comparisons, |d| being at least 127.
    // Where there are no low nibbles, both are the same.
    coarse_error()[row] = coding.low_length == 0.0
                              ? fine
                              : rounded_up(static_cast<double>(fine) + coding.low_length + 0.25);
    codes_per_unit()[row] = coding.codes_per_unit;
}

void FaceColumn::gate(std::size_t first, std::size_t last, const FaceProbes& probes,
                      const float* least_cosine, std::uint64_t* hits,
                      InstructionSet set) const noexcept {
    assert(first <= last && last <= rows_ && probes.dimension() == dimension_);
    if (first == last) {
        return;
    }
    float reach[kMaxFaceProbes];
    std::fill(std::begin(reach), std::end(reach), std::numeric_limits<float>::infinity());
    for (std::size_t q = 0; q < probes.size(); ++q) {
        reach[q] = reach_of(static_cast<double>(least_cosine[q]), probes.error_[q],
                            probes.codes_per_unit_[q], padded_);
    }
    const FaceRows rows = {high(first),
                           low(first),
                           codes_per_unit() + first,
                           fine_error() + first,
                           coarse_error() + first,
                           row_bytes_,
                           last - first};
    const FaceQuery query = {probes.codes_[0].codes, probes.tiles_[0].codes,
                             probes.code_sum_,       reach,
                             probes.spread_,         probes.size()};
    face_gate(set)(rows, query, hits);
}

float FaceColumn::cosine(std::size_t row, const FaceProbes& probes,
                         std::size_t probe) const noexcept {
    float found;
    serial::compare_face(&probes.vectors_[probe * padded_], vector_at(row), padded_, 1, &found);
    return found;
}

void FaceColumn::prefetch(std::size_t row) const noexcept {
    const auto* bytes = reinterpret_cast<const std::byte*>(vector_at(row));
    for (std::size_t k = 0; k < padded_ * sizeof(float); k += kLineBytes) {
        __builtin_prefetch(bytes + k);
    }
}

std::vector<PlaneBytes> FaceColumn::planes(std::size_t rows) {
    const auto bytes_of = [](auto* start, std::size_t bytes) {
        return std::span(reinterpret_cast<std::byte*>(start), bytes);
    };
    return {{"face-high", bytes_of(high(0), rows * row_bytes_)},
            {"face-low", bytes_of(low(0), rows * row_bytes_)},
            {"face-codes-per-unit", bytes_of(codes_per_unit(), rows * sizeof(float))},
            {"face-fine-error", bytes_of(fine_error(), rows * sizeof(float))},
            {"face-coarse-error", bytes_of(coarse_error(), rows * sizeof(float))},
            {"face-vectors", bytes_of(vector_at(0), rows * padded_ * sizeof(float))}};
}

bool FaceColumn::settle(std::size_t rows) noexcept {
    if (rows == 0) {
        return true;
    }
    const bool codes = codes_.settle((rows_ + rows) * row_bytes_);
    const bool bounds = bounds_.settle(((kBounds - 1) * rows_ + rows) * sizeof(float));
    return vectors_.settle(rows * padded_ * sizeof(float)) && codes && bounds;
}

std::size_t FaceColumn::bytes(std::size_t rows) const noexcept {
    return rows * (2 * row_bytes_ + (kBounds + padded_) * sizeof(float));
}

}  // namespace idmesh::matcher
