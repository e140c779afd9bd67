// The gates of the sets that count bits in lanes. Included by each within its anonymous namespace,
// so that it is compiled with that set's flags; to_lanes() and pass() are the set's own.

constexpr std::size_t kMostWords = 2048;  // of code and of mask, of the largest layout
constexpr std::size_t kMostSpreadWords = 16;

void gate(const std::uint64_t* blocks, std::size_t count, const IrisScan& scan,
          std::uint16_t* hits) noexcept {
    alignas(64) std::uint64_t lanes[kMostWords * kIrisLanes];
    for (std::size_t b = 0; b < count; ++b, hits += scan.probes) {
        to_lanes(blocks + b * 2 * scan.words * kIrisLanes, 2 * scan.words, lanes);
        for (std::size_t q = 0; q < scan.probes; ++q) {
            unsigned found = 0;
            for (std::size_t r = 0; r < scan.rotations; ++r) {
                found |= pass(scan, q, r, lanes);
            }
            hits[q] = static_cast<std::uint16_t>(found);
        }
    }
}

void gate_spread(const std::uint64_t* spread_blocks, const std::uint64_t* blocks, std::size_t count,
                 const IrisScan& spread, const IrisScan& scan, std::uint16_t* hits) noexcept {
    alignas(64) std::uint64_t few[kMostSpreadWords * kIrisLanes];
    alignas(64) std::uint64_t all[kMostWords * kIrisLanes];
    for (std::size_t b = 0; b < count; ++b, hits += scan.probes) {
        to_lanes(spread_blocks + b * 2 * spread.words * kIrisLanes, 2 * spread.words, few);
        bool laid = false;
        for (std::size_t q = 0; q < scan.probes; ++q) {
            unsigned found = 0;
            for (std::size_t r = 0; r < scan.rotations; ++r) {
                const unsigned passed = pass(spread, q, r, few);
                if (passed != 0) {
                    if (!laid) {
                        to_lanes(blocks + b * 2 * scan.words * kIrisLanes, 2 * scan.words, all);
                        laid = true;
                    }
                    found |= passed & pass(scan, q, r, all);
                }
            }
            hits[q] = static_cast<std::uint16_t>(found);
        }
    }
}
