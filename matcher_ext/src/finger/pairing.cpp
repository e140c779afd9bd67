// From a motion to pairs of minutiae, and back to a better motion.
#include "finger/pairing.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "finger/directions.hpp"

namespace idmesh::matcher::pairing {

namespace {

constexpr float kNear = 9.0F;      // pixels that a minutia may be off
constexpr float kElastic = 0.07F;  // and per pixel from the middle of the paired ones
constexpr float kFarthest = 22.0F;
constexpr int kMostTurned = 22;  // 31 degrees
// In the fit of a motion a direction counts like a point this far from the middle (pixels).
constexpr float kDirectionArm = 20.0F;
constexpr std::size_t kMaxChoices = 384;
constexpr float kOverlapMargin = 12.0F;  // pixels
constexpr std::size_t kHullSides = 8;

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

    Motion motion() const noexcept {
        const float px = probe_x / count;
        const float py = probe_y / count;
        const float rx = reference_x / count;
        const float ry = reference_y / count;
        const float arm = kDirectionArm * kDirectionArm;
        const float along = dot - count * (px * rx + py * ry) + arm * cosine;
        const float across = cross - count * (px * ry - py * rx) + arm * sine;
        const float length = std::sqrt(along * along + across * across);
        Motion m{};
        m.cosine = length > 0.0F ? along / length : 1.0F;
        m.sine = length > 0.0F ? across / length : 0.0F;
        m.shift_x = rx - (m.cosine * px - m.sine * py);
        m.shift_y = ry - (m.sine * px + m.cosine * py);
        m.middle_x = rx;
        m.middle_y = ry;
        return m;
    }
};

struct Choice {
    float cost;
    Pair pair;
};

std::size_t find_choices(const FingerView& probe, const FingerView& reference,
                         const std::uint8_t* likeness, const Motion& m, Choice* out) noexcept {
    const float turn = std::atan2(m.sine, m.cosine) * (128.0F / std::numbers::pi_v<float>);
    const int turned_by = static_cast<int>(std::lround(turn));
    std::size_t count = 0;
    for (std::size_t i = 0; i < probe.count; ++i) {
        const Minutia& p = probe.minutiae[i];
        const float x = m.cosine * p.x - m.sine * p.y + m.shift_x;
        const float y = m.sine * p.x + m.cosine * p.y + m.shift_y;
        const float off_middle =
            std::sqrt((x - m.middle_x) * (x - m.middle_x) + (y - m.middle_y) * (y - m.middle_y));
        const float allowed = std::min(kFarthest, kNear + kElastic * off_middle);
        const float allowed_squared = allowed * allowed;
        for (std::size_t j = 0; j < reference.count; ++j) {
            const Minutia& r = reference.minutiae[j];
            const float apart = (r.x - x) * (r.x - x) + (r.y - y) * (r.y - y);
            if (apart > allowed_squared) {
                continue;
            }
            const auto turned = static_cast<std::int8_t>(r.direction - p.direction - turned_by);
            if (std::abs(static_cast<int>(turned)) > kMostTurned || count == kMaxChoices) {
                continue;
            }
            const std::uint8_t alike = likeness[i * reference.count + j];
            const float off_turn = static_cast<float>(turned) / kMostTurned;
            const float cost =
                apart / allowed_squared + off_turn * off_turn - static_cast<float>(alike) / 255.0F;
            out[count++] = {
                cost,
                {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(j), alike, turned, apart}};
        }
    }
    return count;
}

struct Point {
    float x, y;
};

// How far a set of minutiae reaches to each of eight sides.
void find_reach(const Minutia* minutiae, std::size_t count, float* reach) noexcept {
    for (std::size_t side = 0; side < kHullSides; ++side) {
        const Direction d = direction(static_cast<std::uint8_t>(side * 256 / kHullSides));
        float farthest = -1e9F;
        for (std::size_t k = 0; k < count; ++k) {
            farthest = std::max(farthest, d.cosine * minutiae[k].x + d.sine * minutiae[k].y);
        }
        reach[side] = farthest + kOverlapMargin;
    }
}

bool inside(const float* reach, Point at) noexcept {
    for (std::size_t side = 0; side < kHullSides; ++side) {
        const Direction d = direction(static_cast<std::uint8_t>(side * 256 / kHullSides));
        if (d.cosine * at.x + d.sine * at.y > reach[side]) {
            return false;
        }
    }
    return true;
}

}  // namespace

Motion motion_of_seeds(const Seeds& s, const std::uint8_t* chosen, std::size_t count) noexcept {
    Fit fit;
    for (std::size_t k = 0; k < count; ++k) {
        const std::uint8_t a = chosen[k];
        fit.add(s.probe_x[a], s.probe_y[a], s.reference_x[a], s.reference_y[a], s.cosine[a],
                s.sine[a]);
    }
    return fit.motion();
}

Motion motion_of_pairs(const FingerView& probe, const FingerView& reference,
                       const Pairing& pairing) noexcept {
    Fit fit;
    for (std::size_t k = 0; k < pairing.count; ++k) {
        const Minutia& p = probe.minutiae[pairing.pairs[k].probe];
        const Minutia& r = reference.minutiae[pairing.pairs[k].reference];
        const Direction turned = direction(static_cast<std::uint8_t>(r.direction - p.direction));
        fit.add(p.x, p.y, r.x, r.y, turned.cosine, turned.sine);
    }
    return fit.motion();
}

void pair_minutiae(const FingerView& probe, const FingerView& reference,
                   const std::uint8_t* likeness, const Motion& motion, Pairing& out) noexcept {
    Choice choices[kMaxChoices];
    const std::size_t count = find_choices(probe, reference, likeness, motion, choices);
    std::sort(choices, choices + count, [](const Choice& a, const Choice& b) {
        if (a.cost != b.cost) {
            return a.cost < b.cost;
        }
        return a.pair.probe != b.pair.probe ? a.pair.probe < b.pair.probe
                                            : a.pair.reference < b.pair.reference;
    });
    std::array<bool, kMaxMinutiae> probe_used{};
    std::array<bool, kMaxMinutiae> reference_used{};
    out.count = 0;
    for (std::size_t k = 0; k < count; ++k) {
        const Pair& pair = choices[k].pair;
        if (!probe_used[pair.probe] && !reference_used[pair.reference]) {
            probe_used[pair.probe] = true;
            reference_used[pair.reference] = true;
            out.pairs[out.count++] = pair;
        }
    }
}

Overlap find_overlap(const FingerView& probe, const FingerView& reference,
                     const Motion& m) noexcept {
    float probe_reach[kHullSides];
    float reference_reach[kHullSides];
    find_reach(probe.minutiae, probe.count, probe_reach);
    find_reach(reference.minutiae, reference.count, reference_reach);
    Overlap overlap{};
    for (std::size_t i = 0; i < probe.count; ++i) {
        const Minutia& p = probe.minutiae[i];
        overlap.probe += inside(reference_reach, {m.cosine * p.x - m.sine * p.y + m.shift_x,
                                                  m.sine * p.x + m.cosine * p.y + m.shift_y});
    }
    for (std::size_t j = 0; j < reference.count; ++j) {
        const float x = reference.minutiae[j].x - m.shift_x;
        const float y = reference.minutiae[j].y - m.shift_y;
        overlap.reference +=
            inside(probe_reach, {m.cosine * x + m.sine * y, m.cosine * y - m.sine * x});
    }
    return overlap;
}

}  // namespace idmesh::matcher::pairing
