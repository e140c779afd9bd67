// How a face vector is coded; include/idmesh/matcher/face_column.hpp has the derivation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace idmesh::matcher {

struct FaceCoding {
    float codes_per_unit;
    double error;       // length of the vector times codes_per_unit, less the codes
    double low_length;  // of the low nibbles
};

// Rounds each element times codes_per_unit, chosen for the largest to become `most`.
FaceCoding code_face(std::span<const float> vector, int most, std::int8_t* codes) noexcept;

// Rounded so that it is at least, or at most, the value.
float rounded_up(double value) noexcept;
float rounded_down(double value) noexcept;

}  // namespace idmesh::matcher
