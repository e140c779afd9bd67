#include "idmesh/matcher/iris_template.hpp"

#include <algorithm>
#include <cmath>

#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

namespace {

// Rows without padding, in little bit order, to rows of whole words.
void copy_rows(std::span<const std::uint8_t> bytes, IrisLayout layout, std::uint64_t* out) {
    std::size_t from = 0;
    for (std::size_t line = 0; line < layout.lines(); ++line, out += layout.row_words()) {
        for (std::size_t angle = 0; angle < layout.angles; ++angle, ++from) {
            const std::uint64_t bit = bytes[from / 8] >> from % 8 & 1U;
            out[angle / 64] |= bit << angle % 64;
        }
    }
}

void check_size(std::span<const std::uint8_t> bytes, const char* field, IrisLayout layout) {
    if (bytes.size() != layout.bytes()) {
        throw MatcherError(
            "TEMPLATE_MALFORMED", field,
            "An iris code and its mask have " + std::to_string(layout.bytes()) + " bytes each.");
    }
}

// Bit b of one row goes to bit (b + forward) % angles: forward those that stay, back those that
// come round.
void rotate_row(const std::uint64_t* in, std::size_t angles, std::size_t forward,
                std::uint64_t* out) {
    const std::size_t words = (angles + 63) / 64;
    const std::size_t back = angles - forward;
    for (std::size_t w = 0; w < words; ++w) {
        if (w >= forward / 64) {
            const std::size_t from = w - forward / 64;
            out[w] |= in[from] << forward % 64;
            if (forward % 64 != 0 && from > 0) {
                out[w] |= in[from - 1] >> (64 - forward % 64);
            }
        }
        if (const std::size_t from = w + back / 64; from < words) {
            out[w] |= in[from] >> back % 64;
            if (back % 64 != 0 && from + 1 < words) {
                out[w] |= in[from + 1] << (64 - back % 64);
            }
        }
    }
    if (angles % 64 != 0) {
        out[words - 1] &= (std::uint64_t{1} << angles % 64) - 1;
    }
}

}  // namespace

void check_iris_layout(IrisLayout layout) {
    if (layout.bits() == 0 || layout.bits() % 8 != 0 || layout.words() > kMaxIrisWords) {
        throw MatcherError("LAYOUT_OUT_OF_RANGE", "layout",
                           "Bands, rows and angles are no whole bytes, or too many.");
    }
}

IrisTemplate iris_from_bytes(std::span<const std::uint8_t> code, std::span<const std::uint8_t> mask,
                             IrisLayout layout) {
    check_iris_layout(layout);
    check_size(code, "code", layout);
    check_size(mask, "mask", layout);
    const std::size_t words = layout.words();
    IrisTemplate made{layout, std::vector<std::uint64_t>(2 * words)};
    copy_rows(code, layout, made.bits.data());
    copy_rows(mask, layout, made.bits.data() + words);
    if (std::all_of(made.mask(), made.mask() + words, [](std::uint64_t w) { return w == 0; })) {
        throw MatcherError("MASK_EMPTY", "mask", "No bit of the iris code is valid.");
    }
    for (std::size_t w = 0; w < words; ++w) {
        made.bits[w] &= made.bits[words + w];
    }
    return made;
}

IrisTemplate iris_rotated(const IrisTemplate& iris, int angles) {
    const int turn = iris.layout.angles;
    const auto forward = static_cast<std::size_t>((angles % turn + turn) % turn);
    IrisTemplate made{iris.layout, std::vector<std::uint64_t>(iris.bits.size())};
    for (std::size_t at = 0; at < iris.bits.size(); at += iris.layout.row_words()) {
        rotate_row(iris.bits.data() + at, iris.layout.angles, forward, made.bits.data() + at);
    }
    return made;
}

float iris_similarity(MaskedHamming hamming, std::uint32_t typical_compared) noexcept {
    if (hamming.compared == 0) {
        return 0.5F;  // nothing is known: as alike as chance
    }
    const auto compared = static_cast<float>(hamming.compared);
    const float distance = static_cast<float>(hamming.mismatched) / compared;
    const float weight = std::sqrt(std::min(1.0F, compared / static_cast<float>(typical_compared)));
    return 0.5F + (0.5F - distance) * weight;
}

}  // namespace idmesh::matcher
