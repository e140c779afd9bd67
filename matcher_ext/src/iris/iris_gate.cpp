#include "iris_gate.hpp"

#include <algorithm>

#include "idmesh/matcher/iris_column.hpp"

namespace idmesh::matcher {

namespace {

// How much more distance than asked for the spread bits may show. Chosen on real codes (290 of 58
// eyes, 580 mated pairs) so that at any least similarity from 0.58 to 0.70 no mated pair that has
// it is missed; the greatest excess seen is 0.0272.
constexpr float kSpreadMargin = 0.028F;
// No miss in 540 accepted pairs would bound the proportion at 1 - 0.05^(1/540), were the pairs
// independent and the margin not chosen on them: an indication.
constexpr float kSpreadLossBound = 0.0056F;

// The greatest ratio mask / code below `share`, a proportion of the compared bits, in few bits.
IrisWeights ratio_below(double share) noexcept {
    IrisWeights best{1, 0};
    for (int code = 1; code <= 127; ++code) {
        int mask = static_cast<int>(share * code);
        if (mask >= share * code) {
            mask -= 1;
        }
        mask = std::clamp(mask, 0, 127);
        if (mask * best.code > best.mask * code) {
            best = {static_cast<std::int8_t>(code), static_cast<std::int8_t>(mask)};
        }
    }
    return best;
}

std::uint64_t every_fourth_bit(std::uint64_t word) noexcept {
    word &= 0x1111111111111111U;
    word = (word | word >> 3) & 0x0303030303030303U;
    word = (word | word >> 6) & 0x000F000F000F000FU;
    word = (word | word >> 12) & 0x000000FF000000FFU;
    return (word | word >> 24) & 0xFFFFU;
}

}  // namespace

// similarity = 0.5 + (0.5 - distance) * weight and weight <= 1, so a similarity of least needs
// compared - 2 mismatched >= (2 least - 1) compared. The similarity is rounded: hence the slack.
IrisWeights lossless_weights(float least) noexcept {
    constexpr double kRounding = 1e-5;
    return ratio_below(2.0 * static_cast<double>(least) - 1.0 - kRounding);
}

IrisWeights spread_weights(float least) noexcept {
    return ratio_below(2.0 * static_cast<double>(least - kSpreadMargin) - 1.0);
}

bool has_spread(IrisLayout layout) noexcept {
    return layout == kDefaultIrisLayout;
}

void take_spread(const std::uint64_t* bits, std::uint64_t* out) noexcept {
    for (std::size_t w = 0; w < 2 * kSpreadWords; ++w, bits += 4) {
        out[w] = every_fourth_bit(bits[0]) | every_fourth_bit(bits[1]) << 16 |
                 every_fourth_bit(bits[2]) << 32 | every_fourth_bit(bits[3]) << 48;
    }
}

float iris_loss_bound(IrisLayout layout, IrisGate gate) noexcept {
    return gate == IrisGate::two_stage && has_spread(layout) ? kSpreadLossBound : 0.0F;
}

}  // namespace idmesh::matcher
