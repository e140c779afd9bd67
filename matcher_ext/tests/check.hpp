// A check that stays in release builds, and generated fingers to check with.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <random>
#include <string>

#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/finger_template.hpp"

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                                \
        }                                                                                \
    } while (false)

// The reason with which `act` is refused; empty if it is not.
template <typename Act>
std::string refused(Act&& act) {
    try {
        act();
    } catch (const idmesh::matcher::MatcherError& error) {
        return error.reason();
    }
    return {};
}

inline std::vector<idmesh::matcher::RawMinutia> a_finger(std::mt19937& random, int count = 40) {
    std::uniform_real_distribution<double> x(100, 380);
    std::uniform_real_distribution<double> y(100, 450);
    std::vector<idmesh::matcher::RawMinutia> made;
    for (int k = 0; k < count; ++k) {
        made.push_back({x(random), y(random), static_cast<std::uint8_t>(random()), 80});
    }
    return made;
}

// The finger laid down again: turned, shifted, shaken, some minutiae lost and some false.
inline std::vector<idmesh::matcher::RawMinutia> captured(
    const std::vector<idmesh::matcher::RawMinutia>& finger, std::mt19937& random, double degrees) {
    std::normal_distribution<double> shake(0.0, 1.5);
    std::vector<idmesh::matcher::RawMinutia> made;
    const double angle = degrees * std::numbers::pi / 180;
    for (const auto& m : finger) {
        if (random() % 100 < 18) {
            continue;
        }
        // y is downwards: counter-clockwise as seen turns the other way round.
        const double x = m.x - 240;
        const double y = m.y - 275;
        const int direction = m.direction + static_cast<int>(std::lround(degrees / 360 * 256));
        made.push_back({300 + x * std::cos(angle) + y * std::sin(angle) + shake(random),
                        320 - x * std::sin(angle) + y * std::cos(angle) + shake(random),
                        static_cast<std::uint8_t>(direction), m.quality});
    }
    const auto spurious = a_finger(random, static_cast<int>(finger.size() / 10));
    made.insert(made.end(), spurious.begin(), spurious.end());
    return made;
}

inline idmesh::matcher::FingerTemplate to_template(
    const std::vector<idmesh::matcher::RawMinutia>& minutiae) {
    return idmesh::matcher::finger_from_minutiae(minutiae, 500, 500);
}
