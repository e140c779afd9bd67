#include "people/store.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

namespace {

[[noreturn]] void out_of_memory() {
    throw MatcherError("OUT_OF_MEMORY", "gallery", "The gallery has no room for more.");
}

[[noreturn]] void already_there() {
    throw MatcherError("REFERENCE_EXISTS", "reference_id", "The gallery has this reference.");
}

}  // namespace

std::size_t HashPersonId::operator()(const ReferenceId& id) const noexcept {
    // Multiplied, for ids that are counted up instead of drawn.
    std::uint64_t halves[2];
    std::memcpy(halves, id.data(), sizeof halves);
    const std::uint64_t mixed =
        (halves[0] ^ (halves[1] * 0x9E3779B97F4A7C15U)) * 0xD6E8FEB86659FD93U;
    return static_cast<std::size_t>(mixed ^ mixed >> 32);
}

PeopleStore::PeopleStore(const PersonShape& shape, std::size_t max_bytes)
    : shape_(shape), max_bytes_(max_bytes) {}

void PeopleStore::add(const ReferenceId& reference_id, std::span<const Placed> templates) {
    std::vector<Segment> closed;
    try {
        const std::lock_guard lock(mutex_);
        if (locations_.contains(reference_id)) {
            already_there();
        }
        PeopleSegment& segment = room_for(slots_of(templates), closed);
        const std::size_t rows = segment.rows();
        check_limit(segment.bytes(rows + 1) - segment.bytes(rows) +
                    PeopleSegment::bytes_beyond(templates) + kLocationBytes);
        const auto entry =
            locations_.emplace(reference_id, Location{&segment, std::uint32_t(rows)}).first;
        try {
            segment.append(reference_id, templates);
        } catch (...) {
            locations_.erase(entry);
            throw;
        }
    } catch (const std::bad_alloc&) {
        out_of_memory();
    }
    for (const Segment& segment : closed) {
        segment->settle_rest();
    }
}

bool PeopleStore::remove(const ReferenceId& reference_id) {
    bool sparse = false;
    {
        const std::lock_guard lock(mutex_);
        const auto entry = locations_.find(reference_id);
        if (entry == locations_.end()) {
            return false;
        }
        const Location at = entry->second;
        locations_.erase(entry);
        epoch_ += 1;
        at.segment->retire(at.row, epoch_);
        sparse = !compacting_ && at.segment != open_.get() && at.segment->sparse();
    }
    if (sparse) {
        compact();
    }
    return true;
}

// The open segment, with these columns; a new one if it is full.
PeopleSegment& PeopleStore::room_for(SlotSet slots, std::vector<Segment>& closed) {
    if (open_ && open_->rows() == kSegmentRows) {
        close_open(closed);
    }
    if (!open_) {
        open_ = std::make_shared<PeopleSegment>(next_number_, shape_);
        next_number_ += 1;
    }
    open_->make_columns(slots);
    return *open_;
}

void PeopleStore::close_open(std::vector<Segment>& closed) {
    closed.reserve(closed.size() + 1);
    sealed_.reserve(sealed_.size() + 1);
    open_->settle_irises();
    sealed_bytes_ += open_->bytes(open_->rows());
    closed.push_back(open_);
    sealed_.push_back(std::move(open_));
    open_ = nullptr;
}

void PeopleStore::check_limit(std::size_t more) const {
    if (max_bytes_ != 0 && resident_bytes() + more > max_bytes_) {
        out_of_memory();
    }
}

std::size_t PeopleStore::resident_bytes() const noexcept {
    return sealed_bytes_ + (open_ ? open_->bytes(open_->rows()) : 0) +
           locations_.size() * kLocationBytes;
}

bool PeopleStore::contains(const ReferenceId& reference_id) const {
    const std::lock_guard lock(mutex_);
    return locations_.contains(reference_id);
}

std::size_t PeopleStore::people() const {
    const std::lock_guard lock(mutex_);
    return locations_.size();
}

PeopleStats PeopleStore::stats() const {
    const std::lock_guard lock(mutex_);
    PeopleStats made;
    made.people = locations_.size();
    made.resident_bytes = resident_bytes();
    const auto count = [&](const PeopleSegment& segment) {
        made.rows += segment.rows();
        made.dead += segment.dead();
        made.segments += 1;
        made.locked_bytes += segment.locked_bytes();
    };
    for (const Segment& segment : sealed_) {
        count(*segment);
    }
    if (open_) {
        count(*open_);
    }
    return made;
}

SegmentView PeopleStore::view_of(const Segment& segment) const {
    SegmentView view;
    view.segment = segment;
    view.rows = segment->rows();
    view.epoch = epoch_;
    for (std::size_t slot = kFirstIrisSlot; slot < kFaceSlot; ++slot) {
        if (const IrisColumn* column = segment->iris(slot)) {
            view.irises[slot - kFirstIrisSlot] = column->view();
        }
    }
    return view;
}

PeopleSnapshot PeopleStore::snapshot() const {
    const std::lock_guard lock(mutex_);
    PeopleSnapshot made;
    made.people = locations_.size();
    made.views.reserve(sealed_.size() + 1);
    for (const Segment& segment : sealed_) {
        made.views.push_back(view_of(segment));
    }
    if (open_) {
        made.views.push_back(view_of(open_));
    }
    return made;
}

PeopleSnapshot PeopleStore::snapshot(std::span<const ReferenceId> among) const {
    const std::lock_guard lock(mutex_);
    std::unordered_map<const PeopleSegment*, std::vector<std::uint64_t>> only;
    PeopleSnapshot made;
    for (const ReferenceId& reference_id : among) {
        const auto entry = locations_.find(reference_id);
        if (entry == locations_.end()) {
            continue;
        }
        auto& bits = only[entry->second.segment];
        bits.resize(kSegmentRows / 64);
        const std::uint64_t bit = std::uint64_t{1} << entry->second.row % 64;
        made.people += (bits[entry->second.row / 64] & bit) == 0;
        bits[entry->second.row / 64] |= bit;
    }
    const auto add = [&](const Segment& segment) {
        const auto found = only.find(segment.get());
        if (found != only.end()) {
            made.views.push_back(view_of(segment));
            made.views.back().only = std::move(found->second);
        }
    };
    std::for_each(sealed_.begin(), sealed_.end(), add);
    if (open_) {
        add(open_);
    }
    return made;
}

FoundPerson PeopleStore::find(const ReferenceId& reference_id) const {
    const std::lock_guard lock(mutex_);
    const auto entry = locations_.find(reference_id);
    if (entry == locations_.end()) {
        return {};
    }
    const auto same = [&](const Segment& one) { return one.get() == entry->second.segment; };
    const auto at = std::find_if(sealed_.begin(), sealed_.end(), same);
    return {view_of(at != sealed_.end() ? *at : open_), entry->second.row};
}

}  // namespace idmesh::matcher
