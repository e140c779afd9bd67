#include <vector>

#include "draws.hpp"
#include "idmesh/matcher/synthetic.hpp"

namespace idmesh::matcher::synthetic {

namespace {

constexpr int kFingers = 10;
constexpr int kHand = 5;

// The position at which an operator who takes one hand for the other notes a finger.
int swapped(int position) noexcept {
    return position <= kHand ? position + kHand : position - kHand;
}

}  // namespace

std::vector<std::pair<std::uint8_t, Template>> person_capture(const Population& population,
                                                              std::uint64_t person,
                                                              std::uint64_t capture) {
    const BadCaptures& bad = population.bad;
    Draws of_person(Subject::person_events, {population.seed, person});
    Draws of_session(Subject::session_events, {population.seed, person, capture});
    const bool child = of_person.chance(bad.children);
    const bool swap = of_session.chance(bad.swapped_hands);
    const bool no_face = of_session.chance(bad.missing_face);
    bool lost[kFingers + 1];
    for (bool& one : lost) {
        one = of_person.chance(bad.lost_finger);
    }
    std::vector<std::pair<std::uint8_t, Template>> taken;
    taken.reserve(kFingers + 3);
    for (int noted = 1; noted <= kFingers; ++noted) {
        const int position = swap ? swapped(noted) : noted;
        if (of_session.chance(bad.missing_finger) || lost[position]) {
            continue;
        }
        FingerCapture finger = finger_capture(population, person, position, capture);
        finger.position = static_cast<std::uint8_t>(noted);
        taken.emplace_back(finger.position, finger_template(finger));
    }
    for (int eye = 1; eye <= 2 && !child; ++eye) {
        taken.emplace_back(static_cast<std::uint8_t>(eye),
                           iris_template(iris_capture(population, person, eye, capture)));
    }
    if (!no_face) {
        std::vector<float> vector(population.face_dimension);
        face_capture(population, person, capture, vector.data());
        taken.emplace_back(std::uint8_t{0}, face_from_vector(vector));
    }
    return taken;
}

}  // namespace idmesh::matcher::synthetic
