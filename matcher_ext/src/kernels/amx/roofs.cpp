#include "idmesh/matcher/roofs.hpp"

#include <immintrin.h>

#include <cstring>

namespace idmesh::matcher::amx {

namespace {

constexpr std::uint64_t kTileProducts = 16 * 16 * 64;

struct alignas(64) TileShape {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

}  // namespace

// Four sums from two tiles by two, as a kernel has them.
std::uint64_t multiply_in_tiles() noexcept {
    alignas(64) std::int8_t operand[1024];
    std::memset(operand, 3, sizeof operand);
    const TileShape shape;
    _tile_loadconfig(&shape);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, operand, 64);
    _tile_loadd(5, operand, 64);
    _tile_loadd(6, operand, 64);
    _tile_loadd(7, operand, 64);
    for (std::uint64_t k = 0; k < kRoofProducts / (4 * kTileProducts); ++k) {
        _tile_dpbssd(0, 4, 6);
        _tile_dpbssd(1, 4, 7);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
    alignas(64) std::int32_t sums[256];
    _tile_stored(0, sums, 64);
    _tile_release();
    return static_cast<std::uint32_t>(sums[0]);
}

}  // namespace idmesh::matcher::amx
