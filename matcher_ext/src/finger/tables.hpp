// What descriptors and motions are worked out with: made once, the same bits on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "idmesh/matcher/finger_kernels.hpp"

namespace idmesh::matcher {

// A neighbour of a minutia is put on a square grid in the frame of the minutia, and from there
// adds to the spots around, each by a weight, and there to the directions around its own.
inline constexpr std::size_t kSpots = 32;
inline constexpr std::size_t kSpotDirections = 6;
static_assert(kSpots * kSpotDirections == 64 * kDescriptorWords);
inline constexpr int kGrid = 64;             // fields to the side
inline constexpr int kGridShift = 14;        // of the fixed point numbers below
inline constexpr int kReach = 90;            // pixels, along x and y, that a neighbour may be away
inline constexpr std::uint16_t kBitAt = 75;  // of 254, which is one neighbour at a spot's middle

struct FingerTables {
    // [field][spot] and [relative direction][direction], as 0 to 255
    alignas(64) std::uint8_t spot[kGrid * kGrid][kSpots];
    std::uint8_t direction[256][kSpotDirections];
    std::int32_t grid_cosine[256], grid_sine[256];  // fields to the pixel, times 2^kGridShift
    float cosine[256], sine[256];
    std::uint16_t weight[64 * kDescriptorWords + 1];  // of a descriptor, by its bits
};

const FingerTables& finger_tables() noexcept;

}  // namespace idmesh::matcher
