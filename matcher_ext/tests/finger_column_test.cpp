#include <algorithm>
#include <cstring>

#include "../src/finger/score.hpp"
#include "check.hpp"
#include "idmesh/matcher/finger_column.hpp"

using namespace idmesh::matcher;

namespace {

// Of all sizes, also larger than is kept, and of shapes that no finger has.
std::vector<FingerTemplate> odd_and_usual_fingers(std::mt19937& random) {
    std::vector<FingerTemplate> made;
    for (const int count : {1, 2, 7, 8, 9, 15, 16, 17, 24, 40, 63, 64, 65, 96, 255}) {
        made.push_back(to_template(a_finger(random, count)));
    }
    made.push_back(to_template(std::vector<RawMinutia>(96, RawMinutia{10, 10, 0, 0})));
    auto one_way = a_finger(random, 64);
    for (RawMinutia& m : one_way) {
        m.direction = 200;
    }
    made.push_back(to_template(one_way));
    made.push_back(to_template({{-4000, 0, 0, 0}, {95, 4095, 255, 100}}));  // as far as it goes
    return made;
}

FingerColumn column_of(const std::vector<FingerTemplate>& fingers) {
    FingerColumn column(2 * fingers.size());
    for (std::size_t k = 0; k < fingers.size(); ++k) {
        column.put(2 * k, fingers[k]);  // between them absent rows
    }
    return column;
}

void a_row_compares_like_the_template_that_was_put() {
    std::mt19937 random(1);
    const auto fingers = odd_and_usual_fingers(random);
    const FingerColumn column = column_of(fingers);
    for (const FingerTemplate& one : fingers) {
        const FingerProbe probe(one);
        for (std::size_t k = 0; k < fingers.size(); ++k) {
            CHECK(column.has(2 * k) && !column.has(2 * k + 1));
            CHECK(column.compare(2 * k, probe) == finger_similarity(one.view(), fingers[k].view()));
        }
    }
}

void minutiae_come_back_as_they_were_put() {
    std::mt19937 random(2);
    const auto fingers = odd_and_usual_fingers(random);
    const FingerColumn column = column_of(fingers);
    for (std::size_t k = 0; k < fingers.size(); ++k) {
        const auto found = column.minutiae(2 * k);
        CHECK(found.size() == fingers[k].minutiae.size());
        for (std::size_t m = 0; m < found.size(); ++m) {
            const Minutia& put = fingers[k].minutiae[m];
            CHECK(found[m].x == put.x && found[m].y == put.y &&
                  found[m].direction == put.direction);
        }
        CHECK(column.minutiae(2 * k + 1).empty());
    }
}

void a_scan_ranks_the_mate_before_strangers() {
    std::mt19937 random(3);
    std::vector<FingerTemplate> strangers;
    for (int k = 0; k < 200; ++k) {
        strangers.push_back(to_template(a_finger(random)));
    }
    for (int k = 0; k < 20; ++k) {
        const auto finger = a_finger(random);
        auto gallery = strangers;
        gallery.push_back(to_template(finger));
        const FingerColumn column = column_of(gallery);
        std::vector<std::uint16_t> scores(2 * gallery.size());
        column.scan(0, scores.size(), FingerProbe(to_template(captured(finger, random, k - 10))),
                    scores.data());
        const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
        CHECK(static_cast<std::size_t>(best) == 2 * strangers.size());
        CHECK(scores[1] == 0);
    }
}

// Sanitizers see it if a kernel touches a row beyond.
void a_scan_of_any_range_gives_the_same_scores() {
    std::mt19937 random(4);
    const auto fingers = odd_and_usual_fingers(random);
    const FingerColumn column = column_of(fingers);
    const std::size_t rows = 2 * fingers.size();
    for (const FingerTemplate& one : fingers) {
        const FingerProbe probe(one);
        std::vector<std::uint16_t> all(rows);
        column.scan(0, rows, probe, all.data());
        for (std::size_t first = 0; first <= rows; ++first) {
            std::vector<std::uint16_t> some(rows - first);
            column.scan(first, rows, probe, some.data());
            CHECK(std::equal(some.begin(), some.end(), all.begin() + static_cast<long>(first)));
        }
    }
}

void a_set_equals_serial(const FingerKernels& kernels, const std::vector<FingerTemplate>& fingers,
                         const FingerScanRows& rows) {
    const FingerKernels& serial = finger_kernels(InstructionSet::serial);
    for (const FingerTemplate& one : fingers) {
        const FingerProbe probe(one);
        std::vector<std::uint16_t> expected(2 * fingers.size());
        std::vector<std::uint16_t> found(expected.size());
        serial.scan(probe.scan(), rows, 0, expected.size(), expected.data());
        kernels.scan(probe.scan(), rows, 0, found.size(), found.data());
        CHECK(expected == found);
        std::vector<Descriptor> described(one.minutiae.size());
        serial.describe(one.minutiae.data(), described.size(), described.data());
        const std::size_t bytes = described.size() * sizeof(Descriptor);
        CHECK(std::memcmp(described.data(), one.descriptors.data(), bytes) == 0);
        kernels.describe(one.minutiae.data(), described.size(), described.data());
        CHECK(std::memcmp(described.data(), one.descriptors.data(), bytes) == 0);
        for (const FingerTemplate& other : fingers) {
            FingerPoints reference;
            to_points(other.view(), reference);
            const FingerFeatures same = finger_features(probe.points(), reference, serial);
            const FingerFeatures features = finger_features(probe.points(), reference, kernels);
            CHECK(std::memcmp(&same, &features, sizeof same) == 0);
            CHECK(finger_promise(probe.points(), reference, serial) ==
                  finger_promise(probe.points(), reference, kernels));
        }
    }
}

void every_set_equals_serial() {
    std::mt19937 random(5);
    auto fingers = odd_and_usual_fingers(random);
    for (int k = 0; k < 20; ++k) {  // mated ones too: much pairs
        const auto finger = a_finger(random);
        fingers.push_back(to_template(captured(finger, random, 0)));
        fingers.push_back(to_template(captured(finger, random, 3 * k)));
    }
    FingerColumn column = column_of(fingers);
    const auto planes = column.planes(2 * fingers.size());
    const FingerScanRows rows{reinterpret_cast<const std::uint64_t*>(planes[2].bytes.data()),
                              reinterpret_cast<const std::uint8_t*>(planes[1].bytes.data()),
                              reinterpret_cast<const std::uint32_t*>(planes[3].bytes.data())};
    for (const InstructionSet set : kInstructionSets) {
        if (can_run(set)) {
            a_set_equals_serial(finger_kernels(set), fingers, rows);
        } else {
            std::printf("skipped: this machine cannot run %s\n", name_of(set));
        }
    }
}

void same_minutiae(const FingerColumn& a, const FingerColumn& b, std::size_t rows) {
    for (std::size_t row = 0; row < rows; ++row) {
        const auto first = a.minutiae(row);
        const auto second = b.minutiae(row);
        CHECK(first.size() == second.size());
        CHECK(std::memcmp(first.data(), second.data(), first.size() * sizeof(Minutia)) == 0);
    }
}

void rows_take_what_their_minutiae_need_wherever_they_come_from() {
    std::mt19937 random(7);
    const auto fingers = odd_and_usual_fingers(random);
    const std::size_t rows = 2 * fingers.size();
    FingerColumn column = column_of(fingers);
    std::size_t beyond = 0;
    for (const FingerTemplate& one : fingers) {
        beyond += FingerColumn::bytes_beyond(one);
    }
    CHECK(beyond > 0 && column.bytes(rows) == FingerColumn(rows).bytes(rows) + beyond);
    FingerColumn copied(rows);
    for (std::size_t row = 0; row < rows; ++row) {
        if (column.has(row)) {
            copied.copy(row, column, row);
        }
    }
    CHECK(copied.bytes(rows) == column.bytes(rows));
    same_minutiae(copied, column, rows);
    FingerColumn loaded(rows);
    const auto from = column.planes(rows);
    auto to = loaded.planes(rows);
    for (std::size_t k = 0; k < from.size(); ++k) {
        CHECK(to[k].most == from[k].most &&
              (to[k].most == 0 || from[k].bytes.size() <= to[k].most));
        std::copy(from[k].bytes.begin(), from[k].bytes.end(), to[k].bytes.data());
    }
    CHECK(loaded.adopt(rows) && loaded.bytes(rows) == column.bytes(rows));
    same_minutiae(loaded, column, rows);
    column.settle(rows);
    same_minutiae(loaded, column, rows);
    to[0].bytes[0] = std::byte{kMaxMinutiae + 1};
    CHECK(!loaded.adopt(rows));
}

void the_order_of_a_record_says_nothing() {
    std::mt19937 random(6);
    auto finger = a_finger(random, 80);
    const FingerTemplate first = to_template(finger);
    std::shuffle(finger.begin(), finger.end(), random);
    const FingerTemplate second = to_template(finger);
    const std::size_t bytes = first.minutiae.size() * sizeof(Minutia);
    CHECK(first.minutiae.size() == second.minutiae.size());
    CHECK(std::memcmp(first.minutiae.data(), second.minutiae.data(), bytes) == 0);
}

void minutiae_too_far_apart_are_refused() {
    CHECK(refused([] { to_template({{-4000, 0, 0, 0}, {96, 0, 0, 0}}); }) == "TEMPLATE_MALFORMED");
}

}  // namespace

int main() {
    a_row_compares_like_the_template_that_was_put();
    minutiae_come_back_as_they_were_put();
    a_scan_ranks_the_mate_before_strangers();
    a_scan_of_any_range_gives_the_same_scores();
    every_set_equals_serial();
    rows_take_what_their_minutiae_need_wherever_they_come_from();
    the_order_of_a_record_says_nothing();
    minutiae_too_far_apart_are_refused();
}
