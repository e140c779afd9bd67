// Monotone, piecewise linear: evidence at a similarity.
#pragma once

#include <span>

#include "idmesh/matcher/comparison.hpp"

namespace idmesh::matcher {

struct LlrKnot {
    float at;   // similarity; of faces the cosine
    float llr;  // natural logarithm
};

// Rising in both; the ends hold beyond them.
std::span<const LlrKnot> llr_table(Modality modality) noexcept;

// Where non-mated comparisons of one template with one reach a rate.
struct RateKnot {
    double fmr;
    double at;
};

// Falling rates, rising similarities.
std::span<const RateKnot> fmr_table(Modality modality) noexcept;

}  // namespace idmesh::matcher
