#include "idmesh/matcher/roofs.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>

#include "idmesh/matcher/plane.hpp"

namespace idmesh::matcher {

namespace {

double thread_time() noexcept {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The best of several passes: what disturbs a pass only slows it down.
template <typename Pass>
double best_rate(double work, Pass pass) {
    constexpr int kPasses = 5;
    double best = 0.0;
    for (int k = 0; k < kPasses; ++k) {
        const double began = thread_time();
        const std::uint64_t kept = pass();
        const double took = thread_time() - began;
        __asm__ volatile("" : : "r"(kept));
        best = std::max(best, work / std::max(took, 1e-9));
    }
    return best;
}

}  // namespace

RoofKernels roof_kernels(InstructionSet set) noexcept {
#if defined(__x86_64__)
    switch (set) {
        case InstructionSet::serial:
            break;
        case InstructionSet::avx2:
            return avx2::roof_kernels;
        case InstructionSet::avx512:
            return avx512::roof_kernels;
        case InstructionSet::amx:
            return {avx512::roof_kernels.read, avx512::roof_kernels.count_bits,
                    amx::multiply_in_tiles};
    }
#else
    static_cast<void>(set);
#endif
    return serial::roof_kernels;
}

Roofs measure_roofs(std::size_t buffer_bytes, InstructionSet set) {
    const RoofKernels kernels = roof_kernels(set);
    const std::size_t bytes = std::max<std::size_t>(buffer_bytes / 512, 1) * 512;
    Plane buffer(bytes);
    buffer.settle(bytes);
    std::memset(buffer.data(), 0x5A, bytes);
    return {
        best_rate(static_cast<double>(bytes), [&] { return kernels.read(buffer.data(), bytes); }),
        best_rate(static_cast<double>(kRoofBits), kernels.count_bits),
        best_rate(static_cast<double>(kRoofProducts), kernels.multiply)};
}

}  // namespace idmesh::matcher
