// Iris code and mask: 2 bands x 8 rows x 128 angles, little bit order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace idmesh::matcher {

inline constexpr std::size_t kIrisBits = 2048;
inline constexpr std::size_t kIrisBytes = kIrisBits / 8;
inline constexpr std::size_t kIrisWords = kIrisBits / 64;
inline constexpr std::size_t kIrisAngles = 128;

struct alignas(64) IrisTemplate {
    alignas(64) std::uint64_t code[kIrisWords];
    alignas(64) std::uint64_t mask[kIrisWords];  // a set bit is a valid code bit
};

// Throws MatcherError: TEMPLATE_MALFORMED (not 256 bytes each), MASK_EMPTY (no valid bit).
IrisTemplate iris_from_bytes(std::span<const std::uint8_t> code,
                             std::span<const std::uint8_t> mask);

// The template as the eye would give it, turned by `angles` steps of 1/128 turn, either way.
IrisTemplate iris_rotated(const IrisTemplate& iris, int angles) noexcept;

}  // namespace idmesh::matcher
