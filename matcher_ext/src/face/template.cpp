#include <algorithm>
#include <cmath>

#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

FaceTemplate face_from_vector(std::span<const float> vector) {
    if (vector.empty()) {
        throw MatcherError("TEMPLATE_EMPTY", "vector", "The embedding has no element.");
    }
    if (vector.size() > kMaxFaceDimension) {
        throw MatcherError("DIMENSION_MISMATCH", "vector", "The embedding has over 4096 elements.");
    }
    double squares = 0.0;
    for (const float value : vector) {
        if (!std::isfinite(value)) {
            throw MatcherError("VALUE_NOT_FINITE", "vector",
                               "The embedding has a NaN or infinity.");
        }
        squares += static_cast<double>(value) * static_cast<double>(value);
    }
    if (squares == 0.0) {
        throw MatcherError("TEMPLATE_EMPTY", "vector", "The embedding has length zero.");
    }
    FaceTemplate made;
    made.dimension = vector.size();
    made.vector.assign(padded_face_dimension(vector.size()), 0.0F);
    const double scale = 1.0 / std::sqrt(squares);
    std::transform(vector.begin(), vector.end(), made.vector.begin(),
                   [scale](float value) { return static_cast<float>(value * scale); });
    return made;
}

float face_similarity(float cosine) noexcept {
    return std::clamp((1.0F + cosine) / 2.0F, 0.0F, 1.0F);
}

}  // namespace idmesh::matcher
