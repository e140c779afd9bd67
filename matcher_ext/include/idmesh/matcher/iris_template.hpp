// Iris code and mask: bands x rows x angles bits, little bit order. A rotation of the eye moves
// every row along its angles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "idmesh/matcher/iris_kernels.hpp"

namespace idmesh::matcher {

struct IrisLayout {
    std::uint16_t bands = 2;
    std::uint16_t rows = 8;
    std::uint16_t angles = 128;

    constexpr std::size_t lines() const noexcept { return std::size_t{bands} * rows; }
    constexpr std::size_t bits() const noexcept { return lines() * angles; }
    constexpr std::size_t bytes() const noexcept { return bits() / 8; }
    // As it is kept: each row in whole words.
    constexpr std::size_t row_words() const noexcept { return (std::size_t{angles} + 63) / 64; }
    constexpr std::size_t words() const noexcept { return lines() * row_words(); }

    friend constexpr bool operator==(const IrisLayout&, const IrisLayout&) = default;
};

inline constexpr IrisLayout kDefaultIrisLayout{};
inline constexpr std::size_t kMaxIrisWords = 1024;  // 65,536 bits
inline constexpr int kDefaultIrisRotation = 15;     // steps of one angle, either way
inline constexpr int kMaxIrisRotation = 64;
inline constexpr std::size_t kMaxIrisRotations = 2 * kMaxIrisRotation + 1;

// Rows one after the other, each padded to whole words. A set bit of mask is a valid bit of code;
// code is 0 where mask is, mask is 0 in the padding.
struct IrisTemplate {
    IrisLayout layout;
    std::vector<std::uint64_t> bits;  // words of code, then words of mask

    const std::uint64_t* code() const noexcept { return bits.data(); }
    const std::uint64_t* mask() const noexcept { return bits.data() + layout.words(); }
};

// Throws MatcherError: LAYOUT_OUT_OF_RANGE (nothing in it, not whole bytes, or more than
// kMaxIrisWords), TEMPLATE_MALFORMED (not layout.bytes() each), MASK_EMPTY (no valid bit).
IrisTemplate iris_from_bytes(std::span<const std::uint8_t> code, std::span<const std::uint8_t> mask,
                             IrisLayout layout = kDefaultIrisLayout);

// Throws MatcherError: LAYOUT_OUT_OF_RANGE.
void check_iris_layout(IrisLayout layout);

// The template as the eye would give it, turned by `angles` steps, either way.
IrisTemplate iris_rotated(const IrisTemplate& iris, int angles);

// Below this many compared bits, chance alone makes distances far from 0.5.
constexpr std::uint32_t iris_typical_compared(IrisLayout layout) noexcept {
    return static_cast<std::uint32_t>(layout.bits() * 911 / 2048);
}

// In [0, 1]: one minus the normalised Hamming distance. Few compared bits pull it towards 0.5.
float iris_similarity(MaskedHamming hamming, std::uint32_t typical_compared) noexcept;

}  // namespace idmesh::matcher
