// Face embeddings: people are directions, some closer than others; captures lie around them.
#include <algorithm>
#include <cmath>
#include <vector>

#include "draws.hpp"
#include "idmesh/matcher/synthetic.hpp"

namespace idmesh::matcher::synthetic {

namespace {

// Variances fall from the first dimension to the last, so that cosines of strangers spread as
// those of 512 dimensions of real embeddings do, about as those of 250 equal ones.
constexpr double kFirstVariance = 2.0;
// Groups that encoders tell apart less well: sex, age, origin.
constexpr std::uint64_t kGroups = 24;
constexpr float kGroupPart = 0.36F;   // its square is the cosine that a group adds
constexpr float kCommonPart = 0.10F;  // of all faces
constexpr double kMeanAngle = 0.098;  // turns, of a capture from its person
constexpr double kAngleDeviation = 0.019;
constexpr double kSpoiltAngle = 0.205;
constexpr double kFarthest = 0.24;

void draw_direction(Draws& draws, std::size_t dimension, std::vector<float>& out) {
    out.resize((dimension + 3) / 4 * 4);
    draws.signs(out.data(), static_cast<int>(out.size()));
    out.resize(dimension);
    double squares = 0;
    for (std::size_t k = 0; k < dimension; ++k) {
        const double part = static_cast<double>(k) / static_cast<double>(dimension);
        out[k] *= static_cast<float>(std::sqrt(kFirstVariance * (1 - part) + 0.02));
        squares += static_cast<double>(out[k]) * out[k];
    }
    const auto scale = static_cast<float>(1.0 / std::sqrt(squares));
    for (float& one : out) {
        one *= scale;
    }
}

void add(std::vector<float>& to, double keep, const std::vector<float>& other, double part) {
    for (std::size_t k = 0; k < to.size(); ++k) {
        to[k] = static_cast<float>(keep) * to[k] + static_cast<float>(part) * other[k];
    }
}

}  // namespace

void face_capture(const Population& population, std::uint64_t person, std::uint64_t capture,
                  float* out) {
    const std::size_t dimension = population.face_dimension;
    Draws of_person(Subject::face_master, {population.seed, person});
    const std::uint64_t group = of_person.bits() % kGroups;
    std::vector<float> face;
    std::vector<float> other;
    draw_direction(of_person, dimension, face);
    Draws of_group(Subject::face_group, {group});
    draw_direction(of_group, dimension, other);
    add(face, std::sqrt(1 - kGroupPart * kGroupPart), other, kGroupPart);
    Draws of_all(Subject::face_group, {kGroups});
    draw_direction(of_all, dimension, other);
    add(face, std::sqrt(1 - kCommonPart * kCommonPart), other, kCommonPart);

    Draws draws(Subject::face_capture, {population.seed, person, capture});
    const bool spoilt = draws.chance(population.bad.spoilt_face);
    const double z = draws.normal();
    double angle = population.noise * (kMeanAngle + kAngleDeviation * (z + 0.25 * z * z));
    if (spoilt) {
        angle = kSpoiltAngle + kAngleDeviation * z;
    }
    angle = std::clamp(angle, 0.0, kFarthest);
    draw_direction(draws, dimension, other);
    add(face, cosine(angle), other, sine(angle));
    double squares = 0;
    for (const float one : face) {
        squares += static_cast<double>(one) * one;
    }
    const auto scale = static_cast<float>(1.0 / std::sqrt(squares));
    std::transform(face.begin(), face.end(), out, [scale](float one) { return one * scale; });
}

}  // namespace idmesh::matcher::synthetic
