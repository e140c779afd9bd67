#include <algorithm>
#include <cstring>

#include "face/codes.hpp"
#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/face_column.hpp"

namespace idmesh::matcher {

namespace {

constexpr int kMostProbeCode = 127;
constexpr std::size_t kTileRows = 16;
constexpr std::size_t kTileBytes = 1024;
constexpr std::size_t kCodesPerTile = 64;
// A unit vector's length in fp32 exceeds 1 by less.
constexpr double kUnit = 1.0 + 1e-6;

}  // namespace

FaceProbes::FaceProbes(std::span<const FaceTemplate* const> probes, std::size_t dimension)
    : count_(probes.size()), dimension_(dimension) {
    if (probes.empty() || probes.size() > kMaxFaceProbes) {
        throw MatcherError("PROBES_OUT_OF_RANGE", "probes", "Give 1 to 64 faces at once.");
    }
    for (const FaceTemplate* face : probes) {
        if (face->dimension != dimension) {
            throw MatcherError("DIMENSION_MISMATCH", "probes",
                               "A probe has another dimension than the faces kept.");
        }
    }
    lines_ = (dimension + kFaceCodesPerLine - 1) / kFaceCodesPerLine * 2;
    vectors_.resize(count_ * padded_face_dimension(dimension));
    codes_.resize(count_ * lines_);
    for (std::size_t probe = 0; probe < count_; ++probe) {
        encode(probe, *probes[probe]);
    }
    pack_tiles();
}

void FaceProbes::encode(std::size_t probe, const FaceTemplate& face) {
    std::copy(face.vector.begin(), face.vector.end(),
              vectors_.begin() + static_cast<std::ptrdiff_t>(probe * face.vector.size()));
    std::int8_t* codes = codes_[probe * lines_].codes;
    const FaceCoding coding =
        code_face(std::span(face.vector).first(dimension_), kMostProbeCode, codes);
    for (std::size_t k = 0; k < dimension_; ++k) {
        code_sum_[probe] += codes[k];
    }
    codes_per_unit_[probe] = static_cast<double>(coding.codes_per_unit);
    error_[probe] = coding.error / codes_per_unit_[probe] * (1.0 + 1e-9);
    spread_[probe] = rounded_up((kUnit + error_[probe]) * codes_per_unit_[probe]);
}

// A tile has the codes of 16 probes: row r of it 4 codes of each, the codes 4 r to 4 r + 3.
void FaceProbes::pack_tiles() {
    const std::size_t groups = (count_ + kTileRows - 1) / kTileRows;
    tiles_.resize(groups * lines_ * kTileBytes / sizeof(Line));
    for (std::size_t probe = 0; probe < count_; ++probe) {
        const std::int8_t* codes = codes_[probe * lines_].codes;
        std::int8_t* group =
            tiles_[0].codes + probe / kTileRows * lines_ * kTileBytes + probe % kTileRows * 4;
        for (std::size_t k = 0; k < lines_ * kCodesPerTile; k += 4) {
            std::memcpy(group + k / kCodesPerTile * kTileBytes + k % kCodesPerTile * 16, codes + k,
                        4);
        }
    }
}

}  // namespace idmesh::matcher
