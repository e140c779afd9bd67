// Comparisons of faces a second of CPU time on one core, the gallery larger than the caches, beside
// the roof that reading its bytes sets. The people are generated: elements as real embeddings have
// them, of about 280 degrees of freedom, and three mates for each probe.
// Usage: faces_bench [rows] [dimension] [set]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "../tests/face_vectors.hpp"
#include "idmesh/matcher/face_column.hpp"
#include "idmesh/matcher/roofs.hpp"

using namespace idmesh::matcher;

namespace {

double cpu_s() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename Work>
double best_of(int times, Work&& work) {
    double best = 1e9;
    for (int k = 0; k < times; ++k) {
        const double began = cpu_s();
        work();
        best = std::min(best, cpu_s() - began);
    }
    return best;
}

// Gaussians that share a spectrum, mixed by signs and sums so that every element looks alike.
FaceTemplate an_embedding(std::mt19937_64& random, std::size_t dimension) {
    std::size_t size = 1;
    while (size < dimension) {
        size *= 2;
    }
    std::vector<float> made(size);
    for (std::size_t k = 0; k < size; ++k) {
        const std::uint64_t bits = random();
        float sum = -131070.0F;
        for (int part = 0; part < 64; part += 16) {
            sum += static_cast<float>(bits >> part & 0xFFFF);
        }
        made[k] = sum / (1.0F + 3.0F * static_cast<float>(k) / static_cast<float>(size));
    }
    for (std::size_t half = 1; half < size; half *= 2) {
        for (std::size_t k = 0; k < size; k += 2 * half) {
            for (std::size_t j = k; j < k + half; ++j) {
                const float a = made[j];
                const float b = (j & 5) == 1 ? -made[j + half] : made[j + half];
                made[j] = a + b;
                made[j + half] = a - b;
            }
        }
    }
    return face_from_vector(std::span(made).first(dimension));
}

struct Bench {
    FaceColumn column;
    std::vector<FaceTemplate> probes;
    InstructionSet set;
    Roofs roofs;
    std::size_t rows;

    FaceProbes ready(std::size_t count) const {
        std::vector<const FaceTemplate*> pointers;
        for (std::size_t q = 0; q < count; ++q) {
            pointers.push_back(&probes[q]);
        }
        return {pointers, column.dimension()};
    }
    void report(const char* what, std::size_t count, double seconds, double hits) const {
        const double rate = static_cast<double>(rows * count) / seconds;
        const double half = static_cast<double>(column.bytes(1) - column.dimension() * 4) / 2;
        const double roof = roofs.read_bytes_per_s / half * static_cast<double>(count);
        std::printf("%-34s %2zu probes %8.1f M/s, %3.0f %% of reading half the codes, %.2g hits\n",
                    what, count, rate / 1e6, 100 * rate / roof, hits);
    }
};

void measure_gate(const Bench& bench, std::size_t count, float least) {
    const FaceProbes probes = bench.ready(count);
    const std::vector<float> thresholds(count, least);
    std::vector<std::uint64_t> hits(4096);
    double found = 0;
    const double took = best_of(3, [&] {
        found = 0;
        for (std::size_t first = 0; first < bench.rows; first += hits.size()) {
            const std::size_t last = std::min(first + hits.size(), bench.rows);
            bench.column.gate(first, last, probes, thresholds.data(), hits.data(), bench.set);
            for (std::size_t k = 0; k < last - first; ++k) {
                found += __builtin_popcountll(hits[k]);
            }
        }
    });
    char what[40];
    std::snprintf(what, sizeof what, "gate, cosine >= %.2f", static_cast<double>(least));
    bench.report(what, count, took, found);
}

void measure_nearest(const Bench& bench, std::size_t count, float least) {
    const FaceProbes probes = bench.ready(count);
    double found = 0;
    const double took = best_of(3, [&] {
        found = 0;
        for (const auto& one :
             nearest_faces(bench.column, bench.rows, probes, 10, least, bench.set)) {
            found += static_cast<double>(one.size());
        }
    });
    char what[40];
    std::snprintf(what, sizeof what, "exact 10 nearest, cosine >= %.1f",
                  static_cast<double>(least));
    bench.report(what, count, took, found);
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 500'000;
    const std::size_t dimension = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 512;
    Bench bench{FaceColumn(rows, dimension), {}, instruction_set(), {}, rows};
    for (const InstructionSet set : kInstructionSets) {
        if (argc > 3 && std::string_view(argv[3]) == name_of(set) && can_run(set)) {
            bench.set = set;
        }
    }
    std::mt19937_64 random(1);
    std::mt19937 noise(2);
    for (std::size_t q = 0; q < kMaxFaceProbes; ++q) {
        bench.probes.push_back(an_embedding(random, dimension));
    }
    double put_s = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t mate = row * 3 * kMaxFaceProbes / rows;
        const bool first = row == 0 || mate != (row - 1) * 3 * kMaxFaceProbes / rows;
        const FaceTemplate face = first ? a_mate(noise, bench.probes[mate % kMaxFaceProbes], 1.2)
                                        : an_embedding(random, dimension);
        const double began = cpu_s();
        bench.column.put(row, face);
        put_s += cpu_s() - began;
    }
    bench.column.settle(rows);
    bench.roofs = measure_roofs(std::size_t{512} << 20, bench.set);
    std::printf("kernels: %s; %zu faces of %zu; read %.1f GB/s; put %.1f us; %zu bytes a face\n",
                name_of(bench.set), rows, dimension, bench.roofs.read_bytes_per_s / 1e9,
                put_s / static_cast<double>(rows) * 1e6, bench.column.bytes(1));
    for (const std::size_t count : {1, 2, 3, 4, 8, 16, 32, 48, 64}) {
        measure_gate(bench, count, 0.4F);
    }
    for (const float least : {0.3F, 0.2F, 0.1F}) {
        measure_gate(bench, 64, least);
    }
    for (const float least : {0.4F, 0.2F, -1.0F}) {
        measure_nearest(bench, 64, least);
    }
    measure_nearest(bench, 1, -1.0F);
}
