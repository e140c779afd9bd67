// Local descriptors: which spots around a minutia have neighbours near, and of which direction, in
// the frame of the minutia. After the Minutia Cylinder-Code (Cappelli, Ferrara, Maltoni, IEEE TPAMI
// 32(12), 2010), with spots on rings and one bit to the cell. Bit d * kSpots + s: spot s, direction
// d of kSpotDirections.
#include "finger/tables.hpp"

#include <cmath>
#include <memory>
#include <numbers>

#include "finger/arithmetic.hpp"

namespace idmesh::matcher {

namespace {

constexpr double kTurn = 2 * std::numbers::pi;

struct Ring {
    double radius;  // pixels of 500 dpi
    int spots;
};
constexpr Ring kRings[] = {{18.0, 6}, {38.0, 10}, {58.0, 16}};
constexpr double kSpread = 11.0;           // pixels: how far a neighbour may have moved
constexpr double kDirectionSpread = 0.75;  // radians
constexpr double kFarthest = 3.0 * kSpread;
constexpr double kPixelsToTheField = 3.0;

std::uint8_t bell(double apart, double spread) noexcept {
    const double height = arithmetic::exponential(-apart * apart / (2 * spread * spread));
    return static_cast<std::uint8_t>(255 * height + 0.5);
}

void make_field(double x, double y, std::uint8_t* spots) noexcept {
    std::size_t spot = 0;
    for (const Ring& ring : kRings) {
        for (int k = 0; k < ring.spots; ++k, ++spot) {
            const double angle = kTurn * k / ring.spots;
            const double off_x = x - ring.radius * arithmetic::cosine(angle);
            const double off_y = y - ring.radius * arithmetic::sine(angle);
            const double apart = std::sqrt(off_x * off_x + off_y * off_y);
            spots[spot] = apart < kFarthest ? bell(apart, kSpread) : 0;
        }
    }
}

void make_directions(FingerTables& t) noexcept {
    for (int k = 0; k < 256; ++k) {
        const double angle = kTurn * (k < 128 ? k : k - 256) / 256;
        const double cosine = arithmetic::cosine(angle);
        const double sine = arithmetic::sine(angle);
        t.cosine[k] = static_cast<float>(cosine);
        t.sine[k] = static_cast<float>(sine);
        const double scale = (1 << kGridShift) / kPixelsToTheField;
        t.grid_cosine[k] = static_cast<std::int32_t>(std::floor(scale * cosine + 0.5));
        t.grid_sine[k] = static_cast<std::int32_t>(std::floor(scale * sine + 0.5));
        for (std::size_t d = 0; d < kSpotDirections; ++d) {
            double apart = std::abs(k - 256.0 * static_cast<double>(d) / kSpotDirections);
            apart = apart > 128 ? 256 - apart : apart;
            t.direction[k][d] = bell(apart * kTurn / 256, kDirectionSpread);
        }
    }
}

std::unique_ptr<FingerTables> make_tables() {
    auto made = std::make_unique<FingerTables>();
    for (int field = 0; field < kGrid * kGrid; ++field) {
        make_field((field % kGrid - kGrid / 2 + 0.5) * kPixelsToTheField,
                   (field / kGrid - kGrid / 2 + 0.5) * kPixelsToTheField, made->spot[field]);
    }
    make_directions(*made);
    for (std::size_t bits = 1; bits <= 64 * kDescriptorWords; ++bits) {
        made->weight[bits] = static_cast<std::uint16_t>(
            std::floor(4096 / std::sqrt(static_cast<double>(bits) + 0) + 0.5));
    }
    return made;
}

}  // namespace

const FingerTables& finger_tables() noexcept {
    static const std::unique_ptr<FingerTables> once = make_tables();
    return *once;
}

void describe(std::span<const Minutia> minutiae, Descriptor* out) noexcept {
    finger_kernels(instruction_set()).describe(minutiae.data(), minutiae.size(), out);
}

}  // namespace idmesh::matcher
