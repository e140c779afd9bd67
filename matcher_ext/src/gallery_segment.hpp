// How references lie in memory: segments of records, of templates, of their bytes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "idmesh/matcher/gallery.hpp"

namespace idmesh::matcher {

using Epoch = std::uint64_t;
inline constexpr Epoch kNever = ~Epoch{0};

// One reference. Only `died` ever changes.
struct Record {
    ReferenceId reference_id{};
    std::uint32_t first_slot = 0;
    std::uint16_t slots = 0;
    Epoch born = 0;
    std::atomic<Epoch> died{kNever};

    bool visible(Epoch epoch) const noexcept {
        return born <= epoch && epoch < died.load(std::memory_order_relaxed);
    }
};

// One template of a reference. Slots of a record are in ascending position.
struct Slot {
    std::uint32_t offset = 0;  // of its bytes in the payload
    std::uint32_t bytes = 0;
    std::uint16_t count = 0;  // of minutiae; 1 for iris and face
    std::uint8_t position = 0;
};

// Append-only, of fixed capacity, about 1 MiB: a piece of work that fits a core's cache.
class Segment {
  public:
    Segment();

    // Writer only. A new record of the templates that old (of segment from; may be null) has and of
    // more, which are sorted and at other positions. False, and no change, if there is no room.
    bool append(const ReferenceId& reference_id, const Segment* from, const Record* old,
                std::span<const PositionedTemplate> more, Epoch born) noexcept;
    void retire(std::size_t record, Epoch died) noexcept;
    bool sparse() const noexcept { return 2 * live_ < records(); }

    // Any thread.
    std::size_t records() const noexcept { return published_.load(std::memory_order_acquire); }
    const Record& record(std::size_t number) const noexcept { return records_[number]; }
    const Slot& slot(std::size_t number) const noexcept { return slots_[number]; }
    FingerView finger(const Slot& slot) const noexcept;
    const std::uint64_t* iris(const Slot& slot) const noexcept;
    const float* face(const Slot& slot) const noexcept;

  private:
    struct Source;  // a template's bytes, wherever they are
    struct FreeAligned {
        void operator()(std::byte* bytes) const noexcept;
    };

    static Source source_of(const PositionedTemplate& positioned) noexcept;
    Source source_of(const Slot& slot) const noexcept;
    bool write(const ReferenceId& reference_id, std::span<const Source> sources,
               Epoch born) noexcept;

    std::unique_ptr<Record[]> records_;
    std::unique_ptr<Slot[]> slots_;
    std::unique_ptr<std::byte[], FreeAligned> payload_;
    std::size_t slots_used_ = 0;
    std::size_t bytes_used_ = 0;
    std::size_t live_ = 0;
    std::atomic<std::size_t> published_{0};
};

// What a search looks at: segments that stay alive with it, and the moment it sees.
struct Snapshot {
    struct Work {
        const Segment* segment;
        std::uint32_t first, last;  // records [first, last)
    };
    std::vector<std::shared_ptr<const Segment>> segments;
    std::vector<Work> work;
    Epoch epoch = 0;
};

struct Found {
    std::shared_ptr<const Segment> segment;  // null if not found
    std::size_t record = 0;
};

struct HashReferenceId {
    std::size_t operator()(const ReferenceId& id) const noexcept;
};

// The segments and where each reference is. The lock is held to copy pointers or one record, and
// now and then to move the live records of a segment that is mostly dead; never during a search.
class SegmentStore {
  public:
    // Sorted by position, distinct positions. False, and no change, if one of them is taken.
    bool add(const ReferenceId& reference_id, std::span<const PositionedTemplate> templates);
    std::size_t remove(const ReferenceId& reference_id);
    std::size_t templates() const noexcept;
    std::size_t references() const noexcept;
    Found find(const ReferenceId& reference_id) const;
    Snapshot snapshot() const;
    // Of these references only; each must be given once.
    Snapshot snapshot(std::span<const ReferenceId> among) const;

  private:
    struct Location {
        std::shared_ptr<Segment> segment;  // null: nowhere yet
        std::size_t record = 0;
    };

    Location write(const ReferenceId& reference_id, const Location& old,
                   std::span<const PositionedTemplate> more, Epoch born);
    void tidy(const std::shared_ptr<Segment>& segment);

    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<Segment>> segments_;  // the last one is open
    std::unordered_map<ReferenceId, Location, HashReferenceId> locations_;
    std::size_t templates_ = 0;
    Epoch epoch_ = 0;
};

}  // namespace idmesh::matcher
