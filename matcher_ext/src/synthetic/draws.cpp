#include "draws.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace idmesh::matcher::synthetic {

namespace {

constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15U;

std::uint64_t mixed(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

// Of four uniform numbers of 16 bits.
constexpr double kSumMean = 4 * 32767.5;
constexpr double kSumDeviation = 37837.2;

}  // namespace

Draws::Draws(Subject subject, std::initializer_list<std::uint64_t> name) noexcept
    : state_(mixed(static_cast<std::uint64_t>(subject) * kStep)) {
    for (const std::uint64_t word : name) {
        state_ = mixed((state_ ^ word) + kStep);
    }
}

std::uint64_t Draws::bits() noexcept {
    state_ += kStep;
    return mixed(state_);
}

double Draws::uniform() noexcept {
    return static_cast<double>(bits() >> 11) * 0x1p-53;
}

double Draws::between(double low, double high) noexcept {
    return low + (high - low) * uniform();
}

bool Draws::chance(double proportion) noexcept {
    return uniform() < proportion;
}

double Draws::normal() noexcept {
    const std::uint64_t four = bits();
    const std::uint64_t sum =
        (four & 0xffff) + (four >> 16 & 0xffff) + (four >> 32 & 0xffff) + (four >> 48);
    return (static_cast<double>(sum) - kSumMean) / kSumDeviation;
}

int Draws::count(double mean) noexcept {
    return std::max(0, static_cast<int>(mean + std::sqrt(mean) * normal() + 0.5));
}

void Draws::signs(float* out, int count) noexcept {
    constexpr float kScale = 1.7320508F / 32768.0F;
    assert(count % 4 == 0);
    for (int k = 0; k < count; k += 4) {
        const std::uint64_t four = bits();
        for (int lane = 0; lane < 4; ++lane) {
            // As signed numbers of 16 bits, half a step off zero.
            const auto one = static_cast<std::int16_t>(four >> (16 * lane));
            out[k + lane] = (static_cast<float>(one) + 0.5F) * kScale;
        }
    }
}

double sine(double turns) noexcept {
    double t = turns - std::floor(turns + 0.5);  // in [-0.5, 0.5)
    if (t > 0.25) {
        t = 0.5 - t;
    } else if (t < -0.25) {
        t = -0.5 - t;
    }
    const double x = t * 6.283185307179586;
    const double s = x * x;
    return x * (1 + s * (-1.0 / 6 + s * (1.0 / 120 + s * (-1.0 / 5040 + s * (1.0 / 362880)))));
}

double cosine(double turns) noexcept {
    return sine(turns + 0.25);
}

double turns_of(double y, double x) noexcept {
    const double ay = std::abs(y);
    const double ax = std::abs(x);
    const double most = std::max(ax, ay);
    if (most == 0) {
        return 0;
    }
    const double r = std::min(ax, ay) / most;
    const double s = r * r;
    // Arc tangent on [0, 1], after Abramowitz and Stegun 4.4.49, in turns.
    double t = r *
               (0.9998660 + s * (-0.3302995 + s * (0.1801410 + s * (-0.0851330 + s * 0.0208351)))) /
               6.283185307179586;
    if (ay > ax) {
        t = 0.25 - t;
    }
    if (x < 0) {
        t = 0.5 - t;
    }
    return y < 0 ? -t : t;
}

}  // namespace idmesh::matcher::synthetic
