// Stage 2 with kernels of one's choice.
#pragma once

#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/finger_kernels.hpp"

namespace idmesh::matcher {

void to_points(const FingerView& view, FingerPoints& out) noexcept;

FingerFeatures finger_features(const FingerPoints& probe, const FingerPoints& reference,
                               const FingerKernels& kernels) noexcept;

// How promising a full comparison is, higher is more: the agreement of fewer seeds, and where that
// says something, the share of the overlap that pairs. A fifth of the time.
float finger_promise(const FingerPoints& probe, const FingerPoints& reference,
                     const FingerKernels& kernels) noexcept;

float finger_similarity(const FingerFeatures& features) noexcept;

}  // namespace idmesh::matcher
