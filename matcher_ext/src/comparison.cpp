#include "idmesh/matcher/comparison.hpp"

#include "idmesh/matcher/dispatch.hpp"
#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

Modality modality_of(const Template& any) noexcept {
    return static_cast<Modality>(any.index());
}

Probe::Probe(const Template& probe, int iris_rotation)
    : modality_(modality_of(probe)), template_(&probe) {
    if (iris_rotation < 0 || iris_rotation > kMaxIrisRotation) {
        throw MatcherError("ROTATION_OUT_OF_RANGE", "iris_rotation",
                           "The iris rotation is out of [0, 64] angles.");
    }
    if (modality_ == Modality::iris) {
        iris_.emplace(std::get<IrisTemplate>(probe), iris_rotation);
    }
}

float Probe::compare(const FingerView& reference) const noexcept {
    return finger_similarity(std::get<FingerTemplate>(*template_).view(), reference);
}

float Probe::compare(const std::uint64_t* iris) const noexcept {
    return iris_->similarity(0, iris);
}

float Probe::compare(const float* padded_vector) const noexcept {
    const auto& probe = std::get<FaceTemplate>(*template_);
    float cosine = 0.0F;
    kernels().compare_face(probe.vector.data(), padded_vector, probe.vector.size(), 1, &cosine);
    return face_similarity(cosine);
}

float similarity(const Template& probe, const Template& reference, int iris_rotation) {
    if (probe.index() != reference.index()) {
        throw MatcherError("MODALITY_MISMATCH", "reference",
                           "The probe and the reference are of different modalities.");
    }
    const Probe ready(probe, iris_rotation);
    switch (ready.modality()) {
        case Modality::finger:
            return ready.compare(std::get<FingerTemplate>(reference).view());
        case Modality::iris:
            return iris_similarity(std::get<IrisTemplate>(probe), std::get<IrisTemplate>(reference),
                                   iris_rotation);
        case Modality::face:
            break;
    }
    const auto& face = std::get<FaceTemplate>(reference);
    if (face.dimension != std::get<FaceTemplate>(probe).dimension) {
        throw MatcherError("DIMENSION_MISMATCH", "reference",
                           "The probe and the reference have different dimensions.");
    }
    return ready.compare(face.vector.data());
}

}  // namespace idmesh::matcher
