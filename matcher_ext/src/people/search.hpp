// A search while it runs: what it looks at, for whom, how long it may take.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "idmesh/matcher/worker_pool.hpp"
#include "people/compare.hpp"
#include "people/store.hpp"

namespace idmesh::matcher {

struct Searching {
    const PeopleSnapshot& snapshot;
    const ReadyProbes& probes;
    const PeopleSearch& search;
    WorkerPool& pool;

    // Asked by every unit of work. Throws MatcherError: DEADLINE_EXCEEDED, CANCELLED.
    void check() const;
};

// Row `row` of view `view`, as one number.
using PlaceOfRow = std::uint32_t;
inline PlaceOfRow place_of(std::size_t view, std::size_t row) noexcept {
    return static_cast<PlaceOfRow>(view * kSegmentRows + row);
}

// Rows [first, last) of a view.
struct Stretch {
    std::size_t view;
    std::size_t first, last;
};
std::vector<Stretch> stretches_of(const PeopleSnapshot& snapshot, std::size_t rows_each);

// The best candidates so far, from any thread. A person is in one row, so none comes twice.
class BestCandidates {
  public:
    BestCandidates(std::size_t most, float least) : most_(most), least_(least) {}
    void add(PersonCandidate&& candidate);
    std::vector<PersonCandidate> take();

  private:
    void cut();

    std::mutex mutex_;
    const std::size_t most_;
    float least_;
    std::vector<PersonCandidate> kept_;
};

// For each probe, everybody who is visible compared in full.
std::vector<std::vector<PersonCandidate>> search_everybody(const Searching& searching);

// Whose fingers a cascade scans: everybody's, or theirs whom an iris or the face names, and of
// those who have not all of these to be named by, fewer fingers.
enum class ScanWhom : std::uint8_t { everybody, named };

// For each probe, the best of those that the cascade names.
std::vector<std::vector<PersonCandidate>> search_in_stages(const Searching& searching,
                                                           ScanWhom whom);

// As many people as a cascade compares in full for a probe: a smaller gallery is compared whole.
std::size_t most_compared(const PeopleSearch& search) noexcept;

// Evidence in one modality from which on a person is looked at by the next stage.
inline constexpr float kGateLlr = 2.5F;
// Of mated searches that comparing with everybody would have ended well, the share that the cascade
// loses at most: 1 of 3,986 among 8,000 generated people with the usual bad captures, each at its
// own positions; of 95 % confidence (`idmesh bench accuracy --people`).
inline constexpr float kCascadeLoss = 0.0012F;
// By one or two fingers alone: 14 of 2,116 prints of the harder extractor at an FMR of 0.1 %, the
// most lenient that is measured, of the same confidence (docs/MATCHING_FINGERS.md).
inline constexpr float kCascadeLossOfFew = 0.011F;
// Which of the two holds for this probe.
float loss_of(const ReadyProbes::Person& person) noexcept;

}  // namespace idmesh::matcher
