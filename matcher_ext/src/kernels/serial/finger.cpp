// The plain kernels: what every other set must equal.
#include "finger/kernels.hpp"

namespace idmesh::matcher::serial {

namespace {

std::uint32_t common(const std::uint64_t* a, std::size_t a_step, const std::uint64_t* b) noexcept {
    std::uint32_t bits = 0;
    for (std::size_t w = 0; w < kDescriptorWords; ++w) {
        bits += static_cast<std::uint32_t>(__builtin_popcountll(a[w * a_step] & b[w]));
    }
    return bits;
}

void scan(const FingerScanProbe& probe, const FingerScanRows& rows, std::size_t first,
          std::size_t last, std::uint16_t* scores) noexcept {
    for (std::size_t row = first; row < last; ++row) {
        const std::uint64_t* words = rows.words + row * kScanWords;
        int sum = 0;
        for (std::size_t j = 0; j < kScanMinutiae; ++j) {
            const std::uint64_t* mine = words + j / 8 * 8 * kDescriptorWords + j % 8;
            int best = 0;
            for (std::size_t i = 0; i < probe.count; ++i) {
                const int score = 4 * static_cast<int>(common(mine, 8, probe.words[i])) -
                                  static_cast<int>(probe.bits[i]);
                best = score > best ? score : best;
            }
            best -= rows.bits[row * kScanMinutiae + j];
            sum += best > 0 ? best : 0;
        }
        scores[row - first] = static_cast<std::uint16_t>(sum);
    }
}

void compare_descriptors(const Descriptor* probe, std::size_t probe_count,
                         const Descriptor* reference, std::size_t reference_count,
                         std::uint8_t* out) noexcept {
    for (std::size_t j = 0; j < reference_count; ++j) {
        const std::uint32_t reference_bits = common(reference[j].bits, 1, reference[j].bits);
        for (std::size_t i = 0; i < probe_count; ++i) {
            const std::uint32_t either =
                common(probe[i].bits, 1, probe[i].bits) + reference_bits;
            const std::uint32_t both = common(probe[i].bits, 1, reference[j].bits);
            out[i * reference_count + j] =
                static_cast<std::uint8_t>(either != 0 ? 2 * 255 * both / either : 0);
        }
    }
}

}  // namespace

const FingerKernels kFingerKernels = {scan, compare_descriptors};

}  // namespace idmesh::matcher::serial
