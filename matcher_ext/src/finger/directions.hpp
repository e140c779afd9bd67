// Cosine and sine of the 256 directions.
#pragma once

#include <cstdint>

namespace idmesh::matcher::pairing {

struct Direction {
    float cosine, sine;
};

Direction direction(std::uint8_t of_256) noexcept;

}  // namespace idmesh::matcher::pairing
