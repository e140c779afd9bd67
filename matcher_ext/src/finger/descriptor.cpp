// Local descriptors: which cells around a minutia hold neighbours, and of which direction, in the
// frame of the minutia. After the Minutia Cylinder-Code (Cappelli, Ferrara, Maltoni, IEEE TPAMI
// 32(12), 2010), with cells on rings and one bit to the cell.
#include <array>
#include <cmath>
#include <numbers>

#include "idmesh/matcher/finger_template.hpp"

namespace idmesh::matcher {

namespace {

constexpr double kPi = std::numbers::pi;

struct Ring {
    float radius;  // pixels of 500 dpi
    int cells;
};
constexpr Ring kRings[] = {{20.0F, 6}, {42.0F, 14}, {64.0F, 22}};
constexpr std::size_t kSpots = 42;      // cells on all rings
constexpr std::size_t kDirections = 6;  // of the neighbour, relative to the minutia
static_assert(kSpots * kDirections <= 64 * kDescriptorWords);

constexpr float kSpread = 11.0F;           // pixels: how far a neighbour may have moved
constexpr float kDirectionSpread = 0.75F;  // radians
constexpr float kReach = 84.0F;            // pixels: a neighbour beyond touches no cell
constexpr float kCellSet = 0.42F;          // of what one neighbour in the cell's middle gives

struct Tables {
    std::array<float, kSpots> x, y;
    std::array<std::array<float, kDirections>, 256> direction;  // weight of a relative direction
    std::array<float, 256> cosine, sine;
};

Tables make_tables() {
    Tables t{};
    std::size_t spot = 0;
    for (const Ring& ring : kRings) {
        for (int k = 0; k < ring.cells; ++k, ++spot) {
            const double angle = 2 * kPi * k / ring.cells;
            t.x[spot] = static_cast<float>(ring.radius * std::cos(angle));
            t.y[spot] = static_cast<float>(ring.radius * std::sin(angle));
        }
    }
    for (std::size_t a = 0; a < 256; ++a) {
        const double angle = 2 * kPi * static_cast<double>(a) / 256;
        t.cosine[a] = static_cast<float>(std::cos(angle));
        t.sine[a] = static_cast<float>(std::sin(angle));
        for (std::size_t k = 0; k < kDirections; ++k) {
            const double apart =
                std::remainder(angle - 2 * kPi * static_cast<double>(k) / kDirections, 2 * kPi);
            t.direction[a][k] = static_cast<float>(
                std::exp(-apart * apart / (2 * kDirectionSpread * kDirectionSpread)));
        }
    }
    return t;
}

const Tables& tables() {
    static const Tables once = make_tables();
    return once;
}

void describe_one(std::span<const Minutia> minutiae, std::size_t self, Descriptor& out) noexcept {
    const Tables& t = tables();
    const Minutia& me = minutiae[self];
    const float cosine = t.cosine[me.direction];
    const float sine = t.sine[me.direction];
    float cells[kSpots][kDirections] = {};
    for (std::size_t k = 0; k < minutiae.size(); ++k) {
        const auto dx = static_cast<float>(minutiae[k].x - me.x);
        const auto dy = static_cast<float>(minutiae[k].y - me.y);
        if (k == self || dx * dx + dy * dy > kReach * kReach) {
            continue;
        }
        const float x = cosine * dx + sine * dy;
        const float y = cosine * dy - sine * dx;
        const auto relative = static_cast<std::uint8_t>(minutiae[k].direction - me.direction);
        for (std::size_t s = 0; s < kSpots; ++s) {
            const float apart = (x - t.x[s]) * (x - t.x[s]) + (y - t.y[s]) * (y - t.y[s]);
            if (apart > 9 * kSpread * kSpread) {
                continue;
            }
            const float weight = std::exp(-apart / (2 * kSpread * kSpread));
            for (std::size_t d = 0; d < kDirections; ++d) {
                cells[s][d] += weight * t.direction[relative][d];
            }
        }
    }
    out = {};
    for (std::size_t s = 0; s < kSpots; ++s) {
        for (std::size_t d = 0; d < kDirections; ++d) {
            if (cells[s][d] >= kCellSet) {
                const std::size_t bit = s * kDirections + d;
                out.bits[bit / 64] |= std::uint64_t{1} << bit % 64;
            }
        }
    }
}

}  // namespace

void describe(std::span<const Minutia> minutiae, Descriptor* out) noexcept {
    for (std::size_t k = 0; k < minutiae.size(); ++k) {
        describe_one(minutiae, k, out[k]);
    }
}

}  // namespace idmesh::matcher
