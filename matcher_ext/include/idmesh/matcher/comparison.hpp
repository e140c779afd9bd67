// One comparison of two templates, and a probe made ready for many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "idmesh/matcher/face_template.hpp"
#include "idmesh/matcher/finger_template.hpp"
#include "idmesh/matcher/iris_column.hpp"
#include "idmesh/matcher/kernels.hpp"

namespace idmesh::matcher {

enum class Modality : std::uint8_t { finger, iris, face };

using Template = std::variant<FingerTemplate, IrisTemplate, FaceTemplate>;

Modality modality_of(const Template& any) noexcept;

// What the pairing of two fingerprints is judged by; where nothing pairs all are 0 but `most`.
struct FingerFeatures {
    float pairs;      // of minutiae
    float coverage;   // pairs over the minutiae that the overlap has, of the side with fewer
    float apart;      // squared distances left over, in 100 square pixels, added
    float turned;     // squared directions left over, in 100 square 256ths of the turn, added
    float unpaired;   // minutiae in the overlap, of both sides
    float agreement;  // root of how well every two seeds agree, added
    float company;    // root of how well each pair agrees with its three best companions, added
    float clear;      // clarity of both minutiae of each pair, multiplied, then added
    float most;       // minutiae of the finger that has more: they pair by chance
};

// Symmetric.
FingerFeatures finger_features(const FingerView& probe, const FingerView& reference) noexcept;

// In [0, 1]; 0.5 where about one non-mated comparison in ten thousand still reaches it.
float finger_similarity(const FingerView& probe, const FingerView& reference) noexcept;

// In [0, 1]: (1 + cosine) / 2.
float face_similarity(float cosine) noexcept;

// A probe ready to be compared with many references. Refers to the template: keep that alive.
class Probe {
  public:
    // Throws MatcherError: ROTATION_OUT_OF_RANGE.
    Probe(const Template& probe, int iris_rotation);

    Modality modality() const noexcept { return modality_; }

    float compare(const FingerView& reference) const noexcept;
    float compare(const std::uint64_t* iris) const noexcept;  // words of code, words of mask
    float compare(const float* padded_vector) const noexcept;

  private:
    Modality modality_;
    const Template* template_;
    std::optional<IrisProbes> iris_;
};

// Throws MatcherError: MODALITY_MISMATCH, DIMENSION_MISMATCH, ROTATION_OUT_OF_RANGE.
float similarity(const Template& probe, const Template& reference, int iris_rotation);

}  // namespace idmesh::matcher
