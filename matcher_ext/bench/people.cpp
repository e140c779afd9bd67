// Searches of a gallery of generated people: CPU time, what the cascade loses, memory.
//   people_bench [people] [probes] [noise]
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <thread>

#include "idmesh/matcher/instruction_set.hpp"
#include "idmesh/matcher/people.hpp"
#include "idmesh/matcher/person_score.hpp"
#include "idmesh/matcher/synthetic.hpp"

using namespace idmesh::matcher;

namespace {

double cpu_s() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

ReferenceId an_id(std::size_t number) {
    ReferenceId id{};
    for (std::size_t k = 0; k < 8; ++k) {
        id[15 - k] = static_cast<std::uint8_t>(number >> 8 * k);
    }
    return id;
}

using Session = std::vector<std::pair<std::uint8_t, Template>>;

std::vector<PositionedTemplate> templates_of(const Session& session) {
    std::vector<PositionedTemplate> made;
    for (const auto& [position, one] : session) {
        made.push_back({position, &one});
    }
    return made;
}

// Without some of what was captured, if anything is left.
Session only(const Session& session, bool fingers, bool irises, bool face) {
    Session made;
    for (const auto& one : session) {
        const Modality modality = modality_of(one.second);
        if (modality == Modality::finger ? fingers : modality == Modality::iris ? irises : face) {
            made.push_back(one);
        }
    }
    return made;
}

struct Bench {
    const People& people;
    std::size_t gallery;
    std::vector<Session> probes;  // probe k is of person k * step
    std::size_t step;

    // A mate counts as lost if an exhaustive search would have shown it at FPIR 1 % but this not.
    void run(const char* name, std::size_t batch, SearchKind kind, std::size_t most, bool fingers,
             bool irises, bool face) const {
        const float least = score_at_fpir(gallery, 0.01);
        std::size_t mated = 0;
        std::size_t lost = 0;
        std::size_t searched = 0;
        double spent = 0.0;
        for (std::size_t first = 0; first < std::min(most, probes.size()); first += batch) {
            std::vector<Session> some;
            std::vector<std::vector<PositionedTemplate>> templates;
            for (std::size_t k = first; k < std::min(first + batch, probes.size()); ++k) {
                some.push_back(only(probes[k], fingers, irises, face));
                if (some.back().empty()) {
                    some.back() = probes[k];
                }
            }
            for (const Session& one : some) {
                templates.push_back(templates_of(one));
            }

            const std::vector<PersonProbe> given(templates.begin(), templates.end());
            const std::vector<float> scores(given.size(), least);
            PeopleSearch search;
            search.min_score = scores;
            search.kind = kind;
            const double start = cpu_s();
            const auto answers = people.identify(given, search);
            spent += cpu_s() - start;
            searched += given.size();
            for (std::size_t k = 0; k < answers.size(); ++k) {
                const ReferenceId mate = an_id((first + k) * step);
                if (people.verify(mate, given[k], Positions::given).score < least) {
                    continue;
                }
                mated += 1;
                bool found = false;
                for (const PersonCandidate& one : answers[k].candidates) {
                    found |= one.reference_id == mate;
                }
                lost += !found;
            }
        }
        std::printf(
            "%-34s batch %2zu: %8.2f ms CPU a probe, %8.1f ns a person; mated %zu lost %zu\n", name,
            batch, spent / static_cast<double>(searched) * 1e3,
            spent / static_cast<double>(searched) / static_cast<double>(gallery) * 1e9, mated,
            lost);
        std::fflush(stdout);
    }
};

}  // namespace

int main(int argc, char** argv) {
    const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20'000;
    const std::size_t probes = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 128;
    synthetic::Population population;
    population.bad = synthetic::kUsualBadCaptures;
    population.noise = argc > 3 ? std::strtod(argv[3], nullptr) : 1.0;
    People people(PeopleOptions{});
    double adding = 0.0;
    for (std::size_t k = 0; k < count; ++k) {
        const Session session = synthetic::person_capture(population, k, 1);
        const double start = cpu_s();
        people.add(an_id(k), templates_of(session));
        adding += cpu_s() - start;
    }
    const PeopleStats stats = people.stats();
    std::printf(
        "set %s, %zu people, %.0f bytes each, %.1f us to add one, locked %.2f\n",
        name_of(instruction_set()), count,
        static_cast<double>(stats.resident_bytes) / static_cast<double>(count),
        adding / static_cast<double>(count) * 1e6,
        static_cast<double>(stats.locked_bytes) / static_cast<double>(stats.resident_bytes));
    Bench bench{people, count, {}, std::max<std::size_t>(1, count / probes)};
    for (std::size_t k = 0; k < probes; ++k) {
        bench.probes.push_back(synthetic::person_capture(population, k * bench.step, 2));
    }
    bench.run("all", 1, SearchKind::cascade, 16, true, true, true);
    bench.run("all", 64, SearchKind::cascade, probes, true, true, true);
    bench.run("fingers and irises", 64, SearchKind::cascade, probes, true, true, false);
    bench.run("fingers", 1, SearchKind::cascade, probes, true, false, false);

    bench.run("irises", 64, SearchKind::cascade, probes, false, true, false);
    bench.run("face", 64, SearchKind::cascade, probes, false, false, true);
    bench.run("all, exhaustive", 1, SearchKind::exhaustive, 1, true, true, true);
}
