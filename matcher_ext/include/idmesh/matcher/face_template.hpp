// Face embedding, kept at unit length.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace idmesh::matcher {

inline constexpr std::size_t kMaxFaceDimension = 4096;
inline constexpr std::size_t kFaceLanes = 16;  // a stored vector is padded with zeros to a multiple

struct FaceTemplate {
    std::vector<float> vector;  // unit length, padded
    std::size_t dimension = 0;  // without the padding
};

constexpr std::size_t padded_face_dimension(std::size_t dimension) noexcept {
    return (dimension + kFaceLanes - 1) / kFaceLanes * kFaceLanes;
}

// Throws MatcherError: TEMPLATE_EMPTY (no element, or length zero), DIMENSION_MISMATCH (more than
// kMaxFaceDimension), VALUE_NOT_FINITE.
FaceTemplate face_from_vector(std::span<const float> vector);

}  // namespace idmesh::matcher
