// What references are known by, and what is added of them.
#pragma once

#include <array>
#include <cstdint>

#include "idmesh/matcher/comparison.hpp"

namespace idmesh::matcher {

using ReferenceId = std::array<std::uint8_t, 16>;

struct PositionedTemplate {
    std::uint8_t position;  // finger 1 to 10, iris 1 right, 2 left, face 0; 0 unknown
    const Template* value;
};

}  // namespace idmesh::matcher
