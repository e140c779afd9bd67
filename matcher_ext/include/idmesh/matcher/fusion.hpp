// Several comparisons of one person with one reference become one similarity.
#pragma once

#include <span>

#include "idmesh/matcher/comparison.hpp"

namespace idmesh::matcher {

// Adds the evidence (logarithm of the likelihood ratio) of comparisons at different positions, each
// bounded below so that one spoilt sample cannot outweigh good ones. One similarity is returned as
// it is; none gives 0. Every value is in [0, 1].
float fuse(Modality modality, std::span<const float> similarities) noexcept;

}  // namespace idmesh::matcher
