// One fingerprint comparison: seeds, motion, pairs, and what they say.
#include "finger/score.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "finger/arithmetic.hpp"
#include "finger/evidence.hpp"
#include "finger/pairing.hpp"

namespace idmesh::matcher {

namespace {

constexpr int kRefinements = 2;
constexpr std::size_t kSeeds = 48;
constexpr std::size_t kFewSeeds = 32;

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
bool in_order(const FingerPoints& a, const FingerPoints& b) noexcept {
    if (a.count != b.count) {
        return a.count < b.count;
    }
    for (std::size_t k = 0; k < a.count; ++k) {
        const auto left = std::tuple(a.x[k], a.y[k], a.direction[k]);
        const auto right = std::tuple(b.x[k], b.y[k], b.direction[k]);
        if (left != right) {
            return left < right;
        }
    }
    return true;
}

FingerFeatures features_in_order(const FingerPoints& probe, const FingerPoints& reference,
                                 const FingerKernels& kernels) noexcept {
    using namespace pairing;
    FingerLikeness likeness;
    kernels.find_likeness(probe, reference, likeness);
    FingerSeeds seeds;
    kernels.find_seeds(probe, reference, likeness, kSeeds, seeds);
    if (seeds.count == 0) {
        return {};
    }
    FingerAgreement agreement;
    alignas(64) float support[kMaxSeeds];
    std::uint8_t chosen[kMaxSeeds];
    kernels.find_agreement(seeds, agreement);
    kernels.find_support(seeds, agreement, support);
    const std::size_t chosen_count = choose_seeds(seeds, agreement, support, chosen);
    FingerMotion motion = motion_of_seeds(seeds, chosen, chosen_count);
    FingerNear near;
    Pairing found;
    kernels.find_near(probe, reference, motion, near);
    pair_minutiae(probe, reference, likeness, motion, near, found);
    for (int k = 1; k < kRefinements && found.count > 0; ++k) {
        motion = motion_of_pairs(probe, reference, found);
        kernels.find_near(probe, reference, motion, near);
        pair_minutiae(probe, reference, likeness, motion, near, found);
    }
    if (found.count == 0) {
        return {};
    }
    return features_of(found, find_overlap(probe, reference, motion),
                       agreement_of(agreement, chosen, chosen_count));
}

}  // namespace

void to_points(const FingerView& view, FingerPoints& out) noexcept {
    out.count = std::min(view.count, kMaxMinutiae);
    for (std::size_t k = 0; k < out.count; ++k) {
        out.x[k] = view.minutiae[k].x;
        out.y[k] = view.minutiae[k].y;
        out.direction[k] = view.minutiae[k].direction;
        out.descriptors[k] = view.descriptors[k];
    }
    std::fill(out.x + out.count, out.x + kMaxMinutiae, 0.0F);
    std::fill(out.y + out.count, out.y + kMaxMinutiae, 0.0F);
    std::fill(out.direction + out.count, out.direction + kMaxMinutiae, std::uint8_t{0});
    std::fill(out.descriptors + out.count, out.descriptors + kMaxMinutiae, Descriptor{});
}

FingerFeatures finger_features(const FingerPoints& probe, const FingerPoints& reference,
                               const FingerKernels& kernels) noexcept {
    return in_order(probe, reference) ? features_in_order(probe, reference, kernels)
                                      : features_in_order(reference, probe, kernels);
}

float finger_agreement(const FingerPoints& probe, const FingerPoints& reference,
                       const FingerKernels& kernels) noexcept {
    using namespace pairing;
    FingerLikeness likeness;
    kernels.find_likeness(probe, reference, likeness);
    FingerSeeds seeds;
    kernels.find_seeds(probe, reference, likeness, kFewSeeds, seeds);
    FingerAgreement agreement;
    alignas(64) float support[kMaxSeeds];
    std::uint8_t chosen[kMaxSeeds];
    kernels.find_agreement(seeds, agreement);
    kernels.find_support(seeds, agreement, support);
    return agreement_of(agreement, chosen, choose_seeds(seeds, agreement, support, chosen));
}

FingerFeatures finger_features(const FingerView& probe, const FingerView& reference) noexcept {
    static const FingerKernels& kernels = finger_kernels(instruction_set());
    FingerPoints probe_points;
    FingerPoints reference_points;
    to_points(probe, probe_points);
    to_points(reference, reference_points);
    return finger_features(probe_points, reference_points, kernels);
}

float finger_similarity(const FingerFeatures& features) noexcept {
    const double odds = (evidence(features) - kEvidenceHalf) / kEvidenceUnit;
    return static_cast<float>(1.0 / (1.0 + arithmetic::exponential(-odds)));
}

float finger_similarity(const FingerView& probe, const FingerView& reference) noexcept {
    return finger_similarity(finger_features(probe, reference));
}

}  // namespace idmesh::matcher
