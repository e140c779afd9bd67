#include "finger/directions.hpp"

#include <array>
#include <cmath>
#include <numbers>

namespace idmesh::matcher::pairing {

namespace {

std::array<Direction, 256> make_directions() noexcept {
    std::array<Direction, 256> made{};
    for (std::size_t k = 0; k < made.size(); ++k) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(k) / 256;
        made[k] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
    }
    return made;
}

const std::array<Direction, 256> kDirections = make_directions();

}  // namespace

Direction direction(std::uint8_t of_256) noexcept {
    return kDirections[of_256];
}

}  // namespace idmesh::matcher::pairing
