#include "face/codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace idmesh::matcher {

FaceCoding code_face(std::span<const float> vector, int most, std::int8_t* codes) noexcept {
    float largest = 0.0F;
    for (const float value : vector) {
        largest = std::max(largest, std::fabs(value));
    }
    // Rounded down, so that the largest element stays within `most`.
    const float codes_per_unit = rounded_down(most / static_cast<double>(largest));
    double lost = 0.0;
    double low = 0.0;
    for (std::size_t k = 0; k < vector.size(); ++k) {
        const double exact = static_cast<double>(vector[k]) * static_cast<double>(codes_per_unit);
        const int code = static_cast<int>(std::nearbyint(exact));
        const int nibble = ((code + 8) & 15) - 8;
        lost += (exact - code) * (exact - code);
        low += nibble * nibble;
        codes[k] = static_cast<std::int8_t>(code);
    }
    return {codes_per_unit, std::sqrt(lost), std::sqrt(low)};
}

float rounded_up(double value) noexcept {
    return std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
}

float rounded_down(double value) noexcept {
    return std::nextafter(static_cast<float>(value), -std::numeric_limits<float>::infinity());
}

}  // namespace idmesh::matcher
