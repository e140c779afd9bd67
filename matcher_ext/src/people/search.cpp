#include "people/search.hpp"

#include <algorithm>
#include <deque>
#include <iterator>

#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

namespace {

// People of a unit of full comparisons: a few milliseconds.
constexpr std::size_t kComparedAtOnce = 32;

bool better(const PersonCandidate& a, const PersonCandidate& b) noexcept {
    return a.comparison.score != b.comparison.score ? a.comparison.score > b.comparison.score
                                                    : a.reference_id < b.reference_id;
}

}  // namespace

void Searching::check() const {
    if (search.cancelled != nullptr && search.cancelled->load(std::memory_order_relaxed)) {
        throw MatcherError("CANCELLED", "cancel", "The search was cancelled.");
    }
    if (search.deadline && std::chrono::steady_clock::now() >= *search.deadline) {
        throw MatcherError("DEADLINE_EXCEEDED", "deadline_s",
                           "The deadline passed before the gallery was searched.");
    }
}

std::vector<Stretch> stretches_of(const PeopleSnapshot& snapshot, std::size_t rows_each) {
    std::vector<Stretch> made;
    for (std::size_t view = 0; view < snapshot.views.size(); ++view) {
        const std::size_t rows = snapshot.views[view].rows;
        for (std::size_t first = 0; first < rows; first += rows_each) {
            made.push_back({view, first, std::min(rows, first + rows_each)});
        }
    }
    return made;
}

void BestCandidates::add(PersonCandidate&& candidate) {
    const std::lock_guard lock(mutex_);
    if (candidate.comparison.comparisons.empty() || !(candidate.comparison.score >= least_)) {
        return;
    }
    kept_.push_back(std::move(candidate));
    if (kept_.size() >= 2 * most_ + 64) {
        cut();
    }
}

std::vector<PersonCandidate> BestCandidates::take() {
    cut();
    return std::move(kept_);
}

void BestCandidates::cut() {
    std::sort(kept_.begin(), kept_.end(), better);
    if (kept_.size() > most_) {
        kept_.resize(most_);
    }
    if (kept_.size() == most_) {
        least_ = kept_.back().comparison.score;  // an equal one may still win by its reference_id
    }
}

std::vector<std::vector<PersonCandidate>> search_everybody(const Searching& searching) {
    const PeopleSearch& search = searching.search;
    const std::vector<Stretch> stretches = stretches_of(searching.snapshot, kComparedAtOnce);
    const std::size_t people = searching.probes.people().size();
    std::deque<BestCandidates> best;
    for (std::size_t person = 0; person < people; ++person) {
        best.emplace_back(search.max_candidates, search.min_score[person]);
    }
    searching.pool.run(stretches.size() * people, [&](std::size_t, std::size_t unit) {
        searching.check();
        const Stretch& stretch = stretches[unit / people];
        const std::size_t person = unit % people;
        const SegmentView& view = searching.snapshot.views[stretch.view];
        for (std::size_t row = stretch.first; row < stretch.last; ++row) {
            if (view.visible(row)) {
                best[person].add(
                    {view.segment->reference_id(row),
                     compare_person(searching.probes, person, view, row, search.positions)});
            }
        }
    });
    std::vector<std::vector<PersonCandidate>> found;
    for (BestCandidates& one : best) {
        found.push_back(one.take());
    }
    return found;
}

}  // namespace idmesh::matcher
