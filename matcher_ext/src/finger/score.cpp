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

constexpr int kRefinements = 3;
constexpr int kMotions = 2;  // that are tried: the best supported one, and the best of what is left
// The second is given up if it pairs fewer than that share of what the first one did.
constexpr float kFewerPairs = 0.8F;
constexpr std::size_t kSeeds = 48;
constexpr std::size_t kFewSeeds = 32;
// Of an agreement so small pairs say nothing more; a quarter of all fingers have more by chance.
constexpr float kWorthPairing = 2.0F;
constexpr float kCoverageInPromise = 3.0F;

// Logistic regression on pairs of FVC2002 DB1_B and DB3_B (minutiae of two extractors, whole, cut,
// thinned out and turned) and of generated fingers, mated and non-mated given equal weight, so that
// the sum is evidence.
constexpr float kBias = -5.71F;
constexpr FingerFeatures kWeights{0.088F, 3.03F,  -0.229F, -0.097F, -0.057F,
                                  0.443F, 1.005F, 0.767F,  -0.032F};

float evidence(const FingerFeatures& f) noexcept {
    return kBias + kWeights.pairs * f.pairs + kWeights.coverage * f.coverage +
           kWeights.apart * f.apart + kWeights.turned * f.turned + kWeights.unpaired * f.unpaired +
           kWeights.agreement * f.agreement + kWeights.company * f.company +
           kWeights.clear * f.clear + kWeights.most * f.most;
}

// Of a minutia, by its place among those of the finger: the clearest come first.
float clarity(std::uint8_t number, const FingerPoints& points) noexcept {
    return 1.0F - static_cast<float>(number) / static_cast<float>(points.count);
}

FingerFeatures nothing(const FingerPoints& probe, const FingerPoints& reference) noexcept {
    FingerFeatures features{};
    features.most = static_cast<float>(std::max(probe.count, reference.count));
    return features;
}

float coverage_of(const pairing::Pairing& found, const pairing::Overlap& overlap) noexcept {
    const std::size_t expected = std::min(overlap.probe, overlap.reference);
    return static_cast<float>(found.count) /
           static_cast<float>(std::max<std::size_t>(1, expected));
}

FingerFeatures features_of(const FingerPoints& probe, const FingerPoints& reference,
                           const FingerMotion& motion, const pairing::Pairing& found,
                           const pairing::Overlap& overlap, float agreement) noexcept {
    FingerFeatures features = nothing(probe, reference);
    for (std::size_t k = 0; k < found.count; ++k) {
        const pairing::Pair& pair = found.pairs[k];
        features.apart += pair.apart / 100.0F;
        features.turned += static_cast<float>(pair.turned * pair.turned) / 100.0F;
        features.clear += clarity(pair.probe, probe) * clarity(pair.reference, reference);
    }
    features.pairs = static_cast<float>(found.count);
    features.coverage = coverage_of(found, overlap);
    features.unpaired = std::max(
        0.0F, static_cast<float>(overlap.probe + overlap.reference) - 2.0F * features.pairs);
    features.agreement = std::sqrt(agreement);
    features.company = std::sqrt(pairing::company_of(probe, reference, motion, found));
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

// Seeds, and those of them that agree on one motion.
struct Chosen {
    FingerLikeness likeness;
    FingerSeeds seeds;
    FingerAgreement agreement;
    std::size_t count = 0;
    std::uint8_t of[kMaxSeeds];

    void sow(const FingerPoints& probe, const FingerPoints& reference, const FingerKernels& kernels,
             std::size_t most) noexcept {
        kernels.find_likeness(probe, reference, likeness);
        kernels.find_seeds(probe, reference, likeness, most, seeds);
        kernels.find_agreement(seeds, agreement);
    }
    void choose(const FingerKernels& kernels) noexcept {
        alignas(64) float support[kMaxSeeds];
        kernels.find_support(seeds, agreement, support);
        count = pairing::choose_seeds(seeds, agreement, support, of);
    }
};

// Pairs by the motion, a better motion by the pairs, and so on. False as soon as there are fewer
// than `least`, above 0.
bool pair_and_refine(const FingerPoints& probe, const FingerPoints& reference,
                     const FingerLikeness& likeness, const FingerKernels& kernels, int rounds,
                     std::size_t least, FingerMotion& motion, pairing::Pairing& found) noexcept {
    FingerNear near;
    for (int k = 0; k < rounds; ++k) {
        if (k > 0) {
            motion = pairing::motion_of_pairs(probe, reference, found);
        }
        kernels.find_near(probe, reference, motion, near);
        pairing::pair_minutiae(probe, reference, likeness, motion, near, found);
        if (found.count < least) {
            return false;
        }
    }
    return true;
}

FingerFeatures features_in_order(const FingerPoints& probe, const FingerPoints& reference,
                                 const FingerKernels& kernels) noexcept {
    Chosen chosen;
    chosen.sow(probe, reference, kernels, kSeeds);
    const pairing::Reach probe_reach = pairing::reach_of(probe);
    const pairing::Reach reference_reach = pairing::reach_of(reference);
    FingerFeatures best = nothing(probe, reference);
    std::size_t least = 1;
    for (int k = 0; k < kMotions; ++k) {
        chosen.choose(kernels);
        if (chosen.count == 0) {
            break;
        }
        const float agreed = pairing::agreement_of(chosen.agreement, chosen.of, chosen.count);
        FingerMotion motion = pairing::motion_of_seeds(chosen.seeds, chosen.of, chosen.count);
        pairing::Pairing found;
        if (pair_and_refine(probe, reference, chosen.likeness, kernels, kRefinements, least, motion,
                            found)) {
            const FingerFeatures features = features_of(
                probe, reference, motion, found,
                find_overlap(probe, probe_reach, reference, reference_reach, motion), agreed);
            if (best.pairs == 0.0F || evidence(features) > evidence(best)) {
                best = features;
            }
            least = std::max(least, static_cast<std::size_t>(kFewerPairs * best.pairs));
        }
        pairing::leave_out(chosen.seeds, chosen.agreement, chosen.of, chosen.count);
    }
    return best;
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

float finger_promise(const FingerPoints& probe, const FingerPoints& reference,
                     const FingerKernels& kernels) noexcept {
    Chosen chosen;
    chosen.sow(probe, reference, kernels, kFewSeeds);
    chosen.choose(kernels);
    if (chosen.count == 0) {
        return 0.0F;
    }
    const float clear =
        pairing::clear_agreement_of(probe, chosen.seeds, chosen.agreement, chosen.of, chosen.count);
    if (pairing::agreement_of(chosen.agreement, chosen.of, chosen.count) < kWorthPairing) {
        return std::sqrt(clear);
    }
    FingerMotion motion = pairing::motion_of_seeds(chosen.seeds, chosen.of, chosen.count);
    pairing::Pairing found;
    if (!pair_and_refine(probe, reference, chosen.likeness, kernels, 1, 1, motion, found)) {
        return std::sqrt(clear);
    }
    const pairing::Overlap overlap =
        find_overlap(probe, pairing::reach_of(probe), reference, pairing::reach_of(reference),
                     motion);
    return std::sqrt(clear) + kCoverageInPromise * coverage_of(found, overlap);
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
