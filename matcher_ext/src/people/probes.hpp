// A batch of people's probes, made ready to be compared with many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "idmesh/matcher/people.hpp"
#include "people/segment.hpp"

namespace idmesh::matcher {

class ReadyProbes {
  public:
    struct Finger {
        std::uint8_t position;
        FingerProbe probe;
    };
    struct Iris {
        std::uint8_t position;
        std::size_t group;  // of iris_groups()
        std::size_t index;  // in it
    };
    struct Person {
        std::vector<Finger> fingers;  // as given: ascending position, the unknown ones last
        std::vector<Iris> irises;
        std::optional<std::size_t> face;  // index in faces()
    };
    // Irises of one position, at most as many as a gate takes at once.
    struct IrisGroup {
        std::uint8_t position;
        std::vector<std::size_t> person;  // of each
        IrisProbes probes;
    };

    // gate_llr: the gates pass whoever may have as much evidence in one modality.
    // Throws MatcherError: what placed() throws.
    ReadyProbes(std::span<const PersonProbe> probes, const PersonShape& shape, int iris_rotation,
                float gate_llr);

    const std::vector<Person>& people() const noexcept { return people_; }
    const std::vector<IrisGroup>& iris_groups() const noexcept { return iris_groups_; }
    const FaceProbes* faces() const noexcept { return faces_ ? &*faces_ : nullptr; }
    std::size_t person_of_face(std::size_t face) const noexcept { return person_of_face_[face]; }

  private:
    struct GivenIris;
    void group_irises(const std::vector<GivenIris>& irises, int rotation, float gate_llr);

    std::vector<Person> people_;
    std::vector<IrisGroup> iris_groups_;
    std::optional<FaceProbes> faces_;
    std::vector<std::size_t> person_of_face_;
};

}  // namespace idmesh::matcher
