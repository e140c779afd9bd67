// Generated people, and captures of them.
#pragma once

#include <deque>
#include <random>
#include <vector>

#include "check.hpp"
#include "face_vectors.hpp"
#include "idmesh/matcher/people.hpp"
#include "irises.hpp"

inline idmesh::matcher::ReferenceId an_id(std::uint32_t number) {
    idmesh::matcher::ReferenceId id{};
    for (std::size_t k = 0; k < 4; ++k) {
        id[15 - k] = static_cast<std::uint8_t>(number >> 8 * k);
    }
    return id;
}

// Templates of one person, kept alive, and as they are added.
class Person {
  public:
    void give(std::uint8_t position, idmesh::matcher::Template made) {
        held_.push_back(std::move(made));
        positions_.push_back(position);
    }

    std::vector<idmesh::matcher::PositionedTemplate> templates() const {
        std::vector<idmesh::matcher::PositionedTemplate> made;
        for (std::size_t k = 0; k < held_.size(); ++k) {
            made.push_back({positions_[k], &held_[k]});
        }
        return made;
    }

  private:
    std::deque<idmesh::matcher::Template> held_;
    std::vector<std::uint8_t> positions_;
};

// What a person is, before captures.
struct Body {
    std::vector<std::vector<idmesh::matcher::RawMinutia>> fingers;  // 10
    idmesh::matcher::IrisTemplate irises[2];
    idmesh::matcher::FaceTemplate face;
};

inline constexpr std::size_t kFaceDimension = 64;

inline Body a_body(std::mt19937& random) {
    Body made;
    for (int finger = 0; finger < 10; ++finger) {
        made.fingers.push_back(a_finger(random, 25 + static_cast<int>(random() % 30)));
    }
    for (auto& iris : made.irises) {
        iris = an_iris(random);
    }
    made.face = a_gaussian_face(random, kFaceDimension);
    return made;
}

// What is captured: bits 0 to 9 fingers 1 to 10, 10 and 11 irises, 12 the face.
inline constexpr std::uint32_t kEverything = (1U << 13) - 1;
inline constexpr std::uint32_t kAllFingers = (1U << 10) - 1;
inline constexpr std::uint32_t kRightHand = (1U << 5) - 1;
inline constexpr std::uint32_t kIrises = 3U << 10;
inline constexpr std::uint32_t kFace = 1U << 12;

inline Person a_capture(const Body& body, std::mt19937& random, std::uint32_t what = kEverything) {
    using namespace idmesh::matcher;
    Person made;
    for (std::uint8_t finger = 0; finger < 10; ++finger) {
        if ((what >> finger & 1) != 0) {
            const double degrees = static_cast<double>(random() % 40) - 20;
            made.give(static_cast<std::uint8_t>(finger + 1),
                      to_template(captured(body.fingers[finger], random, degrees)));
        }
    }
    for (std::uint8_t eye = 0; eye < 2; ++eye) {
        if ((what >> (10 + eye) & 1) != 0) {
            const int turned = static_cast<int>(random() % 11) - 5;
            made.give(static_cast<std::uint8_t>(eye + 1),
                      captured(body.irises[eye], random, turned, 8));
        }
    }
    if ((what & kFace) != 0) {
        made.give(0, a_mate(random, body.face, 0.5));
    }
    return made;
}
