// From a motion to pairs of minutiae, and back to a better motion.
#include "finger/pairing.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "finger/arithmetic.hpp"
#include "finger/tables.hpp"

namespace idmesh::matcher::pairing {

namespace {

constexpr int kMostTurned = 22;  // 31 degrees
// In the fit of a motion a direction counts like a point this far from the middle (pixels).
constexpr float kDirectionArm = 20.0F;
constexpr float kOverlapMargin = 12.0F;  // pixels
// Pixels that two pairs may differ by, and per pixel between them; 256ths of the turn.
constexpr float kCompanyNear = 4.0F;
constexpr float kCompanyElastic = 0.07F;
constexpr int kCompanyTurned = 14;
constexpr std::size_t kCompanions = 3;

// Sums for the least squares fit of a rotation and a shift.
struct Fit {
    float count = 0.0F;
    float probe_x = 0.0F, probe_y = 0.0F, reference_x = 0.0F, reference_y = 0.0F;
    float dot = 0.0F, cross = 0.0F;    // of points
    float cosine = 0.0F, sine = 0.0F;  // of turned directions

    void add(float px, float py, float rx, float ry, float turned_cosine,
             float turned_sine) noexcept {
        count += 1.0F;
        probe_x += px;
        probe_y += py;
        reference_x += rx;
        reference_y += ry;
        dot += px * rx + py * ry;
        cross += px * ry - py * rx;
        cosine += turned_cosine;
        sine += turned_sine;
    }

    FingerMotion motion() const noexcept {
        const float px = probe_x / count;
        const float py = probe_y / count;
        const float rx = reference_x / count;
        const float ry = reference_y / count;
        const float arm = kDirectionArm * kDirectionArm;
        const float along = dot - count * (px * rx + py * ry) + arm * cosine;
        const float across = cross - count * (px * ry - py * rx) + arm * sine;
        const float length = std::sqrt(along * along + across * across);
        FingerMotion m{};
        m.cosine = length > 0.0F ? along / length : 1.0F;
        m.sine = length > 0.0F ? across / length : 0.0F;
        m.shift_x = rx - (m.cosine * px - m.sine * py);
        m.shift_y = ry - (m.sine * px + m.cosine * py);
        m.middle_x = rx;
        m.middle_y = ry;
        return m;
    }
};

int turned(const FingerPoints& probe, std::uint8_t i, const FingerPoints& reference, std::uint8_t j,
           int by) noexcept {
    return static_cast<std::int8_t>(reference.direction[j] - probe.direction[i] - by);
}

// What the cheapest pairs come first by; those turned too far are left out. Returns how many.
std::size_t order_pairs(const FingerPoints& probe, const FingerPoints& reference,
                        const FingerLikeness& likeness, int by, const FingerNear& near,
                        std::uint64_t* keys) noexcept {
    std::size_t kept = 0;
    for (std::size_t k = 0; k < near.count; ++k) {
        const std::uint8_t i = near.probe[k];
        const std::uint8_t j = near.reference[k];
        const int left = turned(probe, i, reference, j, by);
        if (std::abs(left) > kMostTurned) {
            continue;
        }
        const float off_turn = static_cast<float>(left) * (1.0F / kMostTurned);
        const float alike = static_cast<float>(likeness.of[i][j]) * (1.0F / 255.0F);
        // Above zero, so that it is in the order of its bits.
        const float cost = 1.0F + near.apart[k] / near.allowed[k] + off_turn * off_turn - alike;
        keys[kept++] = std::uint64_t{std::bit_cast<std::uint32_t>(std::max(cost, 0.0F))} << 32 | k;
    }
    std::sort(keys, keys + kept);
    return kept;
}

// How well two pairs keep their distance and direction, 0 to 1.
float company(const FingerPoints& probe, const FingerPoints& reference, const FingerMotion& m,
              const Pair& a, const Pair& b) noexcept {
    const int turned_apart = std::abs(a.turned - b.turned);
    if (turned_apart >= kCompanyTurned) {
        return 0.0F;
    }
    const float x = probe.x[b.probe] - probe.x[a.probe];
    const float y = probe.y[b.probe] - probe.y[a.probe];
    const float off_x =
        reference.x[b.reference] - reference.x[a.reference] - (m.cosine * x - m.sine * y);
    const float off_y =
        reference.y[b.reference] - reference.y[a.reference] - (m.sine * x + m.cosine * y);
    const float allowed = kCompanyNear + kCompanyElastic * std::sqrt(x * x + y * y);
    const float near = 1.0F - (off_x * off_x + off_y * off_y) / (allowed * allowed);
    const float turn = 1.0F - static_cast<float>(turned_apart) * (1.0F / kCompanyTurned);
    return near > 0.0F ? near * turn : 0.0F;
}

// Keeps the largest, in falling order.
void keep_best(float* best, float value) noexcept {
    for (std::size_t k = 0; k < kCompanions; ++k) {
        if (value > best[k]) {
            std::swap(value, best[k]);
        }
    }
}

struct Sides {
    float cosine[kSides], sine[kSides];

    Sides() noexcept {
        const FingerTables& t = finger_tables();
        for (std::size_t side = 0; side < kSides; ++side) {
            cosine[side] = t.cosine[side * 256 / kSides];
            sine[side] = t.sine[side * 256 / kSides];
        }
    }
};

// All sides at once: vector code without a branch.
bool inside(const Sides& sides, const Reach& reach, float x, float y) noexcept {
    int beyond = 0;
    for (std::size_t side = 0; side < kSides; ++side) {
        beyond += sides.cosine[side] * x + sides.sine[side] * y > reach.to[side];
    }
    return beyond == 0;
}

}  // namespace

FingerMotion motion_of_seeds(const FingerSeeds& s, const std::uint8_t* chosen,
                             std::size_t count) noexcept {
    Fit fit;
    for (std::size_t k = 0; k < count; ++k) {
        const std::uint8_t a = chosen[k];
        fit.add(s.probe_x[a], s.probe_y[a], s.reference_x[a], s.reference_y[a], s.cosine[a],
                s.sine[a]);
    }
    return fit.motion();
}

FingerMotion motion_of_pairs(const FingerPoints& probe, const FingerPoints& reference,
                             const Pairing& pairing) noexcept {
    const FingerTables& t = finger_tables();
    Fit fit;
    for (std::size_t k = 0; k < pairing.count; ++k) {
        const std::uint8_t i = pairing.pairs[k].probe;
        const std::uint8_t j = pairing.pairs[k].reference;
        const auto by = static_cast<std::uint8_t>(reference.direction[j] - probe.direction[i]);
        fit.add(probe.x[i], probe.y[i], reference.x[j], reference.y[j], t.cosine[by], t.sine[by]);
    }
    return fit.motion();
}

void pair_minutiae(const FingerPoints& probe, const FingerPoints& reference,
                   const FingerLikeness& likeness, const FingerMotion& motion,
                   const FingerNear& near, Pairing& out) noexcept {
    const int by = arithmetic::direction_of(motion.cosine, motion.sine);
    std::uint64_t keys[kMaxNear];
    const std::size_t count = order_pairs(probe, reference, likeness, by, near, keys);
    std::uint64_t probe_used = 0;
    std::uint64_t reference_used = 0;
    out.count = 0;
    for (std::size_t n = 0; n < count; ++n) {
        const auto k = static_cast<std::uint32_t>(keys[n]);
        const std::uint8_t i = near.probe[k];
        const std::uint8_t j = near.reference[k];
        if ((probe_used >> i & 1) == 0 && (reference_used >> j & 1) == 0) {
            probe_used |= std::uint64_t{1} << i;
            reference_used |= std::uint64_t{1} << j;
            out.pairs[out.count++] = {
                i, j, static_cast<std::int8_t>(turned(probe, i, reference, j, by)), near.apart[k]};
        }
    }
}

float company_of(const FingerPoints& probe, const FingerPoints& reference, const FingerMotion& m,
                 const Pairing& pairing) noexcept {
    float best[kMaxMinutiae][kCompanions] = {};
    for (std::size_t a = 0; a < pairing.count; ++a) {
        for (std::size_t b = 0; b < a; ++b) {
            const float agreed =
                company(probe, reference, m, pairing.pairs[a], pairing.pairs[b]);
            if (agreed > 0.0F) {
                keep_best(best[a], agreed);
                keep_best(best[b], agreed);
            }
        }
    }
    float sum = 0.0F;
    for (std::size_t a = 0; a < pairing.count; ++a) {
        sum += best[a][0] + best[a][1] + best[a][2];
    }
    return sum;
}

Reach reach_of(const FingerPoints& points) noexcept {
    const Sides sides;
    Reach reach;
    std::fill_n(reach.to, kSides, -1e9F);
    for (std::size_t k = 0; k < points.count; ++k) {
        for (std::size_t side = 0; side < kSides; ++side) {
            const float far = sides.cosine[side] * points.x[k] + sides.sine[side] * points.y[k] +
                              kOverlapMargin;
            reach.to[side] = reach.to[side] < far ? far : reach.to[side];
        }
    }
    return reach;
}

Overlap find_overlap(const FingerPoints& probe, const Reach& probe_reach,
                     const FingerPoints& reference, const Reach& reference_reach,
                     const FingerMotion& m) noexcept {
    const Sides sides;
    Overlap overlap{};
    for (std::size_t i = 0; i < probe.count; ++i) {
        overlap.probe += inside(sides, reference_reach,
                                m.cosine * probe.x[i] - m.sine * probe.y[i] + m.shift_x,
                                m.sine * probe.x[i] + m.cosine * probe.y[i] + m.shift_y);
    }
    for (std::size_t j = 0; j < reference.count; ++j) {
        const float x = reference.x[j] - m.shift_x;
        const float y = reference.y[j] - m.shift_y;
        overlap.reference += inside(sides, probe_reach, m.cosine * x + m.sine * y,
                                    m.cosine * y - m.sine * x);
    }
    return overlap;
}

}  // namespace idmesh::matcher::pairing
