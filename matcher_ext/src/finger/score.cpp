// One fingerprint comparison: seeds, motion, pairs, and what they say.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "finger/evidence.hpp"
#include "finger/pairing.hpp"
#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/dispatch.hpp"

namespace idmesh::matcher {

namespace {

constexpr int kRefinements = 2;

// Logistic regression on pairs of FVC2002 DB1_B and DB3_B (minutiae of two extractors) and of
// generated fingers, mated and non-mated given equal weight, so that the sum is evidence.
constexpr float kBias = -8.7F;
constexpr FingerFeatures kWeights{0.59F, 5.5F, -0.36F, -0.15F, -0.05F, 1.2F};

float evidence(const FingerFeatures& f) noexcept {
    return kBias + kWeights.pairs * f.pairs + kWeights.coverage * f.coverage +
           kWeights.apart * f.apart + kWeights.turned * f.turned + kWeights.unpaired * f.unpaired +
           kWeights.agreement * f.agreement;
}

FingerFeatures features_of(const pairing::Pairing& found, const pairing::Overlap& overlap,
                           float agreement) noexcept {
    FingerFeatures features{};
    for (std::size_t k = 0; k < found.count; ++k) {
        const pairing::Pair& pair = found.pairs[k];
        features.apart += pair.apart / 100.0F;
        features.turned += static_cast<float>(pair.turned * pair.turned) / 100.0F;
    }
    const std::size_t expected = std::min(overlap.probe, overlap.reference);
    features.pairs = static_cast<float>(found.count);
    features.coverage = features.pairs / static_cast<float>(std::max<std::size_t>(1, expected));
    features.unpaired = std::max(
        0.0F, static_cast<float>(overlap.probe + overlap.reference) - 2.0F * features.pairs);
    features.agreement = std::sqrt(agreement);
    return features;
}

// Ties in the pairing go by number, so one order of the two gives one answer for both.
bool in_order(const FingerView& a, const FingerView& b) noexcept {
    if (a.count != b.count) {
        return a.count < b.count;
    }
    for (std::size_t k = 0; k < a.count; ++k) {
        const Minutia& p = a.minutiae[k];
        const Minutia& r = b.minutiae[k];
        const auto left = std::tuple(p.x, p.y, p.direction);
        const auto right = std::tuple(r.x, r.y, r.direction);
        if (left != right) {
            return left < right;
        }
    }
    return true;
}

FingerFeatures features_in_order(const FingerView& probe, const FingerView& reference) noexcept {
    using namespace pairing;
    FingerFeatures none{};
    std::uint8_t likeness[kMaxMinutiae * kMaxMinutiae];
    kernels().compare_descriptors(probe.descriptors, probe.count, reference.descriptors,
                                  reference.count, likeness);
    Seeds seeds;
    find_seeds(probe, reference, likeness, seeds);
    if (seeds.count == 0) {
        return none;
    }
    Agreement agreement;
    float support[kMaxSeeds];
    std::uint8_t chosen[kMaxSeeds];
    find_agreement(seeds, agreement);
    find_support(seeds, agreement, support);
    const std::size_t chosen_count = choose_seeds(seeds, agreement, support, chosen);
    Motion motion = motion_of_seeds(seeds, chosen, chosen_count);
    Pairing found;
    pair_minutiae(probe, reference, likeness, motion, found);
    for (int k = 1; k < kRefinements && found.count > 0; ++k) {
        motion = motion_of_pairs(probe, reference, found);
        pair_minutiae(probe, reference, likeness, motion, found);
    }
    if (found.count == 0) {
        return none;
    }
    return features_of(found, find_overlap(probe, reference, motion),
                       agreement_of(agreement, chosen, chosen_count));
}

}  // namespace

FingerFeatures finger_features(const FingerView& probe, const FingerView& reference) noexcept {
    return in_order(probe, reference) ? features_in_order(probe, reference)
                                      : features_in_order(reference, probe);
}

float finger_similarity(const FingerView& probe, const FingerView& reference) noexcept {
    const double odds =
        (evidence(finger_features(probe, reference)) - kEvidenceHalf) / kEvidenceUnit;
    return static_cast<float>(1.0 / (1.0 + std::exp(-odds)));
}

}  // namespace idmesh::matcher
