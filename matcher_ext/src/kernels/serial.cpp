// The plain kernels: what every other set must equal.
#include "idmesh/matcher/kernels.hpp"

namespace idmesh::matcher::serial {

void compare_face(const float* probe, const float* references, std::size_t padded_dimension,
                  std::size_t count, float* out) noexcept {
    constexpr std::size_t kLanes = 16;
    for (std::size_t k = 0; k < count; ++k) {
        const float* reference = references + k * padded_dimension;
        float lanes[kLanes] = {};
        for (std::size_t d = 0; d < padded_dimension; d += kLanes) {
            for (std::size_t lane = 0; lane < kLanes; ++lane) {
                lanes[lane] += probe[d + lane] * reference[d + lane];
            }
        }
        float sum = 0.0F;
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            sum += lanes[lane];
        }
        out[k] = sum;
    }
}

}  // namespace idmesh::matcher::serial
