// One fingerprint comparison: seeds, motion, pairs, and what they say.
#include <algorithm>
#include <cmath>

#include "finger_pairing.hpp"
#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/dispatch.hpp"

namespace idmesh::matcher {

namespace {

constexpr int kRefinements = 2;

constexpr float kBias = -4.0F;
constexpr float kWeights[kFingerFeatures] = {0.3F, 4.0F, 0, 0, 0, 0, 0, 0, 0, 0};

}  // namespace

FingerFeatures finger_features(const FingerView& probe, const FingerView& reference) noexcept {
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
    const Overlap overlap = find_overlap(probe, reference, motion);
    float agreed = 0.0F;
    for (std::size_t a = 0; a < chosen_count; ++a) {
        for (std::size_t b = 0; b < a; ++b) {
            agreed += agreement[std::size_t{chosen[a]} * kMaxSeeds + chosen[b]];
        }
    }
    float alike = 0.0F;
    float apart = 0.0F;
    float turned = 0.0F;
    for (std::size_t k = 0; k < found.count; ++k) {
        const Pair& pair = found.pairs[k];
        alike += static_cast<float>(pair.likeness) / 255.0F;
        apart += pair.apart / 100.0F;
        turned += static_cast<float>(pair.turned * pair.turned) / 100.0F;
    }
    const auto count = static_cast<float>(found.count);
    const auto expected = static_cast<float>(
        std::max<std::size_t>(1, std::min(overlap.probe, overlap.reference)));
    const auto all = static_cast<float>(overlap.probe + overlap.reference);
    return {{count, count / expected, alike, apart, turned,
             std::max(0.0F, all - 2.0F * count), std::sqrt(agreed),
             static_cast<float>(chosen_count), std::sqrt(alike), expected}};
}

float finger_similarity(const FingerView& probe, const FingerView& reference) noexcept {
    const FingerFeatures features = finger_features(probe, reference);
    float sum = kBias;
    for (std::size_t k = 0; k < kFingerFeatures; ++k) {
        sum += kWeights[k] * features.values[k];
    }
    return 1.0F / (1.0F + std::exp(-sum));
}

}  // namespace idmesh::matcher
