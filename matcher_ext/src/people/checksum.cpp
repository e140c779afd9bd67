#include "people/checksum.hpp"

#include <array>
#include <cstring>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

#include "idmesh/matcher/people.hpp"

namespace idmesh::matcher {

namespace {

constexpr std::size_t kLanes = 4;  // the instruction takes three cycles, one may begin in each
constexpr std::size_t kWord = sizeof(std::uint64_t);

constexpr std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
        }
        table[byte] = crc;
    }
    return table;
}();

// Both without and with the instruction: Step is one word's.
template <typename Step>
std::uint64_t checksum(std::span<const std::byte> bytes, const Step& step) noexcept {
    std::uint32_t lanes[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = ~static_cast<std::uint32_t>(lane);
    }
    const auto add = [&](const std::byte* at) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            std::uint64_t word;
            std::memcpy(&word, at + lane * kWord, kWord);
            lanes[lane] = step(lanes[lane], word);
        }
    };
    std::size_t done = 0;
    for (; done + kLanes * kWord <= bytes.size(); done += kLanes * kWord) {
        add(bytes.data() + done);
    }
    if (done != bytes.size()) {
        std::byte rest[kLanes * kWord] = {};
        std::memcpy(rest, bytes.data() + done, bytes.size() - done);
        add(rest);
    }
    const auto fold = [&](std::size_t a, std::size_t b) {
        const std::uint64_t both = std::uint64_t{lanes[a]} << 32 | lanes[b];
        return ~step(step(~0U, both), bytes.size());
    };
    return std::uint64_t{fold(0, 1)} << 32 | fold(2, 3);
}

}  // namespace

std::uint32_t crc32c_word_serial(std::uint32_t crc, std::uint64_t word) noexcept {
    for (std::size_t byte = 0; byte < kWord; ++byte) {
        crc = crc >> 8 ^ kTable[(crc ^ word >> 8 * byte) & 0xFF];
    }
    return crc;
}

std::uint64_t plane_checksum_serial(std::span<const std::byte> bytes) noexcept {
    return checksum(bytes, crc32c_word_serial);
}

std::uint64_t plane_checksum(std::span<const std::byte> bytes) noexcept {
#if defined(__SSE4_2__)
    return checksum(bytes, [](std::uint32_t crc, std::uint64_t word) {
        return static_cast<std::uint32_t>(_mm_crc32_u64(crc, word));
    });
#else
    return plane_checksum_serial(bytes);
#endif
}

}  // namespace idmesh::matcher
