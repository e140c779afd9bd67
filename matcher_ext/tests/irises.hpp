// Generated irises to check with.
#pragma once

#include <random>
#include <vector>

#include "idmesh/matcher/iris_template.hpp"

inline std::vector<std::uint8_t> random_bytes(std::mt19937& random, std::size_t count,
                                              unsigned set_of_8 = 4) {
    std::vector<std::uint8_t> made(count);
    for (std::uint8_t& byte : made) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            byte = static_cast<std::uint8_t>(byte | (random() % 8 < set_of_8) << bit);
        }
    }
    return made;
}

// Every bit is drawn by itself; valid_of_8 eighths of them are valid.
inline idmesh::matcher::IrisTemplate an_iris(
    std::mt19937& random, idmesh::matcher::IrisLayout layout = idmesh::matcher::kDefaultIrisLayout,
    unsigned valid_of_8 = 6) {
    return idmesh::matcher::iris_from_bytes(random_bytes(random, layout.bytes()),
                                            random_bytes(random, layout.bytes(), valid_of_8),
                                            layout);
}

// The iris captured again: turned, and a bit in `one_in` of its code flipped.
inline idmesh::matcher::IrisTemplate captured(const idmesh::matcher::IrisTemplate& iris,
                                              std::mt19937& random, int turned, unsigned one_in) {
    idmesh::matcher::IrisTemplate made = idmesh::matcher::iris_rotated(iris, turned);
    const std::size_t words = iris.layout.words();
    for (std::size_t k = 0; k < words * 64; ++k) {
        const std::uint64_t bit = std::uint64_t{random() % one_in == 0} << k % 64;
        made.bits[k / 64] ^= bit & made.bits[words + k / 64];
    }
    return made;
}
