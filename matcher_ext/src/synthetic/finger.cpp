// Master fingers, and what a sensor sees of them, at the level of minutiae. The numbers are fitted
// to minutiae of LEADER on FVC2002: how many there are, how far apart, how directions of
// neighbours agree, and the similarities of mated and non-mated pairs (docs/synthetic.md).
#include <algorithm>
#include <cmath>

#include "skin.hpp"

namespace idmesh::matcher::synthetic {

namespace {

// Pixels of 500 dpi: half the width and height of a finger pad.
constexpr double kPadX = 150.0;
constexpr double kPadY = 205.0;
constexpr double kMeanMinutiae = 53.0;
constexpr double kFewestMinutiae = 30.0;
constexpr double kMostSown = 100.0;

constexpr double kRadian = 1.0 / 6.283185307179586;  // turns

double severity_of(double z) noexcept {
    return std::clamp(0.70 + 0.36 * z + 0.11 * z * z, 0.25, 4.0);
}

bool crowded(const MasterFinger& finger, double x, double y, double least) noexcept {
    for (std::size_t k = 0; k < finger.count; ++k) {
        const double dx = finger.minutiae[k].x - x;
        const double dy = finger.minutiae[k].y - y;
        if (dx * dx + dy * dy < least * least) {
            return true;
        }
    }
    return false;
}

// A point of the pad's ellipse, scaled.
void sow(Draws& draws, double scale, double& x, double& y) noexcept {
    do {
        x = draws.between(-1, 1);
        y = draws.between(-1, 1);
    } while (x * x + y * y > 1);
    x *= kPadX * scale;
    y *= kPadY * scale;
}

struct Made {
    MasterFinger finger;
    RidgeFlow flow;
};

Made make_finger(const Population& population, std::uint64_t person, int position) noexcept {
    const Skin skin = skin_of(population, person);
    const auto where = static_cast<std::uint64_t>(position);
    Draws pattern(Subject::finger_pattern, {population.seed, person, where});
    Made made{{}, RidgeFlow(pattern, skin, position)};
    Draws draws(Subject::finger_minutiae, {population.seed, person, where});
    const auto wanted = static_cast<std::size_t>(std::clamp(
        (kMeanMinutiae + 8 * draws.normal()) * skin.density, kFewestMinutiae, kMostSown));
    // Neighbours more often run the same way than not.
    const double wave_x = draws.normal() / 330;
    const double wave_y = draws.normal() / 330;
    const double phase = draws.uniform();
    for (std::size_t tries = 0; tries < 8 * wanted && made.finger.count < wanted; ++tries) {
        double x = 0;
        double y = 0;
        sow(draws, draws.chance(0.35) ? 0.6 : 1.0, x, y);
        const double least = draws.between(8, 19);
        if (crowded(made.finger, x, y, least)) {
            continue;
        }
        const double sense = sine(wave_x * x + wave_y * y + phase) + 0.45 * draws.normal();
        const double blur = draws.uniform();
        MasterMinutia& one = made.finger.minutiae[made.finger.count++];
        one.x = static_cast<float>(x);
        one.y = static_cast<float>(y);
        one.turns = static_cast<float>(made.flow.turns(x, y) + (sense > 0 ? 0.5 : 0.0) +
                                       0.11 * kRadian * draws.normal());
        one.clarity = static_cast<float>(1.0 - 0.55 * blur * blur * blur);
        one.bifurcation = draws.chance(0.42);
    }
    return made;
}

// Where the finger lies, and how much of it touches.
struct Placement {
    double middle_x;
    double middle_y;
    double size;
    double turns;
    double shift_x;
    double shift_y;

    Placement(Draws& draws, double noise) noexcept
        : middle_x(13 * noise * draws.normal()),
          middle_y(20 * noise * draws.normal()),
          size(std::clamp(1.0 - noise * (0.21 + 0.17 * draws.normal()), 0.35, 1.0)),
          turns(std::clamp(0.021 * noise * draws.normal(), -0.12, 0.12)),
          shift_x(16 * noise * draws.normal()),
          shift_y(16 * noise * draws.normal()) {}

    bool touches(double x, double y) const noexcept {
        const double across = (x - middle_x) / (kPadX * size);
        const double along = (y - middle_y) / (kPadY * size);
        return across * across + along * along <= 1;
    }
};

// Writes what the sensor has at a point; false if that lies off the image.
bool record(const Placement& placed, double x, double y, double turns, double clarity,
            bool bifurcation, FingerCapture& out) noexcept {
    const double c = cosine(placed.turns);
    const double s = sine(placed.turns);
    const double right = kImageWidth / 2.0 + x * c - y * s + placed.shift_x;
    const double down = kImageHeight / 2.0 - (x * s + y * c + placed.shift_y);
    if (out.count == kMostMinutiae || right < 0 || down < 0 || right >= kImageWidth - 0.5 ||
        down >= kImageHeight - 0.5) {
        return false;
    }
    SyntheticMinutia& one = out.minutiae[out.count++];
    one.x = static_cast<std::uint16_t>(right + 0.5);
    one.y = static_cast<std::uint16_t>(down + 0.5);
    const double whole = turns + placed.turns + 4.0;
    one.direction = static_cast<std::uint8_t>(static_cast<int>(whole * 256 + 0.5) & 0xff);
    one.quality = static_cast<std::uint8_t>(std::clamp(100 * clarity + 0.5, 1.0, 100.0));
    one.kind = bifurcation ? 2 : 1;
    return true;
}

FingerNoise noise_of(const Population& population, std::uint64_t person, std::uint64_t capture,
                     Draws& draws) noexcept {
    Draws session(Subject::finger_session, {population.seed, person, capture});
    const double z = 0.35 * skin_of(population, person).dryness + 0.35 * session.normal() +
                     0.87 * draws.normal();
    FingerNoise how{};
    how.severity = severity_of(z);
    const double strength = how.severity * population.noise;
    how.missed = 0.055 * strength;
    how.spurious = 0.085 * strength * strength;
    how.jitter = 1.25 * strength;
    how.turn = 0.075 * strength * kRadian;
    return how;
}

void see(const MasterFinger& finger, const FingerNoise& how, double noise, const Placement& placed,
         const Distortion& bent, Draws& draws, FingerCapture& out) noexcept {
    constexpr double kAhead = 4.0;  // pixels: far enough to tell how a direction turns
    for (std::size_t k = 0; k < finger.count; ++k) {
        const MasterMinutia& one = finger.minutiae[k];
        const double missed =
            std::min(0.95, how.missed + noise * how.severity * (1.0 - one.clarity) * 0.9);
        const bool unseen = draws.chance(missed) || !placed.touches(one.x, one.y);
        const double jitter_x = draws.normal();
        const double jitter_y = draws.normal();
        const double turn = draws.normal();
        const double clear = draws.normal();
        const bool flipped = draws.chance(0.1 * noise);
        if (unseen) {
            continue;
        }
        double x = one.x;
        double y = one.y;
        double ahead_x = x + kAhead * cosine(one.turns);
        double ahead_y = y + kAhead * sine(one.turns);
        bent.move(x, y);
        bent.move(ahead_x, ahead_y);
        record(placed, x + how.jitter * jitter_x, y + how.jitter * jitter_y,
               turns_of(ahead_y - y, ahead_x - x) + how.turn * turn,
               one.clarity + 0.08 * noise * clear, one.bifurcation != flipped, out);
    }
}

void invent(const RidgeFlow& flow, int count, const Placement& placed, Draws& draws,
            FingerCapture& out) noexcept {
    for (int k = 0; k < count; ++k) {
        double x = 0;
        double y = 0;
        sow(draws, placed.size, x, y);
        x += placed.middle_x;
        y += placed.middle_y;
        const double turns =
            flow.turns(x, y) + (draws.chance(0.5) ? 0.5 : 0.0) + 0.15 * kRadian * draws.normal();
        record(placed, x, y, turns, draws.between(0.2, 0.9), draws.chance(0.5), out);
    }
}

}  // namespace

MasterFinger finger_master(const Population& population, std::uint64_t person, int position) {
    return make_finger(population, person, position).finger;
}

FingerCapture finger_capture(const Population& population, std::uint64_t person, int position,
                             std::uint64_t capture) {
    const Made made = make_finger(population, person, position);
    Draws draws(Subject::finger_capture,
                {population.seed, person, static_cast<std::uint64_t>(position), capture});
    const FingerNoise how = noise_of(population, person, capture, draws);
    const Placement placed(draws, population.noise);
    const Distortion bent(draws, how.severity, population.noise);
    FingerCapture out;
    out.position = static_cast<std::uint8_t>(position);
    out.quality = static_cast<std::uint8_t>(
        std::clamp(98 - 22 * how.severity * population.noise + 3 * draws.normal(), 1.0, 100.0));
    out.count = 0;
    see(made.finger, how, population.noise, placed, bent, draws, out);
    const int invented = draws.count(how.spurious * static_cast<double>(out.count));
    invent(made.flow, invented, placed, draws, out);
    if (out.count == 0) {  // a sensor that sees nothing gives no template; this one sees a speck
        record({draws, 0.0}, 0, 0, made.flow.turns(0, 0), 0.2, false, out);
    }
    return out;
}

FingerTemplate finger_template(const FingerCapture& capture) {
    RawMinutia raw[kMostMinutiae];
    for (std::size_t k = 0; k < capture.count; ++k) {
        const SyntheticMinutia& one = capture.minutiae[k];
        raw[k] = {static_cast<double>(one.x), static_cast<double>(one.y), one.direction,
                  one.quality};
    }
    FingerTemplate made = finger_from_minutiae({raw, capture.count}, 500, 500);
    made.position = capture.position;
    made.quality = capture.quality;
    return made;
}

}  // namespace idmesh::matcher::synthetic
