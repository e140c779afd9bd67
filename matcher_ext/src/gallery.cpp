// Memory layout, threads, best candidates. Knows no instruction set.
//
// A reference is one record: its templates lie one after the other in one segment, and never
// change. A change writes a new record and retires the old one. Every change has a number, its
// epoch; a record is visible to the searches whose epoch is in [born, died). So a search sees one
// moment without holding a lock, and a writer waits for no search.
#include "idmesh/matcher/gallery.hpp"

#include <algorithm>

#include "gallery_scan.hpp"
#include "gallery_segment.hpp"
#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

namespace {

constexpr std::size_t kMostPosition[] = {10, 2, 0};  // finger, iris, face

bool by_position(const PositionedTemplate& a, const PositionedTemplate& b) noexcept {
    return a.position < b.position;
}

[[noreturn]] void already_there() {
    throw MatcherError("REFERENCE_EXISTS", "position",
                       "The reference has a template at this position.");
}

}  // namespace

struct Gallery::State {
    State(Modality kind, std::size_t components, int rotation)
        : modality(kind), dimension(components), iris_rotation(rotation) {}

    const Modality modality;
    const std::size_t dimension;
    const int iris_rotation;
    SegmentStore store{};
};

Gallery::Gallery(Modality modality, std::size_t dimension, int iris_rotation) {
    const bool face = modality == Modality::face;
    if (face != (dimension != 0) || dimension > kMaxFaceDimension) {
        throw MatcherError("DIMENSION_MISMATCH", "dimension",
                           "A face gallery has a dimension in [1, 4096], the others have none.");
    }
    if (iris_rotation < 0 || iris_rotation > kMaxIrisRotation) {
        throw MatcherError("ROTATION_OUT_OF_RANGE", "iris_rotation",
                           "The iris rotation is out of [0, 64] angles.");
    }
    state_ = std::make_unique<State>(modality, dimension, iris_rotation);
}

Gallery::~Gallery() = default;

void Gallery::check(const PositionedTemplate& positioned) const {
    if (modality_of(*positioned.value) != state_->modality) {
        throw MatcherError("MODALITY_MISMATCH", "template",
                           "The template is not of the gallery's modality.");
    }
    if (positioned.position > kMostPosition[static_cast<std::size_t>(state_->modality)]) {
        throw MatcherError("POSITION_OUT_OF_RANGE", "position",
                           "The modality has no such position.");
    }
    const auto* face = std::get_if<FaceTemplate>(positioned.value);
    if (face != nullptr && face->dimension != state_->dimension) {
        throw MatcherError("DIMENSION_MISMATCH", "template",
                           "The embedding is not of the gallery's dimension.");
    }
    const auto* iris = std::get_if<IrisTemplate>(positioned.value);
    if (iris != nullptr && iris->layout != kDefaultIrisLayout) {
        throw MatcherError("DIMENSION_MISMATCH", "template",
                           "The iris code is not of the gallery's layout.");
    }
}

void Gallery::add(const ReferenceId& reference_id, std::span<const PositionedTemplate> templates) {
    for (const PositionedTemplate& positioned : templates) {
        check(positioned);
    }
    if (templates.empty()) {
        return;
    }
    std::vector<PositionedTemplate> sorted(templates.begin(), templates.end());
    std::sort(sorted.begin(), sorted.end(), by_position);
    const auto same = [](const PositionedTemplate& a, const PositionedTemplate& b) {
        return a.position == b.position;
    };
    if (std::adjacent_find(sorted.begin(), sorted.end(), same) != sorted.end()) {
        already_there();
    }
    if (!state_->store.add(reference_id, sorted)) {
        already_there();
    }
}

std::size_t Gallery::remove(const ReferenceId& reference_id) {
    return state_->store.remove(reference_id);
}

std::size_t Gallery::templates() const noexcept {
    return state_->store.templates();
}

std::size_t Gallery::references() const noexcept {
    return state_->store.references();
}

bool Gallery::contains(const ReferenceId& reference_id) const {
    return state_->store.find(reference_id).segment != nullptr;
}

std::vector<Candidate> Gallery::identify(std::span<const PositionedTemplate> probes,
                                         const Search& search) const {
    std::vector<PositionedProbe> ready;
    ready.reserve(probes.size());
    for (const PositionedTemplate& positioned : probes) {
        check(positioned);
        ready.push_back({positioned.position, Probe(*positioned.value, state_->iris_rotation)});
    }
    if (ready.empty() || search.max_candidates == 0) {
        return {};
    }
    if (!search.among) {
        return scan(state_->store.snapshot(), state_->modality, ready, search);
    }
    std::vector<ReferenceId> among = *search.among;
    std::sort(among.begin(), among.end());
    among.erase(std::unique(among.begin(), among.end()), among.end());
    return scan(state_->store.snapshot(among), state_->modality, ready, search);
}

float Gallery::verify(const ReferenceId& reference_id, const PositionedTemplate& positioned) const {
    check(positioned);
    const Found found = state_->store.find(reference_id);
    if (found.segment == nullptr) {
        throw MatcherError("REFERENCE_NOT_FOUND", "reference_id",
                           "The gallery has no such reference.");
    }
    const PositionedProbe ready{positioned.position,
                                Probe(*positioned.value, state_->iris_rotation)};
    const std::optional<PositionSimilarity> best =
        best_of_record(*found.segment, found.segment->record(found.record), ready);
    if (!best) {
        throw MatcherError("REFERENCE_NOT_FOUND", "position",
                           "The reference has no template at this position.");
    }
    return best->similarity;
}

}  // namespace idmesh::matcher
