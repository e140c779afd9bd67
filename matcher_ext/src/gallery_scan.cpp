#include "gallery_scan.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "idmesh/matcher/error.hpp"
#include "idmesh/matcher/fusion.hpp"

namespace idmesh::matcher {

namespace {

using Clock = std::chrono::steady_clock;

bool better(const Candidate& a, const Candidate& b) noexcept {
    return a.similarity != b.similarity ? a.similarity > b.similarity
                                        : a.reference_id < b.reference_id;
}

// The best candidates so far. A reference is in one record, so none comes twice.
class Best {
  public:
    explicit Best(const Search& search)
        : most_(search.max_candidates), least_(search.min_similarity) {}

    bool wants(float similarity) const noexcept { return similarity >= least_; }

    void add(Candidate&& candidate) {
        kept_.push_back(std::move(candidate));
        if (kept_.size() >= 2 * most_ + 64) {
            cut();
        }
    }

    void add_all(Best&& other) {
        std::move(other.kept_.begin(), other.kept_.end(), std::back_inserter(kept_));
    }

    std::vector<Candidate> take() && {
        cut();
        return std::move(kept_);
    }

  private:
    void cut() {
        std::sort(kept_.begin(), kept_.end(), better);
        if (kept_.size() > most_) {
            kept_.resize(most_);
        }
        if (kept_.size() == most_ && most_ > 0) {
            least_ = kept_.back().similarity;  // an equal one may still win by its reference_id
        }
    }

    std::size_t most_;
    float least_;
    std::vector<Candidate> kept_;
};

float compare(const Segment& segment, const Slot& slot, const Probe& probe) noexcept {
    switch (probe.modality()) {
        case Modality::finger:
            return probe.compare(segment.finger(slot));
        case Modality::iris:
            return probe.compare(segment.iris(slot));
        case Modality::face:
            break;
    }
    return probe.compare(segment.face(slot));
}

// What several threads share while they scan.
class Scan {
  public:
    Scan(const Snapshot& snapshot, Modality modality, std::span<const PositionedProbe> probes,
         const Search& search)
        : snapshot_(snapshot), modality_(modality), probes_(probes), search_(search) {}

    // Takes pieces of work until there are none. Any number of threads may run it.
    void run(Best& best) {
        Scratch scratch;
        for (;;) {
            const std::size_t number = next_.fetch_add(1, std::memory_order_relaxed);
            if (number >= snapshot_.work.size() || stopped_.load(std::memory_order_relaxed)) {
                return;
            }
            const Snapshot::Work& work = snapshot_.work[number];
            for (std::uint32_t k = work.first; k < work.last; ++k) {
                const Record& record = work.segment->record(k);
                if (record.visible(snapshot_.epoch)) {
                    check_deadline();
                    compare_record(*work.segment, record, scratch, best);
                }
            }
        }
    }

    void stop() noexcept { stopped_.store(true, std::memory_order_relaxed); }

  private:
    // One thread's, kept from record to record so that none is allocated for each.
    struct Scratch {
        std::vector<PositionSimilarity> found;
        std::vector<float> similarities;  // in the order of the probes: every thread adds alike
    };

    void check_deadline() const {
        if (search_.deadline && Clock::now() >= *search_.deadline) {
            throw MatcherError("DEADLINE_EXCEEDED", "deadline_s",
                               "The deadline passed before the gallery was searched.");
        }
    }

    void compare_record(const Segment& segment, const Record& record, Scratch& scratch,
                        Best& best) const {
        auto& [found, similarities] = scratch;
        found.clear();
        similarities.clear();
        for (const PositionedProbe& probe : probes_) {
            if (const auto one = best_of_record(segment, record, probe)) {
                found.push_back(*one);
                similarities.push_back(one->similarity);
            }
        }
        if (found.empty()) {
            return;
        }
        const float fused = fuse(modality_, similarities);
        if (best.wants(fused)) {
            best.add({record.reference_id, fused, by_position(found)});
        }
    }

    // Ascending position; of several probes compared at one position, the best.
    static std::vector<PositionSimilarity> by_position(std::vector<PositionSimilarity> found) {
        std::sort(found.begin(), found.end(),
                  [](const PositionSimilarity& a, const PositionSimilarity& b) {
                      return a.position != b.position ? a.position < b.position
                                                      : a.similarity > b.similarity;
                  });
        const auto same = [](const PositionSimilarity& a, const PositionSimilarity& b) {
            return a.position == b.position;
        };
        found.erase(std::unique(found.begin(), found.end(), same), found.end());
        return found;
    }

    const Snapshot& snapshot_;
    const Modality modality_;
    const std::span<const PositionedProbe> probes_;
    const Search& search_;
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> stopped_{false};
};

}  // namespace

std::optional<PositionSimilarity> best_of_record(const Segment& segment, const Record& record,
                                                 const PositionedProbe& probe) noexcept {
    std::optional<PositionSimilarity> best;
    for (std::size_t k = 0; k < record.slots; ++k) {
        const Slot& slot = segment.slot(record.first_slot + k);
        if (probe.position != 0 && slot.position != 0 && slot.position != probe.position) {
            continue;
        }
        const float similarity = compare(segment, slot, probe.probe);
        if (!best || similarity > best->similarity) {
            best = {slot.position, similarity};
        }
    }
    return best;
}

std::vector<Candidate> scan(const Snapshot& snapshot, Modality modality,
                            std::span<const PositionedProbe> probes, const Search& search) {
    Scan shared(snapshot, modality, probes, search);
    const std::size_t count =
        std::clamp<std::size_t>(search.threads, 1, std::max<std::size_t>(1, snapshot.work.size()));
    std::vector<Best> bests(count, Best(search));
    std::vector<std::exception_ptr> failures(count);
    const auto work = [&](std::size_t number) {
        try {
            shared.run(bests[number]);
        } catch (...) {
            failures[number] = std::current_exception();
            shared.stop();
        }
    };
    {
        std::vector<std::jthread> threads;
        threads.reserve(count - 1);
        for (std::size_t number = 1; number < count; ++number) {
            threads.emplace_back(work, number);
        }
        work(0);
    }
    for (const std::exception_ptr& failure : failures) {
        if (failure) {
            std::rethrow_exception(failure);
        }
    }
    for (std::size_t number = 1; number < count; ++number) {
        bests[0].add_all(std::move(bests[number]));
    }
    return std::move(bests[0]).take();
}

}  // namespace idmesh::matcher
