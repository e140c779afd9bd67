// Generated face embeddings.
#pragma once

#include <cmath>
#include <random>
#include <vector>

#include "idmesh/matcher/face_template.hpp"

inline idmesh::matcher::FaceTemplate a_gaussian_face(std::mt19937& random, std::size_t dimension) {
    std::normal_distribution<float> element;
    std::vector<float> made(dimension);
    for (float& value : made) {
        value = element(random);
    }
    return idmesh::matcher::face_from_vector(made);
}

// The face once more, with noise of so many times its length.
inline idmesh::matcher::FaceTemplate a_mate(std::mt19937& random,
                                            const idmesh::matcher::FaceTemplate& face,
                                            double noise) {
    const double each = noise / std::sqrt(static_cast<double>(face.dimension));
    std::normal_distribution<double> element(0.0, 1.0);
    std::vector<float> made(face.vector.begin(),
                            face.vector.begin() + static_cast<std::ptrdiff_t>(face.dimension));
    for (float& value : made) {
        value = static_cast<float>(value + each * element(random));
    }
    // Noise may cancel the only element there is.
    made[0] += made[0] == 0.0F ? 1e-20F : 0.0F;
    return idmesh::matcher::face_from_vector(made);
}

// One of the kinds that a bound is likely to be wrong for.
inline idmesh::matcher::FaceTemplate an_odd_face(std::mt19937& random, std::size_t dimension) {
    std::vector<float> made(dimension, 0.0F);
    const float sign = random() % 2 == 0 ? 1.0F : -1.0F;
    switch (random() % 8) {
        case 0:  // one element
            made[random() % dimension] = sign;
            break;
        case 1:  // all equal
            made.assign(dimension, sign);
            break;
        case 2:  // two signs: the inner product of codes is as large as it gets
            for (std::size_t k = 0; k < dimension; ++k) {
                made[k] = k % 2 == 0 ? sign : -sign;
            }
            break;
        case 3:  // one element and dust that is rounded away
            for (float& value : made) {
                value = static_cast<float>(random() % 1000) * 1e-7F;
            }
            made[random() % dimension] = sign;
            break;
        case 4:  // dust that fp32 cannot square
            made.assign(dimension, 1e-30F);
            made[random() % dimension] = sign;
            break;
        case 5:  // half a code from the next one: the most that rounding can lose
            for (float& value : made) {
                value = sign * 0.5F / 119.0F * static_cast<float>(1 + 2 * (random() % 60));
            }
            made[random() % dimension] = sign;
            break;
        case 6:  // few elements
            for (std::size_t k = 0; k < 5; ++k) {
                made[random() % dimension] = static_cast<float>(random() % 7) - 3.0F;
            }
            made[random() % dimension] = sign;
            break;
        default:
            return a_gaussian_face(random, dimension);
    }
    return idmesh::matcher::face_from_vector(made);
}
