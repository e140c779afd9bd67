#include "idmesh/matcher/fusion.hpp"

#include <algorithm>
#include <cmath>

#include "finger/evidence.hpp"

namespace idmesh::matcher {

namespace {

// One spoilt or swapped finger takes away no more than this.
constexpr double kFingerLeast = -2.0;
constexpr double kFingerMost = 30.0;

// Iris and face: the similarity at which a comparison says nothing either way; evidence is taken
// as proportional to the distance from it.
constexpr double kIrisNeutral = 0.62;
constexpr double kFaceNeutral = 0.75;

double finger_evidence(double similarity) noexcept {
    const double odds = std::log(similarity) - std::log1p(-similarity);  // may be infinite
    return std::clamp(kEvidenceHalf + kEvidenceUnit * odds, kFingerLeast, kFingerMost);
}

double finger_from_evidence(double evidence) noexcept {
    return 1.0 / (1.0 + std::exp(-(evidence - kEvidenceHalf) / kEvidenceUnit));
}

double fuse_linear(std::span<const float> similarities, double neutral) noexcept {
    double sum = neutral;
    for (const float similarity : similarities) {
        sum += similarity - neutral;
    }
    return std::clamp(sum, 0.0, 1.0);
}

double fuse_fingers(std::span<const float> similarities) noexcept {
    double sum = 0.0;
    for (const float similarity : similarities) {
        sum += finger_evidence(similarity);
    }
    return finger_from_evidence(sum);
}

}  // namespace

float fuse(Modality modality, std::span<const float> similarities) noexcept {
    if (similarities.empty()) {
        return 0.0F;
    }
    if (similarities.size() == 1) {
        return similarities[0];
    }
    switch (modality) {
        case Modality::finger:
            return static_cast<float>(fuse_fingers(similarities));
        case Modality::iris:
            return static_cast<float>(fuse_linear(similarities, kIrisNeutral));
        case Modality::face:
            return static_cast<float>(fuse_linear(similarities, kFaceNeutral));
    }
    return 0.0F;
}

}  // namespace idmesh::matcher
