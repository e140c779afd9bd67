// From the seeds that support each other to those that agree on one motion. The support is the
// leading eigenvector of the agreement (Leordeanu, Hebert, ICCV 2005: spectral correspondence).
#include <algorithm>
#include <bit>

#include "finger/pairing.hpp"

namespace idmesh::matcher::pairing {

namespace {

constexpr float kLeastAgreement = 0.25F;  // with the seeds chosen so far, on average
// A seed with less has next to nobody on its side; most have.
constexpr float kLeastSupport = 0.02F;
constexpr float kLastClarity = 0.3F;  // of the last minutia, relative to the first

// Best supported first, equals in their own order. Returns how many.
std::size_t order_seeds(const float* support, std::size_t count, std::uint8_t* order) noexcept {
    std::uint64_t keys[kMaxSeeds];
    std::size_t kept = 0;
    for (std::size_t k = 0; k < count; ++k) {
        if (support[k] >= kLeastSupport) {
            // Positive floats are in the order of their bits.
            keys[kept++] = std::uint64_t{~std::bit_cast<std::uint32_t>(support[k])} << 32 | k;
        }
    }
    std::sort(keys, keys + kept);
    std::transform(keys, keys + kept, order,
                   [](std::uint64_t key) { return static_cast<std::uint8_t>(key); });
    return kept;
}

}  // namespace

std::size_t choose_seeds(const FingerSeeds& seeds, const FingerAgreement& agreement,
                         const float* support, std::uint8_t* chosen) noexcept {
    std::uint8_t order[kMaxSeeds];
    const std::size_t ordered = order_seeds(support, seeds.count, order);
    std::uint64_t probe_used = 0;
    std::uint64_t reference_used = 0;
    static_assert(kMaxMinutiae <= 64);
    std::size_t count = 0;
    for (std::size_t k = 0; k < ordered; ++k) {
        const std::uint8_t a = order[k];
        const std::uint64_t probe = std::uint64_t{1} << seeds.probe[a];
        const std::uint64_t reference = std::uint64_t{1} << seeds.reference[a];
        if ((probe_used & probe) != 0 || (reference_used & reference) != 0) {
            continue;
        }
        float agreed = 0.0F;
        for (std::size_t c = 0; c < count; ++c) {
            agreed += agreement.of[a][chosen[c]];
        }
        if (agreed < kLeastAgreement * static_cast<float>(count)) {
            continue;
        }
        probe_used |= probe;
        reference_used |= reference;
        chosen[count++] = a;
    }
    return count;
}

float agreement_of(const FingerAgreement& agreement, const std::uint8_t* chosen,
                   std::size_t count) noexcept {
    float sum = 0.0F;
    for (std::size_t a = 0; a < count; ++a) {
        for (std::size_t b = 0; b < a; ++b) {
            sum += agreement.of[chosen[a]][chosen[b]];
        }
    }
    return sum;
}

float clear_agreement_of(const FingerPoints& probe, const FingerSeeds& seeds,
                         const FingerAgreement& agreement, const std::uint8_t* chosen,
                         std::size_t count) noexcept {
    float clarity[kMaxSeeds];
    const float step = (1.0F - kLastClarity) / static_cast<float>(probe.count);
    float sum = 0.0F;
    for (std::size_t a = 0; a < count; ++a) {
        clarity[a] = 1.0F - step * static_cast<float>(seeds.probe[chosen[a]]);
        for (std::size_t b = 0; b < a; ++b) {
            sum += agreement.of[chosen[a]][chosen[b]] * clarity[a] * clarity[b];
        }
    }
    return sum;
}

void leave_out(FingerSeeds& seeds, FingerAgreement& agreement, const std::uint8_t* chosen,
               std::size_t count) noexcept {
    for (std::size_t k = 0; k < count; ++k) {
        const std::uint8_t out = chosen[k];
        seeds.likeness[out] = 0.0F;
        std::fill_n(agreement.of[out], kMaxSeeds, 0.0F);
        for (std::size_t a = 0; a < seeds.count; ++a) {
            agreement.of[a][out] = 0.0F;
        }
    }
}

}  // namespace idmesh::matcher::pairing
