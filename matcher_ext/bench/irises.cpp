// Iris comparisons a second of CPU time on one core, all rotations of a pair being one comparison.
// Usage: irises_bench [references] [rotation] [bands rows angles]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>

#include "idmesh/matcher/iris_column.hpp"
#include "idmesh/matcher/roofs.hpp"

using namespace idmesh::matcher;

namespace {

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Each bit is set with a probability of eighths / 256.
std::uint64_t sparse_bits(std::mt19937_64& random, unsigned parts_of_256) {
    std::uint64_t bits = 0;
    for (unsigned k = 0; k < 8; ++k) {
        const std::uint64_t fresh = random();
        bits = (parts_of_256 >> k & 1U) != 0 ? bits | fresh : bits & fresh;
    }
    return bits;
}

// Along a row a bit differs from the one before with a probability of 15/256: the distances of
// different irises then spread as those of 249 independent bits of 2048 do.
std::vector<std::uint8_t> a_code(std::mt19937_64& random, IrisLayout layout) {
    std::vector<std::uint8_t> code(layout.bytes());
    std::uint64_t changes = 0;
    unsigned set = 0;
    for (std::size_t k = 0; k < layout.bits(); ++k, changes >>= 1) {
        if (k % 64 == 0) {
            changes = sparse_bits(random, 15);
        }
        set = k % layout.angles == 0 ? static_cast<unsigned>(random() & 1U) : set ^ (changes & 1U);
        code[k / 8] = static_cast<std::uint8_t>(code[k / 8] | set << k % 8);
    }
    return code;
}

// Two lids, each over more of the angles the further a row is from the pupil; a sixth in the mean.
std::vector<std::uint8_t> a_mask(std::mt19937_64& random, IrisLayout layout) {
    std::vector<std::uint8_t> mask(layout.bytes());
    const double upper = 0.20 * static_cast<double>(random() % 1000) / 1000;
    const double lower = 0.12 * static_cast<double>(random() % 1000) / 1000;
    for (std::size_t k = 0; k < layout.bits(); ++k) {
        const double out = 2.0 * static_cast<double>(k / layout.angles % layout.rows) / layout.rows;
        const double angle = static_cast<double>(k % layout.angles) / layout.angles;
        const bool lid =
            std::abs(angle - 0.25) < upper * out || std::abs(angle - 0.75) < lower * out;
        mask[k / 8] = static_cast<std::uint8_t>(mask[k / 8] | !lid << k % 8);
    }
    return mask;
}

IrisTemplate an_iris(std::mt19937_64& random, IrisLayout layout) {
    return iris_from_bytes(a_code(random, layout), a_mask(random, layout), layout);
}

// Captured again: turned by three angles, one bit in sixteen away from what it was.
IrisTemplate a_mate(const IrisTemplate& iris, std::mt19937_64& random) {
    IrisTemplate made = iris_rotated(iris, 3);
    const std::size_t words = iris.layout.words();
    for (std::size_t w = 0; w < words; ++w) {
        made.bits[w] ^= sparse_bits(random, 48) & made.bits[words + w];
    }
    return made;
}

struct Bench {
    IrisLayout layout;
    std::size_t references;
    int rotation;
    IrisColumn column;
    std::vector<IrisTemplate> probes;  // mates of references spread over the column
    Roofs roofs;
};

Bench prepared(std::size_t references, int rotation, IrisLayout layout) {
    std::mt19937_64 random(1);
    Bench bench{
        layout, references, rotation, IrisColumn(references, layout), {}, measure_roofs(1 << 28)};
    for (std::size_t row = 0; row < references; ++row) {
        const IrisTemplate iris = an_iris(random, layout);
        bench.column.put(row, iris);
        if (row % (references / kMaxIrisProbes) == 0 && bench.probes.size() < kMaxIrisProbes) {
            bench.probes.push_back(a_mate(iris, random));
        }
    }
    bench.column.settle(references);
    return bench;
}

// The most comparisons a second: of memory, and of the units that count bits or multiply bytes.
double roof(const Bench& bench, IrisGate how, std::size_t probes, bool tiles) {
    const auto rotations = static_cast<double>(2 * bench.rotation + 1);
    const double few =
        how == IrisGate::two_stage && bench.column.bytes(16) > 16 * (1 + 16 * bench.layout.words())
            ? 4.0
            : 1.0;
    const double bits = 2.0 * 64.0 * static_cast<double>(bench.layout.words()) / few;
    const double in_memory =
        bench.roofs.read_bytes_per_s * static_cast<double>(probes) / (bits / 8);
    const double of_rows = std::ceil(rotations / 16) * 16;
    const double in_units = tiles ? bench.roofs.products_per_s / (bits * of_rows)
                                  : bench.roofs.bits_per_s / (bits * rotations);
    return std::min(in_memory, in_units);
}

void measure(const Bench& bench, InstructionSet set, IrisGate how, std::size_t probes,
             float least) {
    std::vector<const IrisTemplate*> pointers;
    for (std::size_t q = 0; q < probes; ++q) {
        pointers.push_back(&bench.probes[q]);
    }
    const IrisProbes ready(pointers, bench.rotation, std::vector<float>(probes, least));
    IrisView view = bench.column.view();
    view.use(iris_kernels(set));
    std::vector<std::uint64_t> hits(bench.references);
    double best = 1e30;
    for (double spent = 0.0; spent < 1.0;) {
        const double began = cpu_seconds();
        view.gate(0, bench.references, ready, how, hits.data());
        const double took = cpu_seconds() - began;
        best = std::min(best, took);
        spent += took;
    }
    std::size_t hit = 0;
    std::size_t mates = 0;
    for (std::size_t row = 0; row < bench.references; ++row) {
        hit += static_cast<std::size_t>(__builtin_popcountll(hits[row]));
    }
    for (std::size_t q = 0; q < probes; ++q) {
        mates += hits[q * (bench.references / kMaxIrisProbes)] >> q & 1U;
    }
    const double rate = static_cast<double>(bench.references * probes) / best;
    std::printf("%-7s %-9s %5zu probes %10.2f M/s %5.1f %% of the roof, %.4f %% hit, %zu mates\n",
                name_of(set), how == IrisGate::lossless ? "lossless" : "two-stage", probes,
                rate / 1e6, 100 * rate / roof(bench, how, probes, set == InstructionSet::amx),
                100.0 * static_cast<double>(hit) / static_cast<double>(bench.references * probes),
                mates);
}

}  // namespace

int main(int argc, char** argv) {
    const auto argument = [&](int number, long otherwise) {
        return argc > number ? std::atol(argv[number]) : otherwise;
    };
    const IrisLayout layout{static_cast<std::uint16_t>(argument(3, 2)),
                            static_cast<std::uint16_t>(argument(4, 8)),
                            static_cast<std::uint16_t>(argument(5, 128))};
    const Bench bench = prepared(static_cast<std::size_t>(argument(1, 1 << 18)),
                                 static_cast<int>(argument(2, 15)), layout);
    std::printf(
        "%zu references, %zu MiB, %d rotations; read %.1f GB/s, %.2f Tbit/s, %.2f Tproduct/s\n",
        bench.references, bench.column.bytes(bench.references) >> 20, 2 * bench.rotation + 1,
        bench.roofs.read_bytes_per_s / 1e9, bench.roofs.bits_per_s / 1e12,
        bench.roofs.products_per_s / 1e12);
    for (const InstructionSet set :
         {instruction_set(), InstructionSet::avx512, InstructionSet::avx2}) {
        if (!can_run(set)) {
            continue;
        }
        for (const std::size_t probes : {1, 8, 16, 64}) {
            measure(bench, set, IrisGate::lossless, probes, 0.64F);
        }
        for (const std::size_t probes : {1, 8}) {
            measure(bench, set, IrisGate::two_stage, probes, 0.64F);
        }
    }
}
