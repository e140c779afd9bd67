// Comparisons of fingers a second of CPU time on one core: each stage, one to one, and end to end
// with shortlists, beside the roof that counting bits sets. The fingers are generated.
// Usage: fingers_bench [rows] [minutiae]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <utility>

#include "../tests/check.hpp"
#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/finger_column.hpp"
#include "idmesh/matcher/roofs.hpp"

using namespace idmesh::matcher;

namespace {

constexpr int kProbes = 4;

double cpu_s() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr std::size_t kLeastCompared = 200;

// Puts the best `first` of scored rows in front.
template <typename Score>
void bring_forward(std::vector<std::pair<Score, std::uint32_t>>& scored, std::size_t first) {
    if (first < scored.size()) {
        std::nth_element(scored.begin(), scored.begin() + static_cast<long>(first), scored.end(),
                         std::greater<>());
    }
}

struct Times {
    double scan = 0.0, refine = 0.0, compare = 0.0, all = 0.0;
    std::size_t refined = 0, compared = 0;
};

void search(const FingerColumn& column, std::size_t rows, const FingerProbe& probe, Times& times) {
    const double began = cpu_s();
    std::vector<std::uint16_t> scores(rows);
    column.scan(0, rows, probe, scores.data());
    const double scanned = cpu_s();
    std::vector<std::pair<std::uint16_t, std::uint32_t>> first;
    for (std::uint32_t row = 0; row < rows; ++row) {
        first.emplace_back(scores[row], row);
    }
    const auto of_all = [&](double share) {
        return static_cast<std::size_t>(share * static_cast<double>(rows));
    };
    const FingerShares shares = finger_shares(probe.finger().minutiae.size());
    const std::size_t trusted = of_all(shares.trusted);
    bring_forward(first, of_all(shares.refined));
    first.resize(std::min(first.size(), of_all(shares.refined)));
    bring_forward(first, trusted);
    const double shortened = cpu_s();
    std::vector<std::pair<float, std::uint32_t>> second;
    for (std::size_t k = trusted; k < first.size(); ++k) {
        second.emplace_back(column.refine(first[k].second, probe), first[k].second);
    }
    const double refined = cpu_s();
    const std::size_t room = std::max(kLeastCompared, of_all(shares.compared)) - trusted;
    bring_forward(second, room);
    float best = 0.0F;
    for (std::size_t k = 0; k < trusted; ++k) {
        best = std::max(best, column.compare(first[k].second, probe));
    }
    for (std::size_t k = 0; k < std::min(room, second.size()); ++k) {
        best = std::max(best, column.compare(second[k].second, probe));
    }
    const double ended = cpu_s();
    CHECK(best > 0.9F);  // the mate is among them
    times.scan += scanned - began;
    times.refine += refined - shortened;
    times.compare += ended - refined;
    times.all += ended - began;
    times.refined += second.size();
    times.compared += trusted + std::min(room, second.size());
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t rows = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000;
    const int minutiae = argc > 2 ? std::atoi(argv[2]) : 40;
    std::mt19937 random(1);
    FingerColumn column(rows);
    std::vector<FingerProbe> probes;
    for (std::size_t row = 0; row < rows; ++row) {
        const auto finger = a_finger(random, minutiae);
        column.put(row, to_template(finger));
        if (row < kProbes) {
            probes.emplace_back(to_template(captured(finger, random, 10)));
        }
    }
    column.settle(rows);
    Times times;
    for (const FingerProbe& probe : probes) {
        search(column, rows, probe, times);
    }
    const double searched = static_cast<double>(rows) * kProbes;
    const double bits_per_s = measure_roofs(std::size_t{256} << 20).bits_per_s;
    const double bits = 64.0 * kScanWords * probes[0].scan().count;
    std::printf("kernels: %s, %zu fingers of %d minutiae, %.0f bytes each\n",
                name_of(instruction_set()), rows, minutiae,
                static_cast<double>(column.bytes(rows)) / static_cast<double>(rows));
    std::printf("scan       %8.3f M/s (%.0f %% of counting its bits, %.1f M/s)\n",
                1e-6 * searched / times.scan, 100 * searched / times.scan * bits / bits_per_s,
                1e-6 * bits_per_s / bits);
    std::printf("refine     %8.3f us\n", 1e6 * times.refine / static_cast<double>(times.refined));
    std::printf("compare    %8.3f us, descriptors made anew\n",
                1e6 * times.compare / static_cast<double>(times.compared));
    std::printf("end to end %8.3f M/s: refine %.0f %%, compare %.1f %%\n",
                1e-6 * searched / times.all, 100 * static_cast<double>(times.refined) / searched,
                100 * static_cast<double>(times.compared) / searched);
    const FingerTemplate reference = to_template(a_finger(random, minutiae));
    const double began = cpu_s();
    float sum = 0.0F;
    for (int k = 0; k < 2000; ++k) {
        sum += finger_similarity(probes[k % kProbes].finger().view(), reference.view());
    }
    std::printf("one to one %8.3f us (mean similarity %.3f)\n", 1e6 * (cpu_s() - began) / 2000,
                sum / 2000);
}
