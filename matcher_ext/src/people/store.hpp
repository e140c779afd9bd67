// The segments, where each person is, and the order of changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "idmesh/matcher/people.hpp"
#include "people/segment.hpp"

namespace idmesh::matcher {

// Of an entry that says where a person is: a node of the table, and its share of the buckets.
inline constexpr std::size_t kLocationBytes = 64;

// What a search looks at: one moment, whose memory stays while the search does.
struct PeopleSnapshot {
    std::vector<SegmentView> views;
    std::size_t people = 0;
};

struct FoundPerson {
    SegmentView view;  // without a segment if not found
    std::size_t row = 0;
};

struct HashPersonId {
    std::size_t operator()(const ReferenceId& id) const noexcept;
};

// The lock is held to copy pointers or to write one person, and by compaction for some dozen
// people at a time; never during a search.
class PeopleStore {
  public:
    // max_bytes: 0 is no limit.
    PeopleStore(const PersonShape& shape, std::size_t max_bytes);

    // Throws MatcherError: REFERENCE_EXISTS, OUT_OF_MEMORY.
    void add(const ReferenceId& reference_id, std::span<const Placed> templates);
    bool remove(const ReferenceId& reference_id);
    bool contains(const ReferenceId& reference_id) const;
    std::size_t people() const;
    PeopleStats stats() const;

    PeopleSnapshot snapshot() const;
    PeopleSnapshot snapshot(std::span<const ReferenceId> among) const;
    FoundPerson find(const ReferenceId& reference_id) const;

    std::vector<SealedSegment> seal();

    // An empty segment to be filled. Throws MatcherError: SEGMENT_MALFORMED, the number is taken;
    // OUT_OF_MEMORY.
    std::shared_ptr<PeopleSegment> make_segment(std::uint64_t number, std::size_t rows,
                                                SlotSet slots);
    // A segment that is filled and adopted. Throws MatcherError, and changes nothing:
    // SEGMENT_MALFORMED, REFERENCE_EXISTS, OUT_OF_MEMORY.
    void join(const std::shared_ptr<PeopleSegment>& segment);

  private:
    struct Location {
        PeopleSegment* segment;
        std::uint32_t row;
    };
    using Locations = std::unordered_map<ReferenceId, Location, HashPersonId>;
    using Segment = std::shared_ptr<PeopleSegment>;

    // All of these with the lock held.
    PeopleSegment& room_for(SlotSet slots, std::vector<Segment>& closed);
    void close_open(std::vector<Segment>& closed);
    void check_limit(std::size_t more) const;
    std::size_t resident_bytes() const noexcept;
    SegmentView view_of(const Segment& segment) const;
    bool number_taken(std::uint64_t number) const noexcept;
    static bool small(const Segment& segment) noexcept;
    Segment next_to_compact();
    bool compact_some(const Segment& sparse, std::size_t& row, std::vector<Segment>& closed);

    // Without it.
    void compact();

    const PersonShape shape_;
    const std::size_t max_bytes_;
    mutable std::mutex mutex_;
    std::vector<Segment> sealed_;
    Segment open_;  // null until something is written
    Locations locations_;
    std::size_t sealed_bytes_ = 0;
    std::uint64_t next_number_ = 1;
    Epoch epoch_ = 0;
    bool compacting_ = false;
    bool merging_ = false;
};

}  // namespace idmesh::matcher
