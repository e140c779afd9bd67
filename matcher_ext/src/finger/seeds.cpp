// From alike descriptors to the seeds that agree on one motion. The support is the leading
// eigenvector of the agreement (Leordeanu, Hebert, ICCV 2005: spectral correspondence).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "finger/directions.hpp"
#include "finger/pairing.hpp"

namespace idmesh::matcher::pairing {

namespace {

// Samples turned further than this against each other are not compared as one finger: 84 degrees.
constexpr int kMostTurned = 60;

constexpr float kNear = 8.0F;         // pixels that two minutiae may shift against each other
constexpr float kElastic = 0.11F;     // and per pixel between them
constexpr float kTurnCosine = 0.85F;  // of the most that two seeds' turns may differ, 32 degrees
constexpr int kRounds = 4;
// In a small or blurred print the right pairs may not look alike at all; their agreement still
// shows.
constexpr float kUnlike = 0.2F;
constexpr float kSupport = 5.0F;  // by a seed in full agreement, relative to a seed's own
constexpr float kLeastSupport = 1e-6F;
constexpr float kLeastAgreement = 0.25F;  // with the seeds chosen so far, on average

bool may_be_turned(std::uint8_t probe, std::uint8_t reference) noexcept {
    return std::abs(static_cast<int>(static_cast<std::int8_t>(reference - probe))) <= kMostTurned;
}

// The likeness from which on there are at most kMaxSeeds pairs, if there is such.
int seed_floor(const FingerView& probe, const FingerView& reference,
               const std::uint8_t* likeness) noexcept {
    std::uint16_t pairs[256] = {};
    for (std::size_t i = 0; i < probe.count; ++i) {
        for (std::size_t j = 0; j < reference.count; ++j) {
            if (may_be_turned(probe.minutiae[i].direction, reference.minutiae[j].direction)) {
                ++pairs[likeness[i * reference.count + j]];
            }
        }
    }
    std::size_t sum = 0;
    for (int floor = 255; floor >= 0; --floor) {
        sum += pairs[floor];
        if (sum > kMaxSeeds) {
            // A minutia that is given twice makes more than enough pairs that are quite alike: then
            // the first of these are seeds, for without any a finger would be unlike itself.
            return std::min(floor + 1, 255);
        }
    }
    return 0;
}

void add_seed(const FingerView& probe, std::size_t i, const FingerView& reference, std::size_t j,
              std::uint8_t likeness, Seeds& out) noexcept {
    const Minutia& p = probe.minutiae[i];
    const Minutia& r = reference.minutiae[j];
    const Direction turned = direction(static_cast<std::uint8_t>(r.direction - p.direction));
    const std::size_t k = out.count++;
    out.probe[k] = static_cast<std::uint8_t>(i);
    out.reference[k] = static_cast<std::uint8_t>(j);
    out.probe_x[k] = p.x;
    out.probe_y[k] = p.y;
    out.reference_x[k] = r.x;
    out.reference_y[k] = r.y;
    out.cosine[k] = turned.cosine;
    out.sine[k] = turned.sine;
    out.likeness[k] = static_cast<float>(likeness) / 255.0F;
}

}  // namespace

void find_seeds(const FingerView& probe, const FingerView& reference, const std::uint8_t* likeness,
                Seeds& out) noexcept {
    out.count = 0;
    const int floor = seed_floor(probe, reference, likeness);
    for (std::size_t i = 0; i < probe.count; ++i) {
        for (std::size_t j = 0; j < reference.count; ++j) {
            const std::uint8_t alike = likeness[i * reference.count + j];
            if (alike >= floor && out.count < kMaxSeeds &&
                may_be_turned(probe.minutiae[i].direction, reference.minutiae[j].direction)) {
                add_seed(probe, i, reference, j, alike, out);
            }
        }
    }
}

void find_agreement(const Seeds& s, Agreement& out) noexcept {
    for (std::size_t a = 0; a < s.count; ++a) {
        float* row = &out[a * kMaxSeeds];
        for (std::size_t b = 0; b < s.count; ++b) {
            const float turn = s.cosine[a] * s.cosine[b] + s.sine[a] * s.sine[b];
            // Half way between the two seeds' turns.
            const float scale = 1.0F / std::sqrt(std::max(2.0F + 2.0F * turn, 1.0F));
            const float cosine = (s.cosine[a] + s.cosine[b]) * scale;
            const float sine = (s.sine[a] + s.sine[b]) * scale;
            const float x = s.probe_x[b] - s.probe_x[a];
            const float y = s.probe_y[b] - s.probe_y[a];
            const float off_x = s.reference_x[b] - s.reference_x[a] - (cosine * x - sine * y);
            const float off_y = s.reference_y[b] - s.reference_y[a] - (sine * x + cosine * y);
            const float off = off_x * off_x + off_y * off_y;
            const float allowed = kNear + kElastic * std::sqrt(x * x + y * y);
            const float near = std::max(0.0F, 1.0F - off / (allowed * allowed));
            const float turned = std::max(0.0F, (turn - kTurnCosine) / (1.0F - kTurnCosine));
            // A minutia has one partner: seeds that share one do not support each other.
            const bool apart = static_cast<unsigned>(s.probe[a] != s.probe[b]) &
                               static_cast<unsigned>(s.reference[a] != s.reference[b]);
            row[b] = apart ? near * turned : 0.0F;
        }
    }
}

void find_support(const Seeds& seeds, const Agreement& agreement, float* support) noexcept {
    std::copy_n(seeds.likeness.data(), seeds.count, support);
    for (int round = 0; round < kRounds; ++round) {
        float next[kMaxSeeds];
        std::copy_n(support, seeds.count, next);
        // Column by column (the agreement is symmetric), so that the sums keep their order.
        for (std::size_t b = 0; b < seeds.count; ++b) {
            const float* column = &agreement[b * kMaxSeeds];
            for (std::size_t a = 0; a < seeds.count; ++a) {
                next[a] += kSupport * column[a] * support[b];
            }
        }
        float largest = kLeastSupport;
        for (std::size_t a = 0; a < seeds.count; ++a) {
            next[a] *= kUnlike + seeds.likeness[a];
            largest = std::max(largest, next[a]);
        }
        for (std::size_t a = 0; a < seeds.count; ++a) {
            support[a] = next[a] / largest;
        }
    }
}

std::size_t choose_seeds(const Seeds& seeds, const Agreement& agreement, const float* support,
                         std::uint8_t* chosen) noexcept {
    std::array<std::uint8_t, kMaxSeeds> order;
    std::iota(order.begin(), order.begin() + static_cast<long>(seeds.count), std::uint8_t{0});
    std::sort(order.begin(), order.begin() + static_cast<long>(seeds.count),
              [support](std::uint8_t a, std::uint8_t b) {
                  return support[a] != support[b] ? support[a] > support[b] : a < b;
              });
    std::array<bool, kMaxMinutiae> probe_used{};
    std::array<bool, kMaxMinutiae> reference_used{};
    std::size_t count = 0;
    for (std::size_t k = 0; k < seeds.count; ++k) {
        const std::uint8_t a = order[k];
        if (probe_used[seeds.probe[a]] || reference_used[seeds.reference[a]]) {
            continue;
        }
        float agreed = 0.0F;
        for (std::size_t c = 0; c < count; ++c) {
            agreed += agreement[std::size_t{a} * kMaxSeeds + chosen[c]];
        }
        if (agreed < kLeastAgreement * static_cast<float>(count)) {
            continue;
        }
        probe_used[seeds.probe[a]] = true;
        reference_used[seeds.reference[a]] = true;
        chosen[count++] = a;
    }
    return count;
}

float agreement_of(const Agreement& agreement, const std::uint8_t* chosen,
                   std::size_t count) noexcept {
    float sum = 0.0F;
    for (std::size_t a = 0; a < count; ++a) {
        for (std::size_t b = 0; b < a; ++b) {
            sum += agreement[std::size_t{chosen[a]} * kMaxSeeds + chosen[b]];
        }
    }
    return sum;
}

}  // namespace idmesh::matcher::pairing
