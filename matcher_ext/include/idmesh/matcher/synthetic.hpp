// People who do not exist: fingers, irises and faces with the statistics of real ones, and what
// sensors make of them. What is drawn depends on the numbers given alone (seed, person, position,
// capture), not on order, thread, machine or instruction set.
//
// Fingers and irises follow the templates of FVC2002 and MMU v1, so they are of hard captures;
// `noise` below 1 is a better operator. Faces follow no data: see face_capture().
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "idmesh/matcher/comparison.hpp"

namespace idmesh::matcher::synthetic {

// How often a capture goes wrong; proportions. All 0: never.
struct BadCaptures {
    double spoilt_face = 0.0;  // of the captures: someone's face, but not recognisably the person's
    double missing_face = 0.0;    // of the captures
    double masked_iris = 0.0;     // of the eyes captured: a quarter is left to compare
    double missing_finger = 0.0;  // of the fingers captured: bandaged
    double lost_finger = 0.0;     // of the fingers a person has, for good
    double swapped_hands = 0.0;   // of the captures: right and left are exchanged
    double children = 0.0;        // of the people: no irises are taken
};

// What a large enrolment has to expect.
inline constexpr BadCaptures kUsualBadCaptures{0.01, 0.02, 0.02, 0.01, 0.003, 0.003, 0.1};

struct Population {
    std::uint64_t seed = 1;
    double noise = 1.0;  // 0 a perfect sensor, 1 as in the data, 2 a bad day
    std::size_t face_dimension = 512;
    BadCaptures bad;
};

// As an ISO/IEC 19794-2 record has it: pixels of 500 dpi, y downwards, direction counter-clockwise
// as the image is seen.
struct SyntheticMinutia {
    std::uint16_t x;
    std::uint16_t y;
    std::uint8_t direction;  // 256 to the turn
    std::uint8_t quality;    // 1 to 100
    std::uint8_t kind;       // 1 ridge ending, 2 bifurcation

    bool operator==(const SyntheticMinutia&) const = default;
};

inline constexpr std::uint16_t kImageWidth = 400;
inline constexpr std::uint16_t kImageHeight = 500;
inline constexpr std::size_t kMostMinutiae = 128;

struct FingerCapture {
    std::uint8_t position;
    std::uint8_t quality;  // 1 to 100
    std::size_t count;     // at least 1
    SyntheticMinutia minutiae[kMostMinutiae];
};

// All that a finger has, before any sensor; y upwards from the middle of the pad.
struct MasterMinutia {
    float x;
    float y;
    float turns;    // direction, in turns
    float clarity;  // in (0, 1]: how surely a sensor finds it
    bool bifurcation;
};
struct MasterFinger {
    std::size_t count;
    MasterMinutia minutiae[kMostMinutiae];
};

// position: 1 to 10 of ISO/IEC 19794-2, or 0 for a finger of no position.
MasterFinger finger_master(const Population& population, std::uint64_t person, int position);
FingerCapture finger_capture(const Population& population, std::uint64_t person, int position,
                             std::uint64_t capture);
FingerTemplate finger_template(const FingerCapture& capture);

// The default layout: 2 bands of 8 rows of 128 angles.
struct IrisCapture {
    std::uint64_t code[32];
    std::uint64_t mask[32];

    bool operator==(const IrisCapture&) const = default;
};

// eye: 1 right, 2 left.
IrisCapture iris_capture(const Population& population, std::uint64_t person, int eye,
                         std::uint64_t capture);
IrisTemplate iris_template(const IrisCapture& capture);

// Writes population.face_dimension numbers of unit length. Cosines are as published for current
// embeddings (mated about 0.7, non-mated about 0.02, people of one group more alike), not measured:
// calibrate a real encoder on its own.
void face_capture(const Population& population, std::uint64_t person, std::uint64_t capture,
                  float* out);

// A whole session: fingers by position 1 to 10, irises 1 and 2, the face at 0; what is missing is
// left out.
std::vector<std::pair<std::uint8_t, Template>> person_capture(const Population& population,
                                                              std::uint64_t person,
                                                              std::uint64_t capture);

}  // namespace idmesh::matcher::synthetic
