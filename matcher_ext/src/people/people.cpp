#include "idmesh/matcher/people.hpp"

#include <algorithm>
#include <new>

#include "idmesh/matcher/error.hpp"
#include "people/cascade_rows.hpp"
#include "people/search.hpp"
#include "people/segment_loader.hpp"
#include "people/state.hpp"

namespace idmesh::matcher {

namespace {

// Probes that have the fingers of many people scanned at once: it bounds the memory of the search.
constexpr std::size_t kFewProbes = 4;
// Share of the gallery that a probe may have scanned and still be searched together with all.
constexpr double kMostScanned = 1.0 / 4;

// The probes of a batch that are searched together.
struct Group {
    std::vector<std::size_t> probes;
    ScanWhom whom;
};

// Whom irises and face cannot name for sure. Looks at one row in 16, which ones depends on nothing
// but the snapshot.
double share_scanned(const PeopleSnapshot& snapshot, PersonProbe probe) {
    constexpr std::size_t kStep = 16;
    const SlotSet slots = slots_of(placed(probe));
    const bool face = (slots & kFaceSet) != 0;
    const auto irises = static_cast<std::size_t>(__builtin_popcount(slots & kIrisSet));
    std::size_t looked = 0;
    std::size_t scanned = 0;
    for (const SegmentView& view : snapshot.views) {
        for (std::size_t row = 0; row < view.rows; row += kStep) {
            looked += 1;
            scanned += gates_between(face, irises, view.segment->present(row)) < kGatesEnough;
        }
    }
    return looked != 0 ? static_cast<double>(scanned) / static_cast<double>(looked) : 0.0;
}

std::vector<Group> grouped(const PeopleSnapshot& snapshot, std::span<const PersonProbe> probes) {
    const ScanWhom whom = probes.size() <= kFewProbes ? ScanWhom::everybody : ScanWhom::named;
    std::vector<std::size_t> few;
    Group named{{}, ScanWhom::named};
    for (std::size_t k = 0; k < probes.size(); ++k) {
        const bool scanned =
            whom == ScanWhom::everybody || share_scanned(snapshot, probes[k]) > kMostScanned;
        (scanned ? few : named.probes).push_back(k);
    }
    std::vector<Group> groups;
    if (!named.probes.empty()) {
        groups.push_back(std::move(named));
    }
    for (std::size_t first = 0; first < few.size(); first += kFewProbes) {
        const std::size_t last = std::min(few.size(), first + kFewProbes);
        groups.push_back({{few.begin() + static_cast<std::ptrdiff_t>(first),
                           few.begin() + static_cast<std::ptrdiff_t>(last)},
                          whom});
    }
    return groups;
}

}  // namespace

People::State::State(const PeopleOptions& options)
    : shape{options.face_dimension, options.iris_layout},
      iris_rotation(options.iris_rotation),
      store(shape, options.max_bytes),
      pool(options.threads) {}

People::People(const PeopleOptions& options) {
    if (options.face_dimension == 0 || options.face_dimension > kMaxFaceDimension) {
        throw MatcherError("DIMENSION_MISMATCH", "face_dimension",
                           "Faces have 1 to 4096 elements.");
    }
    if (options.iris_rotation < 0 || options.iris_rotation > kMaxIrisRotation) {
        throw MatcherError("ROTATION_OUT_OF_RANGE", "iris_rotation",
                           "The iris rotation is out of [0, 64] angles.");
    }
    check_iris_layout(options.iris_layout);
    state_ = std::make_shared<State>(options);
}

People::~People() = default;

void People::check(const PositionedTemplate& positioned) const {
    const auto* face = std::get_if<FaceTemplate>(positioned.value);
    if (face != nullptr && face->dimension != state_->shape.face_dimension) {
        throw MatcherError("DIMENSION_MISMATCH", "template",
                           "The embedding is not of the gallery's dimension.");
    }
    const auto* iris = std::get_if<IrisTemplate>(positioned.value);
    if (iris != nullptr && iris->layout != state_->shape.iris_layout) {
        throw MatcherError("DIMENSION_MISMATCH", "template",
                           "The iris code is not of the gallery's layout.");
    }
}

void People::add(const ReferenceId& reference_id, PersonProbe templates) {
    std::for_each(templates.begin(), templates.end(), [&](const auto& one) { check(one); });
    state_->store.add(reference_id, placed(templates));
}

bool People::remove(const ReferenceId& reference_id) {
    return state_->store.remove(reference_id);
}

bool People::contains(const ReferenceId& reference_id) const {
    return state_->store.contains(reference_id);
}

std::size_t People::size() const {
    return state_->store.people();
}

std::vector<Answer> People::identify(std::span<const PersonProbe> probes,
                                     const PeopleSearch& search) const {
    if (search.min_score.size() != probes.size() || search.max_candidates == 0) {
        throw MatcherError("VALUE_OUT_OF_RANGE", "search", "Not one least score for each probe.");
    }
    for (const PersonProbe probe : probes) {
        std::for_each(probe.begin(), probe.end(), [&](const auto& one) { check(one); });
        placed(probe);
    }
    const PeopleSnapshot snapshot =
        search.among ? state_->store.snapshot(*search.among) : state_->store.snapshot();
    const bool exact =
        search.kind == SearchKind::exhaustive || snapshot.people <= most_compared(search);
    std::vector<Answer> answers(probes.size());
    for (const Group& group : grouped(snapshot, probes)) {
        PeopleSearch of_group = search;
        std::vector<PersonProbe> given;
        std::vector<float> min_score;
        for (const std::size_t k : group.probes) {
            given.push_back(probes[k]);
            min_score.push_back(search.min_score[k]);
        }
        of_group.min_score = min_score;
        const ReadyProbes ready(given, state_->shape, state_->iris_rotation, kGateLlr);
        const Searching searching{snapshot, ready, of_group, state_->pool};
        searching.check();
        auto found = exact ? search_everybody(searching) : search_in_stages(searching, group.whom);
        for (std::size_t k = 0; k < given.size(); ++k) {
            answers[group.probes[k]] = {std::move(found[k]), snapshot.people, exact,
                                        exact ? 0.0F : loss_of(ready.people()[k])};
        }
    }
    return answers;
}

PersonComparison People::verify(const ReferenceId& reference_id, PersonProbe probe,
                                Positions positions) const {
    std::for_each(probe.begin(), probe.end(), [&](const auto& one) { check(one); });
    const ReadyProbes ready({&probe, 1}, state_->shape, state_->iris_rotation, kGateLlr);
    const FoundPerson found = state_->store.find(reference_id);
    if (found.view.segment == nullptr) {
        throw MatcherError("REFERENCE_NOT_FOUND", "reference_id",
                           "The gallery has no such reference.");
    }
    return compare_person(ready, 0, found.view, found.row, positions);
}

std::vector<SealedSegment> People::seal() {
    return state_->store.seal();
}

SegmentLoader People::load(std::uint64_t number, std::size_t rows,
                           std::span<const SegmentLoader::Described> planes) {
    return SegmentLoader(SegmentLoader::State::make(state_, number, rows, planes));
}

PeopleStats People::stats() const {
    return state_->store.stats();
}

}  // namespace idmesh::matcher
