// The plain kernels: what every other set must equal.
#include "idmesh/matcher/iris_kernels.hpp"

namespace idmesh::matcher::serial {

namespace {

constexpr std::size_t kMostWords = 2048;  // of code and of mask, of the largest layout

void extract(const std::uint64_t* block, std::size_t lane, std::size_t words,
             std::uint64_t* out) noexcept {
    for (std::size_t w = 0; w < 2 * words; ++w) {
        std::uint64_t word = 0;
        for (std::size_t k = 0; k < kIrisLanes; ++k) {
            word |= (block[kIrisLanes * w + k] >> 4 * lane & 15U) << 4 * k;
        }
        out[w] = word;
    }
}

MaskedHamming compare(const std::uint64_t* probe, const std::uint64_t* reference,
                      std::size_t words) noexcept {
    MaskedHamming counts{0, 0};
    for (std::size_t w = 0; w < words; ++w) {
        const std::uint64_t mask = probe[words + w] & reference[words + w];
        const std::uint64_t differ = (probe[w] ^ reference[w]) & mask;
        counts.compared += static_cast<std::uint32_t>(__builtin_popcountll(mask));
        counts.mismatched += static_cast<std::uint32_t>(__builtin_popcountll(differ));
    }
    return counts;
}

void compare_rotations(const std::uint64_t* rotated, std::size_t rotations,
                       const std::uint64_t* reference, std::size_t words,
                       MaskedHamming* out) noexcept {
    for (std::size_t r = 0; r < rotations; ++r) {
        out[r] = compare(rotated + r * 2 * words, reference, words);
    }
}

bool passes(const IrisScan& scan, std::size_t probe, std::size_t rotation,
            const std::uint64_t* reference) noexcept {
    const std::uint64_t* rotated =
        scan.rotated + (probe * scan.rotations + rotation) * 2 * scan.words;
    const MaskedHamming counts = compare(rotated, reference, scan.words);
    const auto compared = static_cast<std::int32_t>(counts.compared);
    const auto agreed = compared - 2 * static_cast<std::int32_t>(counts.mismatched);
    return scan.weights[probe].code * agreed - scan.weights[probe].mask * compared > 0;
}

bool passes_any(const IrisScan& scan, std::size_t probe, const std::uint64_t* reference) noexcept {
    for (std::size_t r = 0; r < scan.rotations; ++r) {
        if (passes(scan, probe, r, reference)) {
            return true;
        }
    }
    return false;
}

bool passes_both(const IrisScan& spread, const IrisScan& scan, std::size_t probe,
                 const std::uint64_t* few, const std::uint64_t* all) noexcept {
    for (std::size_t r = 0; r < scan.rotations; ++r) {
        if (passes(spread, probe, r, few) && passes(scan, probe, r, all)) {
            return true;
        }
    }
    return false;
}

void gate(const std::uint64_t* blocks, std::size_t count, const IrisScan& scan,
          std::uint16_t* hits) noexcept {
    std::uint64_t reference[kMostWords];
    for (std::size_t b = 0; b < count; ++b, hits += scan.probes) {
        for (std::size_t q = 0; q < scan.probes; ++q) {
            hits[q] = 0;
        }
        for (std::size_t lane = 0; lane < kIrisLanes; ++lane) {
            extract(blocks + b * 2 * scan.words * kIrisLanes, lane, scan.words, reference);
            for (std::size_t q = 0; q < scan.probes; ++q) {
                hits[q] |= static_cast<std::uint16_t>(passes_any(scan, q, reference) << lane);
            }
        }
    }
}

void gate_spread(const std::uint64_t* spread_blocks, const std::uint64_t* blocks, std::size_t count,
                 const IrisScan& spread, const IrisScan& scan, std::uint16_t* hits) noexcept {
    std::uint64_t few[kMostWords];
    std::uint64_t all[kMostWords];
    for (std::size_t b = 0; b < count; ++b, hits += scan.probes) {
        for (std::size_t q = 0; q < scan.probes; ++q) {
            hits[q] = 0;
        }
        for (std::size_t lane = 0; lane < kIrisLanes; ++lane) {
            extract(spread_blocks + b * 2 * spread.words * kIrisLanes, lane, spread.words, few);
            extract(blocks + b * 2 * scan.words * kIrisLanes, lane, scan.words, all);
            for (std::size_t q = 0; q < scan.probes; ++q) {
                hits[q] |=
                    static_cast<std::uint16_t>(passes_both(spread, scan, q, few, all) << lane);
            }
        }
    }
}

}  // namespace

const IrisKernels iris = {gate, gate_spread, extract, compare_rotations};

}  // namespace idmesh::matcher::serial
