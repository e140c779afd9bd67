// Gates of every instruction set against the exact comparison, row by row.
#include <mutex>
#include <optional>
#include <thread>

#include "check.hpp"
#include "idmesh/matcher/iris_column.hpp"
#include "irises.hpp"

using namespace idmesh::matcher;

namespace {

struct Case {
    IrisLayout layout;
    std::size_t rows;
    int rotation;
    std::size_t probes;
};

constexpr Case kCases[] = {
    {{2, 8, 128}, 1, 0, 1},    {{2, 8, 128}, 16, 15, 1},  {{2, 8, 128}, 77, 15, 3},
    {{2, 8, 128}, 130, 7, 9},  {{2, 8, 128}, 48, 64, 2},  {{2, 8, 128}, 33, 8, 17},
    {{4, 16, 200}, 35, 15, 2}, {{4, 16, 256}, 17, 16, 1}, {{1, 3, 72}, 40, 3, 5},
    {{2, 8, 128}, 20, 15, 64}, {{1, 1, 8}, 18, 2, 1},
};

// A column, what was put into it, and probes of some of those.
struct Filled {
    explicit Filled(const Case& of, std::mt19937& random)
        : column(of.rows, of.layout), rows(of.rows) {
        for (std::size_t row = 0; row < of.rows; ++row) {
            const auto kind = random() % 8;
            if (kind == 0) {
                continue;  // absent
            }
            rows[row] = an_iris(random, of.layout, kind == 1 ? 1 : 6);
            column.put(row, *rows[row]);
        }
        for (std::size_t q = 0; q < of.probes; ++q) {
            const auto& mate = rows[random() % of.rows];
            const int turned =
                static_cast<int>(random() % (2 * static_cast<unsigned>(of.rotation) + 1)) -
                of.rotation;
            probes.push_back(mate ? captured(*mate, random, turned, 3 + random() % 8)
                                  : an_iris(random, of.layout, 7));
            least.push_back(0.45F + 0.05F * static_cast<float>(q % 7));
        }
    }

    IrisProbes ready(int rotation) const {
        std::vector<const IrisTemplate*> pointers;
        for (const IrisTemplate& probe : probes) {
            pointers.push_back(&probe);
        }
        return {pointers, rotation, least};
    }

    IrisColumn column;
    std::vector<std::optional<IrisTemplate>> rows;
    std::vector<IrisTemplate> probes;
    std::vector<float> least;
};

std::vector<std::uint64_t> gate(const IrisView& view, std::size_t first, std::size_t last,
                                const IrisProbes& probes, IrisGate how) {
    std::vector<std::uint64_t> hits(last - first, ~std::uint64_t{0});
    view.gate(first, last, probes, how, hits.data());
    return hits;
}

void a_lossless_gate_hits_all_that_reach_the_least_similarity() {
    std::mt19937 random(1);
    std::size_t reached = 0;
    std::size_t missed_by_both = 0;
    for (const Case& one : kCases) {
        const Filled filled(one, random);
        const IrisProbes probes = filled.ready(one.rotation);
        const IrisView view = filled.column.view();
        const auto hits = gate(view, 0, one.rows, probes, IrisGate::lossless);
        for (std::size_t row = 0; row < one.rows; ++row) {
            CHECK(view.has(row) == filled.rows[row].has_value());
            for (std::size_t q = 0; q < one.probes; ++q) {
                const bool hit = (hits[row] >> q & 1U) != 0;
                if (!view.has(row)) {
                    CHECK(!hit);
                    continue;
                }
                const float similarity = view.similarity(row, probes, q);
                CHECK(similarity ==
                      iris_similarity(filled.probes[q], *filled.rows[row], one.rotation));
                CHECK(hit || similarity < filled.least[q]);
                reached += similarity >= filled.least[q];
                missed_by_both += !hit && similarity < filled.least[q];
            }
            CHECK(one.probes == 64 || hits[row] >> one.probes == 0);
        }
    }
    CHECK(reached > 100 && missed_by_both > 1000);
}

void every_set_hits_what_serial_hits() {
    for (const InstructionSet set : kInstructionSets) {
        if (!can_run(set)) {
            std::printf("skipped: %s\n", name_of(set));
            continue;
        }
        std::mt19937 random(2);
        for (const Case& one : kCases) {
            const Filled filled(one, random);
            const IrisProbes probes = filled.ready(one.rotation);
            IrisView serial_view = filled.column.view();
            serial_view.use(iris_kernels(InstructionSet::serial));
            IrisView view = filled.column.view();
            view.use(iris_kernels(set));
            for (const IrisGate how : {IrisGate::lossless, IrisGate::two_stage}) {
                for (const std::size_t first : {std::size_t{0}, one.rows / 3}) {
                    for (const std::size_t last : {one.rows, one.rows - (one.rows - first) / 2}) {
                        CHECK(gate(view, first, last, probes, how) ==
                              gate(serial_view, first, last, probes, how));
                    }
                }
            }
            for (std::size_t row = 0; row < one.rows; ++row) {
                if (!view.has(row)) {
                    continue;
                }
                const MaskedHamming a = view.best_rotation(row, probes, 0);
                const MaskedHamming b = serial_view.best_rotation(row, probes, 0);
                CHECK(a.compared == b.compared && a.mismatched == b.mismatched);
            }
        }
    }
}

// Every count of compared and mismatched bits that gives the least similarity passes the integers.
void the_integers_of_a_gate_lose_nothing() {
    std::mt19937 random(3);
    const IrisTemplate probe = an_iris(random);
    const IrisTemplate* pointer = &probe;
    const std::uint32_t typical = iris_typical_compared(kDefaultIrisLayout);
    for (float least = 0.5001F; least <= 1.0F; least += 0.0071F) {
        const IrisProbes ready({&pointer, 1}, 0, {&least, 1});
        const IrisWeights weights = ready.all_bits().weights[0];
        for (std::uint32_t compared = 0; compared <= 2048; ++compared) {
            for (std::uint32_t mismatched = 0; 2 * mismatched <= compared; ++mismatched) {
                const auto agreed = static_cast<int>(compared - 2 * mismatched);
                const bool passes =
                    weights.code * agreed - weights.mask * static_cast<int>(compared) > 0;
                CHECK(passes || iris_similarity({compared, mismatched}, typical) < least);
                // And little more than that: one hundredth of the distance.
                CHECK(!passes || compared < typical ||
                      iris_similarity({compared, mismatched}, typical) > least - 0.01F);
            }
        }
    }
}

void two_stages_find_mates_and_little_else() {
    constexpr std::size_t kRows = 400;
    constexpr std::size_t kProbes = 60;
    constexpr float kLeast = 0.66F;
    std::mt19937 random(4);
    IrisColumn column(kRows);
    std::vector<IrisTemplate> captures;
    std::vector<const IrisTemplate*> pointers;
    captures.reserve(kProbes);
    for (std::size_t row = 0; row < kRows; ++row) {
        const IrisTemplate iris = an_iris(random);
        column.put(row, iris);
        if (row < kProbes) {
            captures.push_back(captured(iris, random, static_cast<int>(row % 31) - 15, 5));
            pointers.push_back(&captures.back());
        }
    }
    const IrisProbes probes(pointers, 15, std::vector<float>(kProbes, kLeast));
    const auto hits = gate(column.view(), 0, kRows, probes, IrisGate::two_stage);
    std::size_t others = 0;
    for (std::size_t row = 0; row < kRows; ++row) {
        for (std::size_t q = 0; q < kProbes; ++q) {
            const bool hit = (hits[row] >> q & 1U) != 0;
            CHECK(row != q || hit);
            others += row != q && hit;
        }
    }
    CHECK(others == 0);
    CHECK(iris_loss_bound(kDefaultIrisLayout, IrisGate::two_stage) > 0.0F);
    CHECK(iris_loss_bound(kDefaultIrisLayout, IrisGate::lossless) == 0.0F);
    CHECK(iris_loss_bound({4, 16, 200}, IrisGate::two_stage) == 0.0F);
}

void a_view_keeps_what_it_saw_and_planes_are_loaded_again() {
    std::mt19937 random(5);
    IrisColumn column(64);
    std::vector<IrisTemplate> irises;
    std::vector<IrisView> views;
    for (std::size_t row = 0; row < 40; ++row) {
        irises.push_back(an_iris(random));
        column.put(row, irises.back());
        views.push_back(column.view());
    }
    const IrisProbes probes(irises[3], 0);
    for (std::size_t row = 0; row < 40; ++row) {
        for (std::size_t k = 0; k <= row; ++k) {
            CHECK(views[row].has(k));
            CHECK(views[row].similarity(k, probes, 0) == iris_similarity(irises[3], irises[k], 0));
        }
        const auto hits = gate(views[row], 0, row + 1, probes, IrisGate::lossless);
        CHECK(row < 3 || (hits[3] & 1U) != 0);
    }
    column.settle(40);
    IrisColumn loaded(64);
    const auto from = column.planes(40);
    const auto to = loaded.planes(40);
    CHECK(from.size() == 3 && to.size() == 3);
    for (std::size_t k = 0; k < from.size(); ++k) {
        CHECK(std::string(from[k].name) == to[k].name);
        CHECK(from[k].bytes.size() == to[k].bytes.size());
        std::copy(from[k].bytes.begin(), from[k].bytes.end(), to[k].bytes.begin());
    }
    loaded.settle(40);
    for (std::size_t row = 0; row < 40; ++row) {
        CHECK(loaded.view().similarity(row, probes, 0) ==
              iris_similarity(irises[3], irises[row], 0));
    }
    CHECK(gate(loaded.view(), 0, 40, probes, IrisGate::two_stage) ==
          gate(column.view(), 0, 40, probes, IrisGate::two_stage));
    CHECK(column.bytes(40) == 3 * (16 * 512 + 16 * 128) + 40);
}

// For the thread sanitizer: a view is searched while rows are put.
void a_view_is_searched_while_rows_are_put() {
    constexpr std::size_t kRows = 96;
    std::mt19937 random(7);
    const IrisTemplate iris = an_iris(random);
    const float least = 0.6F;
    const IrisTemplate* pointer = &iris;
    const IrisProbes probes({&pointer, 1}, 2, {&least, 1});
    IrisColumn column(kRows);
    std::mutex mutex;
    std::size_t published = 0;
    std::jthread writer([&] {
        for (std::size_t row = 0; row < kRows; ++row) {
            const std::lock_guard lock(mutex);
            if (row % 5 != 4) {
                column.put(row, iris);
            }
            published = row + 1;
        }
    });
    for (std::size_t rows = 0; rows < kRows;) {
        std::unique_lock lock(mutex);
        const IrisView view = column.view();
        rows = published;
        lock.unlock();
        for (const IrisGate how : {IrisGate::lossless, IrisGate::two_stage}) {
            const auto hits = gate(view, 0, rows, probes, how);
            for (std::size_t row = 0; row < rows; ++row) {
                CHECK(hits[row] == (row % 5 != 4));
            }
        }
    }
}

void what_cannot_be_searched_by_is_refused() {
    std::mt19937 random(6);
    const IrisTemplate iris = an_iris(random);
    const IrisTemplate large = an_iris(random, {4, 16, 200});
    const float least = 0.6F;
    const float nan = NAN;
    const std::vector<const IrisTemplate*> two = {&iris, &large};
    const std::vector<float> leasts = {0.6F, 0.6F};
    const auto made = [&](std::span<const IrisTemplate* const> of, int rotation,
                          std::span<const float> at) {
        return refused([&] { const IrisProbes probes(of, rotation, at); });
    };
    CHECK(made({}, 0, {}) == "DIMENSION_MISMATCH");
    CHECK(made(two, 0, leasts) == "DIMENSION_MISMATCH");
    CHECK(made({two.data(), 1}, 0, leasts) == "DIMENSION_MISMATCH");
    CHECK(made({two.data(), 1}, -1, {&least, 1}) == "ROTATION_OUT_OF_RANGE");
    CHECK(made({two.data(), 1}, 65, {&least, 1}) == "ROTATION_OUT_OF_RANGE");
    CHECK(made({two.data(), 1}, 0, {&nan, 1}) == "VALUE_NOT_FINITE");
    CHECK(made({two.data(), 1}, 64, {&least, 1}).empty());
    CHECK(refused([] { IrisColumn(16, {0, 1, 8}); }) == "LAYOUT_OUT_OF_RANGE");
}

}  // namespace

int main() {
    a_lossless_gate_hits_all_that_reach_the_least_similarity();
    every_set_hits_what_serial_hits();
    the_integers_of_a_gate_lose_nothing();
    two_stages_find_mates_and_little_else();
    a_view_keeps_what_it_saw_and_planes_are_loaded_again();
    a_view_is_searched_while_rows_are_put();
    what_cannot_be_searched_by_is_refused();
}
