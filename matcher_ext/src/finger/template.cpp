// From minutiae of any resolution and order to a template.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/finger_template.hpp"

namespace idmesh::matcher {

namespace {

constexpr double kDpi = 500.0;
constexpr double kLeastDpi = 100.0;
constexpr double kMostDpi = 2600.0;

std::int16_t scaled(double value, double dpi, const char* field) {
    if (!std::isfinite(value)) {
        throw MatcherError("VALUE_NOT_FINITE", field,
                           "A minutia has a coordinate that is no number.");
    }
    const double pixels = std::round(value * kDpi / dpi);
    if (std::abs(pixels) > kMaxCoordinate) {
        throw MatcherError("TEMPLATE_MALFORMED", field, "A minutia is more than 20 cm away.");
    }
    return static_cast<std::int16_t>(pixels);
}

void check_dpi(double dpi, const char* field) {
    if (!(dpi >= kLeastDpi && dpi <= kMostDpi)) {  // false for NaN
        throw MatcherError("TEMPLATE_MALFORMED", field,
                           "The resolution is out of [100, 2600] dpi.");
    }
}

// Moves all so that the least coordinate is 0.
void shift_to_zero(std::vector<Minutia>& minutiae, std::int16_t Minutia::*coordinate,
                   const char* field) {
    const auto [least, most] = std::minmax_element(
        minutiae.begin(), minutiae.end(),
        [&](const Minutia& a, const Minutia& b) { return a.*coordinate < b.*coordinate; });
    const int from = *least.*coordinate;
    if (*most.*coordinate - from > kMaxCoordinate) {
        throw MatcherError("TEMPLATE_MALFORMED", field, "Two minutiae are over 20 cm apart.");
    }
    for (Minutia& m : minutiae) {
        m.*coordinate = static_cast<std::int16_t>(m.*coordinate - from);
    }
}

// The best by quality; of equal ones those nearest to the middle, which other samples show too.
// Of what is left a column looks at the first ones first, and the order of a record is lost, so
// that it says nothing.
void order_and_keep_best(std::vector<Minutia>& minutiae) {
    long sum_x = 0;
    long sum_y = 0;
    for (const Minutia& m : minutiae) {
        sum_x += m.x;
        sum_y += m.y;
    }
    const long middle_x = sum_x / static_cast<long>(minutiae.size());
    const long middle_y = sum_y / static_cast<long>(minutiae.size());
    const auto key = [&](const Minutia& m) {
        const long x = m.x - middle_x;
        const long y = m.y - middle_y;
        return std::tuple(-m.quality, x * x + y * y, m.x, m.y, m.direction);
    };
    std::sort(minutiae.begin(), minutiae.end(),
              [&](const Minutia& a, const Minutia& b) { return key(a) < key(b); });
    minutiae.resize(std::min(minutiae.size(), kMaxMinutiae));
}

}  // namespace

FingerTemplate finger_from_minutiae(std::span<const RawMinutia> minutiae, double dpi_x,
                                    double dpi_y) {
    check_dpi(dpi_x, "dpi_x");
    check_dpi(dpi_y, "dpi_y");
    if (minutiae.empty()) {
        throw MatcherError("TEMPLATE_EMPTY", "minutiae", "The template has no minutia.");
    }
    FingerTemplate made;
    made.minutiae.reserve(minutiae.size());
    for (const RawMinutia& raw : minutiae) {
        made.minutiae.push_back({scaled(raw.x, dpi_x, "minutia.x"),
                                 static_cast<std::int16_t>(-scaled(raw.y, dpi_y, "minutia.y")),
                                 raw.direction, raw.quality});
    }
    shift_to_zero(made.minutiae, &Minutia::x, "minutia.x");
    shift_to_zero(made.minutiae, &Minutia::y, "minutia.y");
    order_and_keep_best(made.minutiae);
    made.descriptors.resize(made.minutiae.size());
    describe(made.minutiae, made.descriptors.data());
    return made;
}

}  // namespace idmesh::matcher
