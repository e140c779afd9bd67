#include "idmesh/matcher/synthetic.hpp"

#include <algorithm>
#include <bit>

#include "check.hpp"

using namespace idmesh::matcher;
using namespace idmesh::matcher::synthetic;

namespace {

constexpr std::uint64_t kFingers = 0x1a398223e4f74c08U;
constexpr std::uint64_t kIrises = 0x8f28cdf2b916c92fU;
constexpr std::uint64_t kFaces = 0x6e4b634e858f0fe6U;

bool same(const FingerCapture& a, const FingerCapture& b) {
    return a.count == b.count && a.quality == b.quality &&
           std::equal(a.minutiae, a.minutiae + a.count, b.minutiae);
}

void the_same_numbers_give_the_same_capture_in_any_order() {
    Population population;
    population.seed = 7;
    const FingerCapture finger = finger_capture(population, 3, 2, 1);
    const IrisCapture iris = iris_capture(population, 3, 1, 1);
    std::vector<float> face(512);
    face_capture(population, 3, 1, face.data());
    for (const std::uint64_t person : {9U, 3U}) {
        for (const std::uint64_t capture : {2U, 1U}) {
            const bool asked_before = person == 3 && capture == 1;
            CHECK(same(finger, finger_capture(population, person, 2, capture)) == asked_before);
            CHECK((iris == iris_capture(population, person, 1, capture)) == asked_before);
            std::vector<float> other(512);
            face_capture(population, person, capture, other.data());
            CHECK((other == face) == asked_before);
        }
    }
    CHECK(!same(finger, finger_capture(population, 3, 3, 1)));
    Population another;
    another.seed = 8;
    CHECK(!same(finger, finger_capture(another, 3, 2, 1)));
    CHECK(iris != iris_capture(population, 3, 2, 1));
}

std::uint64_t mixed(std::uint64_t sum, std::uint64_t next) {
    return (sum ^ next) * 0x100000001b3U;
}

// What was generated once can be generated again: a figure of one year is a figure of the next.
void what_is_drawn_never_changes() {
    const Population population;
    std::uint64_t sum = 0xcbf29ce484222325U;
    for (int position = 1; position <= 10; ++position) {
        const FingerCapture finger = finger_capture(population, 42, position, 3);
        for (std::size_t k = 0; k < finger.count; ++k) {
            const SyntheticMinutia& one = finger.minutiae[k];
            sum = mixed(sum, one.x);
            sum = mixed(sum, one.y);
            sum = mixed(sum, one.direction);
        }
    }
    CHECK(sum == kFingers);
    const IrisCapture iris = iris_capture(population, 42, 1, 3);
    for (std::size_t k = 0; k < 32; ++k) {
        sum = mixed(mixed(sum, iris.code[k]), iris.mask[k]);
    }
    CHECK(sum == kIrises);
    std::vector<float> face(population.face_dimension);
    face_capture(population, 42, 3, face.data());
    for (const float one : face) {
        sum = mixed(sum, std::bit_cast<std::uint32_t>(one));
    }
    CHECK(sum == kFaces);
}

void fingers_fit_a_record() {
    for (const double noise : {0.0, 1.0, 4.0}) {
        Population population;
        population.noise = noise;
        for (std::uint64_t person = 0; person < 200; ++person) {
            const FingerCapture finger = finger_capture(population, person, 5, person);
            CHECK(finger.count >= 1 && finger.count <= kMostMinutiae);
            CHECK(finger.quality >= 1 && finger.quality <= 100);
            for (std::size_t k = 0; k < finger.count; ++k) {
                const SyntheticMinutia& one = finger.minutiae[k];
                CHECK(one.x < kImageWidth && one.y < kImageHeight);
                CHECK(one.quality >= 1 && one.quality <= 100);
                CHECK(one.kind == 1 || one.kind == 2);
            }
            CHECK(finger_template(finger).position == 5);
        }
    }
}

void a_perfect_sensor_sees_the_same_twice() {
    Population population;
    population.noise = 0;
    const Template finger = finger_template(finger_capture(population, 1, 1, 1));
    const Template again = finger_template(finger_capture(population, 1, 1, 2));
    CHECK(similarity(finger, again, 0) > 0.99F);
    const Template first = iris_template(iris_capture(population, 1, 1, 1));
    const Template second = iris_template(iris_capture(population, 1, 1, 2));
    CHECK(similarity(first, second, 0) == 1.0F);
}

void mated_pairs_are_alike_and_non_mated_are_not() {
    Population population;
    population.seed = 11;
    int alike = 0;
    for (std::uint64_t person = 0; person < 50; ++person) {
        const Template mine = finger_template(finger_capture(population, person, 2, 1));
        const Template again = finger_template(finger_capture(population, person, 2, 2));
        const Template other = finger_template(finger_capture(population, person + 50, 2, 1));
        alike += similarity(mine, again, 0) > 0.56F;
        CHECK(similarity(mine, other, 0) < 0.9F);
    }
    CHECK(alike >= 40);
}

void what_goes_wrong_is_left_out() {
    Population population;
    population.face_dimension = 32;
    CHECK(person_capture(population, 1, 1).size() == 13);
    population.bad = {0, 1, 0, 1, 0, 0, 1};
    CHECK(person_capture(population, 1, 1).empty());
    population.bad = {};
    population.bad.children = 1;
    CHECK(person_capture(population, 1, 1).size() == 11);
    population.bad = {};
    population.bad.lost_finger = 0.5;
    const auto first = person_capture(population, 1, 1);
    const auto second = person_capture(population, 1, 2);
    CHECK(first.size() == second.size() && first.size() < 13);
}

void swapped_hands_are_the_other_hands_fingers() {
    Population population;
    population.noise = 0;
    const auto right = person_capture(population, 1, 1);
    population.bad.swapped_hands = 1;
    const auto wrong = person_capture(population, 1, 1);
    for (std::size_t k = 0; k < 10; ++k) {
        CHECK(wrong[k].first == k + 1);
        CHECK(similarity(wrong[k].second, right[(k + 5) % 10].second, 0) > 0.99F);
        CHECK(similarity(wrong[k].second, right[k].second, 0) < 0.9F);
    }
}

void a_masked_iris_keeps_a_quarter() {
    Population population;
    population.bad.masked_iris = 1;
    for (std::uint64_t person = 0; person < 50; ++person) {
        const IrisCapture iris = iris_capture(population, person, 1, 1);
        int valid = 0;
        for (const std::uint64_t word : iris.mask) {
            valid += std::popcount(word);
        }
        CHECK(valid > 0 && valid < 700);
    }
}

}  // namespace

int main() {
    what_is_drawn_never_changes();
    the_same_numbers_give_the_same_capture_in_any_order();
    fingers_fit_a_record();
    a_perfect_sensor_sees_the_same_twice();
    mated_pairs_are_alike_and_non_mated_are_not();
    what_goes_wrong_is_left_out();
    swapped_hands_are_the_other_hands_fingers();
    a_masked_iris_keeps_a_quarter();
}
