// The checksum of planes, by the processor's instruction and without it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace idmesh::matcher {

// CRC32C (Castagnoli, reflected, RFC 3720 B.4) of four lanes: 8 bytes to each in turn, the last
// ones filled up with zeros. Lanes and length are folded, two and two, to 64 bits.
std::uint64_t plane_checksum_serial(std::span<const std::byte> bytes) noexcept;

// CRC32C of the bytes of one word, not inverted.
std::uint32_t crc32c_word_serial(std::uint32_t crc, std::uint64_t word) noexcept;

}  // namespace idmesh::matcher
