// Where each reference is, and the order of changes.
#include <algorithm>
#include <cstring>

#include "gallery_segment.hpp"

namespace idmesh::matcher {

std::size_t HashReferenceId::operator()(const ReferenceId& id) const noexcept {
    // Multiplied, for ids that are counted up instead of drawn.
    std::uint64_t halves[2];
    std::memcpy(halves, id.data(), sizeof halves);
    const std::uint64_t mixed =
        (halves[0] ^ (halves[1] * 0x9E3779B97F4A7C15U)) * 0xD6E8FEB86659FD93U;
    return static_cast<std::size_t>(mixed ^ mixed >> 32);
}

namespace {

bool taken(const Segment& segment, const Record& record,
           std::span<const PositionedTemplate> templates) noexcept {
    for (std::size_t k = 0; k < record.slots; ++k) {
        for (const PositionedTemplate& positioned : templates) {
            if (segment.slot(record.first_slot + k).position == positioned.position) {
                return true;
            }
        }
    }
    return false;
}

}  // namespace

SegmentStore::Location SegmentStore::write(const ReferenceId& reference_id, const Location& old,
                                           std::span<const PositionedTemplate> more, Epoch born) {
    const Record* record = old.segment ? &old.segment->record(old.record) : nullptr;
    if (segments_.empty() ||
        !segments_.back()->append(reference_id, old.segment.get(), record, more, born)) {
        segments_.push_back(std::make_shared<Segment>());
        segments_.back()->append(reference_id, old.segment.get(), record, more, born);
    }
    return {segments_.back(), segments_.back()->records() - 1};
}

bool SegmentStore::add(const ReferenceId& reference_id,
                       std::span<const PositionedTemplate> templates) {
    const std::lock_guard lock(mutex_);
    const auto [entry, fresh] = locations_.try_emplace(reference_id);
    const Location old = entry->second;
    if (!fresh && taken(*old.segment, old.segment->record(old.record), templates)) {
        return false;
    }
    const Epoch epoch = epoch_ + 1;
    try {
        entry->second = write(reference_id, old, templates, epoch);
    } catch (...) {
        if (fresh) {
            locations_.erase(entry);
        }
        throw;
    }
    templates_ += templates.size();
    epoch_ = epoch;
    if (!fresh) {
        old.segment->retire(old.record, epoch);
        tidy(old.segment);
    }
    return true;
}

std::size_t SegmentStore::remove(const ReferenceId& reference_id) {
    const std::lock_guard lock(mutex_);
    const auto entry = locations_.find(reference_id);
    if (entry == locations_.end()) {
        return 0;
    }
    const Location old = entry->second;
    const std::size_t removed = old.segment->record(old.record).slots;
    locations_.erase(entry);
    templates_ -= removed;
    epoch_ += 1;
    old.segment->retire(old.record, epoch_);
    tidy(old.segment);
    return removed;
}

// Moves what lives in a segment that is mostly dead to the open one, and lets go of the segment;
// searches that began before still hold it, and see its records where they were.
void SegmentStore::tidy(const std::shared_ptr<Segment>& segment) {
    if (segment == segments_.back() || !segment->sparse()) {
        return;
    }
    const Epoch epoch = epoch_ + 1;
    for (std::size_t k = 0; k < segment->records(); ++k) {
        const Record& record = segment->record(k);
        if (record.visible(epoch_)) {
            locations_.find(record.reference_id)->second =
                write(record.reference_id, {segment, k}, {}, epoch);
            segment->retire(k, epoch);
        }
    }
    epoch_ = epoch;
    std::erase(segments_, segment);
}

std::size_t SegmentStore::templates() const noexcept {
    const std::lock_guard lock(mutex_);
    return templates_;
}

std::size_t SegmentStore::references() const noexcept {
    const std::lock_guard lock(mutex_);
    return locations_.size();
}

Found SegmentStore::find(const ReferenceId& reference_id) const {
    const std::lock_guard lock(mutex_);
    const auto entry = locations_.find(reference_id);
    if (entry == locations_.end()) {
        return {};
    }
    return {entry->second.segment, entry->second.record};
}

Snapshot SegmentStore::snapshot() const {
    constexpr std::size_t kRecordsOfWork = 256;
    const std::lock_guard lock(mutex_);
    Snapshot made;
    made.epoch = epoch_;
    made.segments.assign(segments_.begin(), segments_.end());
    for (const auto& segment : made.segments) {
        const std::size_t records = segment->records();
        for (std::size_t first = 0; first < records; first += kRecordsOfWork) {
            const std::size_t last = std::min(records, first + kRecordsOfWork);
            made.work.push_back({segment.get(), static_cast<std::uint32_t>(first),
                                 static_cast<std::uint32_t>(last)});
        }
    }
    return made;
}

Snapshot SegmentStore::snapshot(std::span<const ReferenceId> among) const {
    const std::lock_guard lock(mutex_);
    Snapshot made;
    made.epoch = epoch_;
    made.segments.assign(segments_.begin(), segments_.end());
    for (const ReferenceId& reference_id : among) {
        const auto entry = locations_.find(reference_id);
        if (entry != locations_.end()) {
            const auto record = static_cast<std::uint32_t>(entry->second.record);
            made.work.push_back({entry->second.segment.get(), record, record + 1});
        }
    }
    return made;
}

}  // namespace idmesh::matcher
