#include "skin.hpp"

#include <algorithm>
#include <cmath>

namespace idmesh::matcher::synthetic {

namespace {

// Henry classes over all fingers; whorls are half again as many or as few by person.
constexpr double kArches = 0.07;
constexpr double kWhorls = 0.28;
constexpr double kWhorlsByPerson = 0.12;
constexpr double kLoopsInwards = 0.05;

constexpr double kTwistReach = 120.0;  // pixels

}  // namespace

Skin skin_of(const Population& population, std::uint64_t person) noexcept {
    Draws draws(Subject::person_skin, {population.seed, person});
    Skin skin{};
    skin.dryness = draws.normal();
    skin.density = 1.0 + 0.12 * draws.normal();
    skin.roundness = draws.normal();
    return skin;
}

RidgeFlow::RidgeFlow(Draws& draws, const Skin& skin, int position) noexcept {
    const double kind = draws.uniform();
    const double whorls = std::clamp(kWhorls + kWhorlsByPerson * skin.roundness, 0.02, 0.9);
    const bool left_hand = position > 5;
    const bool inwards = draws.chance(kLoopsInwards);
    tilt_ = 0.0095 * draws.normal();
    bend_ = draws.between(0.7, 1.5);
    for (Wave& wave : wave_) {
        wave = {draws.normal() / 480, draws.normal() / 480, draws.uniform(),
                0.022 * draws.normal()};
    }
    const Pole core{14 * draws.normal(), 20 + 18 * draws.normal(), true};
    const Pole low[2] = {{-105 + 18 * draws.normal(), -115 + 18 * draws.normal(), false},
                         {105 + 18 * draws.normal(), -115 + 18 * draws.normal(), false}};
    if (kind < kArches) {
        return;
    }
    pole_[poles_++] = core;
    if (kind < kArches + whorls) {
        pole_[poles_++] = {core.x + 12 * draws.normal(), core.y - 45 + 14 * draws.normal(), true};
        pole_[poles_++] = low[0];
        pole_[poles_++] = low[1];
        return;
    }
    // A loop opens towards the little finger; its delta lies on the other side.
    pole_[poles_++] = low[left_hand == inwards ? 0 : 1];
}

double RidgeFlow::turns(double x, double y) const noexcept {
    double real = 1;
    double imaginary = 0;
    if (poles_ == 0) {
        const double lift = std::clamp(1.0 - (y + 60.0) / 260.0, 0.0, 1.6);
        const double slope = -bend_ * lift * sine(x / 600.0);
        real = 1 - slope * slope;
        imaginary = 2 * slope;
    }
    for (int k = 0; k < poles_; ++k) {
        const double dx = x - pole_[k].x;
        const double dy = pole_[k].core ? y - pole_[k].y : pole_[k].y - y;
        const double was = real;
        // The length does not matter, but must not run away.
        const double scale = 1.0 / (std::abs(dx) + std::abs(dy) + 1e-9);
        real = (was * dx - imaginary * dy) * scale;
        imaginary = (was * dy + imaginary * dx) * scale;
    }
    double turns = turns_of(imaginary, real) / 2 + tilt_;
    for (const Wave& wave : wave_) {
        turns += wave.height * sine(wave.x * x + wave.y * y + wave.phase);
    }
    return turns;
}

Distortion::Distortion(Draws& draws, double severity, double noise) noexcept {
    const double strength = severity * noise;
    for (Wave& wave : wave_) {
        wave = {draws.normal() / 1000, draws.normal() / 1000, draws.uniform(),
                3.2 * strength * draws.normal(), 3.2 * strength * draws.normal()};
    }
    swell_x_ = 0.014 * strength * draws.normal();
    swell_y_ = 0.014 * strength * draws.normal();
    twist_ = 0.03 * strength * draws.normal();
}

void Distortion::move(double& x, double& y) const noexcept {
    const double twist = twist_ / (1.0 + (x * x + y * y) / (kTwistReach * kTwistReach));
    double moved_x = x * (1 + swell_x_) - twist * y;
    double moved_y = y * (1 + swell_y_) + twist * x;
    for (const Wave& wave : wave_) {
        const double height = sine(wave.x * x + wave.y * y + wave.phase);
        moved_x += height * wave.push_x;
        moved_y += height * wave.push_y;
    }
    x = moved_x;
    y = moved_y;
}

}  // namespace idmesh::matcher::synthetic
