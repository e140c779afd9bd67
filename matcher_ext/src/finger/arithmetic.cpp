#include "finger/arithmetic.hpp"

#include <cmath>
#include <numbers>

namespace idmesh::matcher::arithmetic {

namespace {

constexpr int kTerms = 30;  // of a Taylor series: enough for doubles up to 7

// 1 + x + x^2/2! ..., every term of the cosine and the sine alike with their signs.
double series(double square, double first, int from) noexcept {
    double sum = 0.0;
    double term = first;
    for (int k = 0; k < kTerms; ++k) {
        sum += term;
        term *= -square / ((2 * k + from) * (2 * k + from + 1));
    }
    return sum;
}

}  // namespace

double exponential(double x) noexcept {
    const int halvings = static_cast<int>(x / std::numbers::ln2);  // towards zero
    const double rest = x - halvings * std::numbers::ln2;
    double sum = 1.0;
    double term = 1.0;
    for (int k = 1; k < kTerms; ++k) {
        term *= rest / k;
        sum += term;
    }
    return std::ldexp(sum, halvings);
}

double cosine(double angle) noexcept {
    return series(angle * angle, 1.0, 1);
}

double sine(double angle) noexcept {
    return series(angle * angle, angle, 2);
}

int direction_of(float x, float y) noexcept {
    const float along = std::abs(x);
    const float across = std::abs(y);
    const float most = along > across ? along : across;
    if (!(most > 0.0F)) {
        return 0;
    }
    // Arc tangent on [0, 1] within 0.005 of a radian: a fifth of a step.
    const float ratio = (along > across ? across : along) / most;
    float angle =
        ratio * (0.9724F - 0.1919F * ratio * ratio) * (128.0F / std::numbers::pi_v<float>);
    angle = across > along ? 64.0F - angle : angle;
    angle = x < 0.0F ? 128.0F - angle : angle;
    const int rounded = static_cast<int>(angle + 0.5F);
    return y < 0.0F ? -rounded : rounded;
}

}  // namespace idmesh::matcher::arithmetic
