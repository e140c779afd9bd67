// The scale of finger similarities: logistic in the evidence, which is the logarithm of how much
// likelier a pairing is of one finger than of two.
#pragma once

namespace idmesh::matcher {

inline constexpr double kEvidenceUnit = 2.0;  // evidence to one unit of the logistic
// Evidence of similarity 0.5; about one non-mated comparison in ten thousand has as much.
inline constexpr double kEvidenceHalf = 2.5;

}  // namespace idmesh::matcher
