#include "people/probes.hpp"

#include <algorithm>

#include "idmesh/matcher/person_score.hpp"

namespace idmesh::matcher {

struct ReadyProbes::GivenIris {
    std::size_t person;
    std::uint8_t position;
    const IrisTemplate* iris;
};

ReadyProbes::ReadyProbes(std::span<const PersonProbe> probes, const PersonShape& shape,
                         int iris_rotation, float gate_llr)
    : people_(probes.size()) {
    std::vector<const FaceTemplate*> faces;
    std::vector<GivenIris> irises;
    for (std::size_t person = 0; person < probes.size(); ++person) {
        for (const Placed& one : placed(probes[person])) {
            const std::uint8_t position = position_of_slot(one.slot);
            if (const auto* finger = std::get_if<FingerTemplate>(one.value)) {
                people_[person].fingers.push_back({position, FingerProbe(*finger)});
            } else if (const auto* iris = std::get_if<IrisTemplate>(one.value)) {
                irises.push_back({person, position, iris});
            } else if (const auto* face = std::get_if<FaceTemplate>(one.value)) {
                people_[person].face = faces.size();
                person_of_face_.push_back(person);
                faces.push_back(face);
            }
        }
    }
    if (!faces.empty()) {
        faces_.emplace(faces, shape.face_dimension);
    }
    group_irises(irises, iris_rotation, gate_llr);
}

void ReadyProbes::group_irises(const std::vector<GivenIris>& irises, int rotation, float gate_llr) {
    const float least = least_similarity(Modality::iris, gate_llr);
    for (std::uint8_t position = 0; position <= kKnownIrises; ++position) {
        std::vector<const GivenIris*> alike;
        for (const GivenIris& one : irises) {
            if (one.position == position) {
                alike.push_back(&one);
            }
        }
        for (std::size_t first = 0; first < alike.size(); first += kMaxIrisProbes) {
            const std::size_t count = std::min(kMaxIrisProbes, alike.size() - first);
            std::vector<const IrisTemplate*> templates;
            std::vector<std::size_t> people;
            for (std::size_t k = first; k < first + count; ++k) {
                people_[alike[k]->person].irises.push_back(
                    {position, iris_groups_.size(), k - first});
                templates.push_back(alike[k]->iris);
                people.push_back(alike[k]->person);
            }
            iris_groups_.push_back(
                {position, std::move(people),
                 IrisProbes(templates, rotation, std::vector<float>(count, least))});
        }
    }
}

}  // namespace idmesh::matcher
