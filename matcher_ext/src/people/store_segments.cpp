// Segments that come, go, and are saved.
#include <algorithm>
#include <new>

#include "idmesh/matcher/error.hpp"
#include "people/store.hpp"

namespace idmesh::matcher {

namespace {

// People that compaction moves while it holds the lock: some 100 microseconds.
constexpr std::size_t kMovedAtOnce = 32;
// Segments that were sealed before they were half full, until they are made into one.
constexpr std::ptrdiff_t kMostSmall = 8;

}  // namespace

bool PeopleStore::small(const Segment& segment) noexcept {
    return segment->rows() < kSegmentRows / 2;
}

PeopleStore::Segment PeopleStore::next_to_compact() {
    const auto found = std::find_if(sealed_.begin(), sealed_.end(), [&](const Segment& segment) {
        return segment->sparse() || (merging_ && small(segment));
    });
    if (found != sealed_.end()) {
        return *found;
    }
    merging_ = false;
    return nullptr;
}

// Moves what lives in segments that are sparse, or small and many, to the open one, and lets go of
// them; searches that began before still hold them, and see their rows where they were. For a while
// the memory of one segment is taken twice, beyond the limit if need be: else a full gallery could
// never shrink.
void PeopleStore::compact() {
    Segment sparse;
    std::size_t row = 0;
    for (;;) {
        std::vector<Segment> closed;
        {
            const std::lock_guard lock(mutex_);
            if (!sparse && compacting_) {
                return;  // another thread is at it
            }
            if (!sparse) {
                sparse = next_to_compact();
                row = 0;
            }
            compacting_ = sparse != nullptr;
            if (!sparse) {
                return;
            }
            try {
                if (compact_some(sparse, row, closed)) {
                    sparse = nullptr;
                    compacting_ = false;
                }
            } catch (const std::exception&) {
                // No memory: what was moved is moved, the rest stays until the next removal.
                compacting_ = false;
                return;
            }
        }
        for (const Segment& segment : closed) {
            segment->settle_rest();
        }
    }
}

// Returns whether nothing is left of the segment.
bool PeopleStore::compact_some(const Segment& sparse, std::size_t& row,
                               std::vector<Segment>& closed) {
    const std::size_t rows = sparse->rows();
    std::size_t moved = 0;
    for (; row < rows && moved < kMovedAtOnce; ++row) {
        if (!sparse->alive(row, epoch_)) {
            continue;
        }
        PeopleSegment& open = room_for(sparse->present(row), closed);
        const auto to = static_cast<std::uint32_t>(open.rows());
        open.append(*sparse, row);
        locations_.find(sparse->reference_id(row))->second = {&open, to};
        epoch_ += 1;
        sparse->retire(row, epoch_);
        moved += 1;
    }
    if (row < rows) {
        return false;
    }
    sealed_bytes_ -= sparse->bytes(rows);
    std::erase(sealed_, sparse);
    return true;
}

std::vector<SealedSegment> PeopleStore::seal() {
    std::vector<Segment> closed;
    std::vector<SealedSegment> made;
    {
        const std::lock_guard lock(mutex_);
        if (open_ && open_->rows() != 0) {
            close_open(closed);
        }
        merging_ |= std::count_if(sealed_.begin(), sealed_.end(), small) > kMostSmall;
    }
    compact();
    {
        const std::lock_guard lock(mutex_);
        if (open_ && open_->rows() != 0) {
            close_open(closed);
        }
        for (const Segment& segment : sealed_) {
            SealedSegment one;
            one.number = segment->number();
            one.rows = segment->rows();
            one.dead.resize((one.rows + 7) / 8);
            for (std::size_t row = 0; row < one.rows; ++row) {
                one.dead[row / 8] |=
                    static_cast<std::uint8_t>(!segment->alive(row, epoch_) << row % 8);
            }
            for (const auto& plane : segment->planes(one.rows, segment->columns())) {
                one.planes.push_back({plane.name, plane.bytes});
            }
            one.held = segment;
            made.push_back(std::move(one));
        }
    }
    for (const Segment& segment : closed) {
        segment->settle_rest();
    }
    return made;
}

bool PeopleStore::number_taken(std::uint64_t number) const noexcept {
    const auto same = [&](const Segment& segment) { return segment->number() == number; };
    return (open_ && same(open_)) || std::any_of(sealed_.begin(), sealed_.end(), same);
}

std::shared_ptr<PeopleSegment> PeopleStore::make_segment(std::uint64_t number, std::size_t rows,
                                                         SlotSet slots) {
    auto segment = std::make_shared<PeopleSegment>(number, shape_);
    segment->make_columns(slots);
    const std::lock_guard lock(mutex_);
    if (number_taken(number)) {
        throw MatcherError("SEGMENT_MALFORMED", "number", "There is a segment of this number.");
    }
    check_limit(segment->bytes(rows) + rows * kLocationBytes);
    return segment;
}

void PeopleStore::join(const std::shared_ptr<PeopleSegment>& segment) {
    const std::size_t rows = segment->rows();
    const std::lock_guard lock(mutex_);
    if (number_taken(segment->number())) {
        throw MatcherError("SEGMENT_MALFORMED", "number", "There is a segment of this number.");
    }
    check_limit(segment->bytes(rows) + (rows - segment->dead()) * kLocationBytes);
    std::size_t row = 0;
    try {
        sealed_.reserve(sealed_.size() + 1);
        for (; row < rows; ++row) {
            if (segment->alive(row, 0) &&
                !locations_
                     .emplace(segment->reference_id(row),
                              Location{segment.get(), static_cast<std::uint32_t>(row)})
                     .second) {
                throw MatcherError("REFERENCE_EXISTS", "reference_id",
                                   "The gallery has a reference of the segment.");
            }
        }
    } catch (...) {
        while (row-- > 0) {
            if (segment->alive(row, 0)) {
                locations_.erase(segment->reference_id(row));
            }
        }
        throw;
    }
    sealed_.push_back(segment);
    sealed_bytes_ += segment->bytes(rows);
    next_number_ = std::max(next_number_, segment->number() + 1);
}

}  // namespace idmesh::matcher
