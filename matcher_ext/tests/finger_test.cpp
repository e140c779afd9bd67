#include "check.hpp"
#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/fusion.hpp"

using namespace idmesh::matcher;

namespace {

void captures_of_one_finger_are_alike_and_of_two_are_not() {
    std::mt19937 random(1);
    for (int k = 0; k < 40; ++k) {
        const auto finger = a_finger(random);
        const auto first = to_template(captured(finger, random, 0));
        const auto second = to_template(captured(finger, random, k * 1.5 - 30));
        const auto other = to_template(a_finger(random));
        CHECK(finger_similarity(first.view(), second.view()) > 0.95F);
        CHECK(finger_similarity(first.view(), other.view()) < 0.5F);
        CHECK(finger_similarity(first.view(), second.view()) ==
              finger_similarity(second.view(), first.view()));
    }
}

void any_sizes_give_a_similarity() {
    std::mt19937 random(2);
    for (const int probe : {1, 2, 3, 63, 64, 255}) {
        for (const int reference : {1, 2, 30, 255}) {
            const auto a = to_template(a_finger(random, probe));
            const auto b = to_template(a_finger(random, reference));
            const float similarity = finger_similarity(a.view(), b.view());
            CHECK(similarity >= 0.0F && similarity <= 0.5F);
        }
    }
    // All in one place, so that everything is near everything.
    const auto heap = to_template(std::vector<RawMinutia>(255, RawMinutia{10, 10, 0, 0}));
    CHECK(heap.minutiae.size() == kMaxMinutiae);
    CHECK(std::isfinite(finger_similarity(heap.view(), heap.view())));
}

void a_resolution_changes_nothing_but_the_scale() {
    std::mt19937 random(3);
    auto finger = a_finger(random);
    const auto at_500 = to_template(finger);
    for (auto& m : finger) {
        m.x *= 2;
        m.y *= 2;
    }
    const auto at_1000 = finger_from_minutiae(finger, 1000, 1000);
    CHECK(finger_similarity(at_500.view(), at_1000.view()) > 0.99F);
}

void what_is_no_template_is_refused() {
    CHECK(refused([] { to_template({}); }) == "TEMPLATE_EMPTY");
    CHECK(refused([] { to_template({{NAN, 0, 0, 0}}); }) == "VALUE_NOT_FINITE");
    CHECK(refused([] { to_template({{1e9, 0, 0, 0}}); }) == "TEMPLATE_MALFORMED");
    CHECK(refused([] { finger_from_minutiae(std::vector<RawMinutia>{{1, 1, 0, 0}}, NAN, 500); }) ==
          "TEMPLATE_MALFORMED");
    CHECK(refused([] { finger_from_record({}, 0); }) == "TEMPLATE_MALFORMED");
}

void fusion_adds_evidence() {
    const std::vector<float> strangers(10, 0.02F);
    const std::vector<float> half{0.99F, 0.99F, 0.99F, 0.99F, 0.99F, 0.F, 0.F, 0.F, 0.F, 0.F};
    CHECK(fuse(Modality::finger, {}) == 0.0F);
    CHECK(fuse(Modality::finger, std::vector<float>{0.3F}) == 0.3F);
    CHECK(fuse(Modality::finger, strangers) < 0.001F);
    CHECK(fuse(Modality::finger, half) > 0.95F);
    CHECK(fuse(Modality::finger, std::vector<float>{1.0F, 1.0F}) == 1.0F);
}

}  // namespace

int main() {
    captures_of_one_finger_are_alike_and_of_two_are_not();
    any_sizes_give_a_similarity();
    a_resolution_changes_nothing_but_the_scale();
    what_is_no_template_is_refused();
    fusion_adds_evidence();
}
