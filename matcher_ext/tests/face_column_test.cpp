// The face column against brute force: every cosine computed, every instruction set.
#include <algorithm>
#include <bit>
#include <cstring>

#include "check.hpp"
#include "face_vectors.hpp"
#include "idmesh/matcher/face_column.hpp"

using namespace idmesh::matcher;

namespace {

constexpr std::size_t kDimensions[] = {1, 2, 15, 64, 65, 127, 128, 129, 300, 512, 513, 1000, 4096};

struct Case {
    FaceColumn column;
    std::vector<FaceTemplate> kept;  // by row; an empty one is absent
    std::vector<FaceTemplate> probes;

    FaceProbes ready() const {
        std::vector<const FaceTemplate*> pointers;
        for (const FaceTemplate& probe : probes) {
            pointers.push_back(&probe);
        }
        return {pointers, column.dimension()};
    }
};

// Of each odd kind of vector some; mates of the probes among them; every fifth row absent.
Case a_case(std::size_t dimension, std::size_t rows, std::size_t probes, std::uint32_t seed) {
    std::mt19937 random(seed);
    Case made{FaceColumn(rows + 1, dimension), {}, {}};
    for (std::size_t q = 0; q < probes; ++q) {
        made.probes.push_back(an_odd_face(random, dimension));
    }
    for (std::size_t row = 0; row < rows; ++row) {
        FaceTemplate face;
        if (random() % 5 != 0) {
            face = random() % 3 != 0 ? an_odd_face(random, dimension)
                                     : a_mate(random, made.probes[random() % probes],
                                              static_cast<double>(random() % 8) / 4.0);
            made.column.put(row, face);
        }
        made.kept.push_back(std::move(face));
    }
    return made;
}

// As cosine() has to compute it, written apart from it.
float expected_cosine(const FaceTemplate& a, const FaceTemplate& b) {
    float lanes[16] = {};
    for (std::size_t k = 0; k < a.vector.size(); ++k) {
        const volatile float product = a.vector[k] * b.vector[k];
        lanes[k % 16] = lanes[k % 16] + product;
    }
    float sum = 0.0F;
    for (const float lane : lanes) {
        sum += lane;
    }
    return sum;
}

std::vector<std::uint64_t> gated(const Case& one, const FaceProbes& probes,
                                 const std::vector<float>& least, InstructionSet set,
                                 std::size_t first, std::size_t last) {
    std::vector<std::uint64_t> hits(last - first + 1, 0xABCDEF);
    one.column.gate(first, last, probes, least.data(), hits.data(), set);
    CHECK(hits.back() == 0xABCDEF);
    hits.pop_back();
    return hits;
}

// Thresholds that are some row's own cosine, so that rounding the wrong way would lose it.
std::vector<float> thresholds(const Case& one, std::mt19937& random) {
    std::vector<float> least;
    for (const FaceTemplate& probe : one.probes) {
        const FaceTemplate& row = one.kept[random() % one.kept.size()];
        least.push_back(row.vector.empty() ? 0.25F : expected_cosine(row, probe));
    }
    return least;
}

void check_gate(const Case& one, InstructionSet set, std::mt19937& random) {
    const FaceProbes probes = one.ready();
    const std::vector<float> least = thresholds(one, random);
    const std::size_t rows = one.kept.size();
    const auto serial = gated(one, probes, least, InstructionSet::serial, 0, rows);
    CHECK(gated(one, probes, least, set, 0, rows) == serial);
    for (std::size_t row = 0; row < rows; ++row) {
        CHECK(one.column.has(row) == !one.kept[row].vector.empty());
        CHECK(one.column.has(row) || serial[row] == 0);
        for (std::size_t q = 0; one.column.has(row) && q < probes.size(); ++q) {
            const float cosine = expected_cosine(one.kept[row], one.probes[q]);
            CHECK(one.column.cosine(row, probes, q) == cosine);
            CHECK(cosine < least[q] || (serial[row] >> q & 1U) != 0);
        }
        CHECK(probes.size() == 64 || serial[row] >> probes.size() == 0);
    }
    const std::size_t first = random() % rows;
    const std::size_t last = first + random() % (rows - first + 1);
    CHECK(gated(one, probes, least, set, first, last) ==
          std::vector<std::uint64_t>(serial.begin() + static_cast<std::ptrdiff_t>(first),
                                     serial.begin() + static_cast<std::ptrdiff_t>(last)));
}

void a_row_that_reaches_its_threshold_is_never_missed(InstructionSet set) {
    std::mt19937 random(1);
    for (const std::size_t dimension : kDimensions) {
        for (const std::size_t probes : {1, 2, 3, 5, 16, 17, 40, 64}) {
            const std::size_t rows = 1 + random() % 150;
            check_gate(a_case(dimension, rows, probes, random()), set, random);
        }
    }
}

// With most rows hit a kernel may go another way than with few.
void dense_hits_are_the_same_bits(InstructionSet set) {
    std::mt19937 random(2);
    const Case one = a_case(128, 3000, 64, 3);
    const FaceProbes probes = one.ready();
    for (const float threshold : {-2.0F, -0.1F, 0.0F, 0.2F, 0.5F, 0.9F, 1.0F, 2.0F}) {
        const std::vector<float> least(64, threshold);
        const auto serial = gated(one, probes, least, InstructionSet::serial, 0, 3000);
        CHECK(gated(one, probes, least, set, 0, 3000) == serial);
    }
}

void thresholds_out_of_range_hit_all_or_none(InstructionSet set) {
    const Case one = a_case(300, 100, 7, 4);
    const FaceProbes probes = one.ready();
    for (const float all : {-1.01F, -1e30F, -INFINITY}) {
        const auto hits = gated(one, probes, std::vector<float>(7, all), set, 0, 100);
        for (std::size_t row = 0; row < 100; ++row) {
            CHECK(hits[row] == (one.column.has(row) ? 0x7FU : 0U));
        }
    }
    for (const float none : {1.01F, 1e30F, INFINITY, NAN}) {
        const auto hits = gated(one, probes, std::vector<float>(7, none), set, 0, 100);
        CHECK(std::count(hits.begin(), hits.end(), 0U) == 100);
    }
}

// What random unit vectors show: the gate lets through little more than it must.
void the_gate_is_narrow(InstructionSet set) {
    std::mt19937 random(5);
    Case one{FaceColumn(2000, 512), {}, {}};
    for (std::size_t row = 0; row < 2000; ++row) {
        one.kept.push_back(a_gaussian_face(random, 512));
        one.column.put(row, one.kept.back());
    }
    for (std::size_t q = 0; q < 64; ++q) {
        one.probes.push_back(a_gaussian_face(random, 512));
    }
    const FaceProbes probes = one.ready();
    constexpr float kLeast = 0.1F;
    constexpr float kSlack = 0.022F;
    const auto hits = gated(one, probes, std::vector<float>(64, kLeast), set, 0, 2000);
    std::size_t near = 0;
    for (std::size_t row = 0; row < 2000; ++row) {
        for (std::size_t q = 0; q < 64; ++q) {
            const bool hit = (hits[row] >> q & 1U) != 0;
            near += hit;
            CHECK(!hit || one.column.cosine(row, probes, q) >= kLeast - kSlack);
        }
    }
    CHECK(near > 100);
}

void the_nearest_are_those_of_brute_force(InstructionSet set) {
    for (const std::size_t dimension : {2, 128, 513}) {
        const Case one = a_case(dimension, 700, 20, 6);
        const FaceProbes probes = one.ready();
        const auto found = nearest_faces(one.column, 700, probes, 12, 0.05F, set);
        for (std::size_t q = 0; q < 20; ++q) {
            std::vector<FaceNeighbour> all;
            for (std::size_t row = 0; row < 700; ++row) {
                const float cosine =
                    one.column.has(row) ? expected_cosine(one.kept[row], one.probes[q]) : -2.0F;
                if (cosine >= 0.05F) {
                    all.push_back({row, cosine});
                }
            }
            std::stable_sort(all.begin(), all.end(),
                             [](auto& a, auto& b) { return a.cosine > b.cosine; });
            all.resize(std::min<std::size_t>(all.size(), 12));
            CHECK(found[q].size() == all.size());
            for (std::size_t k = 0; k < all.size(); ++k) {
                CHECK(found[q][k].row == all[k].row && found[q][k].cosine == all[k].cosine);
            }
        }
    }
}

void a_column_filled_from_saved_planes_is_the_same() {
    Case one = a_case(300, 200, 9, 7);
    Case other{FaceColumn(500, 300), one.kept, one.probes};
    const auto from = one.column.planes(200);
    const auto into = other.column.planes(200);
    std::size_t bytes = 0;
    for (std::size_t k = 0; k < from.size(); ++k) {
        CHECK(std::strcmp(from[k].name, into[k].name) == 0);
        CHECK(from[k].bytes.size() == into[k].bytes.size());
        std::copy(from[k].bytes.begin(), from[k].bytes.end(), into[k].bytes.begin());
        bytes += from[k].bytes.size();
    }
    CHECK(bytes == one.column.bytes(200));
    other.column.settle(200);
    std::mt19937 random(8);
    check_gate(other, instruction_set(), random);
}

void what_does_not_fit_is_refused() {
    std::mt19937 random(9);
    CHECK(refused([] { FaceColumn(10, 0); }) == "DIMENSION_MISMATCH");
    CHECK(refused([] { FaceColumn(10, 4097); }) == "DIMENSION_MISMATCH");
    const FaceTemplate face = a_gaussian_face(random, 64);
    const FaceTemplate* one = &face;
    CHECK(refused([&] { FaceProbes(std::span(&one, 1), 65); }) == "DIMENSION_MISMATCH");
    CHECK(refused([&] { FaceProbes({}, 64); }) == "PROBES_OUT_OF_RANGE");
    const std::vector<const FaceTemplate*> many(65, one);
    CHECK(refused([&] { FaceProbes(many, 64); }) == "PROBES_OUT_OF_RANGE");
}

}  // namespace

int main() {
    for (const InstructionSet set : kInstructionSets) {
        if (!can_run(set)) {
            std::printf("skipped: this machine cannot run %s\n", name_of(set));
            continue;
        }
        a_row_that_reaches_its_threshold_is_never_missed(set);
        dense_hits_are_the_same_bits(set);
        thresholds_out_of_range_hit_all_or_none(set);
        the_gate_is_narrow(set);
        the_nearest_are_those_of_brute_force(set);
    }
    a_column_filled_from_saved_planes_is_the_same();
    what_does_not_fit_is_refused();
}
