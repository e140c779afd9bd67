#include "idmesh/matcher/roofs.hpp"

namespace idmesh::matcher::serial {

namespace {

std::uint64_t read(const std::byte* bytes, std::size_t count) noexcept {
    const auto* words = reinterpret_cast<const std::uint64_t*>(bytes);
    std::uint64_t lanes[4] = {};
    for (std::size_t k = 0; k < count / 8; k += 4) {
        for (std::size_t lane = 0; lane < 4; ++lane) {
            lanes[lane] |= words[k + lane];
        }
    }
    return lanes[0] | lanes[1] | lanes[2] | lanes[3];
}

std::uint64_t count_bits() noexcept {
    std::uint64_t words[4] = {1, 2, 3, 4};
    std::uint64_t sums[4] = {};
    for (std::uint64_t k = 0; k < kRoofBits / (4 * 64); ++k) {
        for (std::size_t lane = 0; lane < 4; ++lane) {
            __asm__("" : "+r"(words[lane]));  // another word, for all that the compiler knows
            sums[lane] += static_cast<std::uint64_t>(__builtin_popcountll(words[lane]));
        }
    }
    return sums[0] + sums[1] + sums[2] + sums[3];
}

std::uint64_t multiply() noexcept {
    constexpr std::size_t kLanes = 64;
    std::int8_t a[kLanes];
    std::int8_t b[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        a[lane] = static_cast<std::int8_t>(lane);
        b[lane] = static_cast<std::int8_t>(2 * lane - 60);
    }
    std::int32_t sums[kLanes] = {};
    for (std::uint64_t k = 0; k < kRoofProducts / kLanes; ++k) {
        __asm__("" : "+m"(a));
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            sums[lane] += a[lane] * b[lane];
        }
    }
    std::uint64_t sum = 0;
    for (const std::int32_t one : sums) {
        sum += static_cast<std::uint32_t>(one);
    }
    return sum;
}

}  // namespace

const RoofKernels roof_kernels = {read, count_bits, multiply};

}  // namespace idmesh::matcher::serial
