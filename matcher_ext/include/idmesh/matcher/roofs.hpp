// What one core of this machine can do at most, to hold measured rates against.
#pragma once

#include <cstddef>
#include <cstdint>

#include "idmesh/matcher/instruction_set.hpp"

namespace idmesh::matcher {

// Each does about so much work and returns what keeps the compiler from leaving it out.
struct RoofKernels {
    // Reads bytes, a multiple of 512.
    std::uint64_t (*read)(const std::byte* bytes, std::size_t count) noexcept;
    // Counts kRoofBits bits, in registers.
    std::uint64_t (*count_bits)() noexcept;
    // Multiplies and adds kRoofProducts twos of signed bytes, in registers.
    std::uint64_t (*multiply)() noexcept;
};

inline constexpr std::uint64_t kRoofBits = std::uint64_t{1} << 27;
inline constexpr std::uint64_t kRoofProducts = std::uint64_t{1} << 27;

RoofKernels roof_kernels(InstructionSet set) noexcept;

// Of the core's time, not of the clock on the wall.
struct Roofs {
    double read_bytes_per_s;  // of memory that no cache holds, in huge pages where there are some
    double bits_per_s;
    double products_per_s;
};

// Takes about a second. buffer_bytes: to read, larger than the caches.
// Throws MatcherError: OUT_OF_MEMORY.
Roofs measure_roofs(std::size_t buffer_bytes, InstructionSet set = instruction_set());

namespace serial {
extern const RoofKernels roof_kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const RoofKernels roof_kernels;
}
namespace avx512 {
extern const RoofKernels roof_kernels;
}
namespace amx {
std::uint64_t multiply_in_tiles() noexcept;
}
#endif

}  // namespace idmesh::matcher
