// The plain kernels: what every other set must equal.
#include "idmesh/matcher/finger_template.hpp"
#include "idmesh/matcher/kernels.hpp"

namespace idmesh::matcher::serial {

namespace {

std::uint32_t bits_of(const Descriptor& descriptor) noexcept {
    std::uint32_t bits = 0;
    for (std::size_t w = 0; w < kDescriptorWords; ++w) {
        bits += static_cast<std::uint32_t>(__builtin_popcountll(descriptor.bits[w]));
    }
    return bits;
}

}  // namespace

void compare_descriptors(const Descriptor* probe, std::size_t probe_count,
                         const Descriptor* reference, std::size_t reference_count,
                         std::uint8_t* out) noexcept {
    for (std::size_t j = 0; j < reference_count; ++j) {
        const std::uint32_t reference_bits = bits_of(reference[j]);
        for (std::size_t i = 0; i < probe_count; ++i) {
            Descriptor both;
            for (std::size_t w = 0; w < kDescriptorWords; ++w) {
                both.bits[w] = probe[i].bits[w] & reference[j].bits[w];
            }
            const std::uint32_t either = bits_of(probe[i]) + reference_bits;
            out[i * reference_count + j] =
                static_cast<std::uint8_t>(either != 0 ? 2 * 255 * bits_of(both) / either : 0);
        }
    }
}

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
