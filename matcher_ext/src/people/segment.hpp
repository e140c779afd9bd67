// Up to kSegmentRows people in columns: row k of each is person k.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "idmesh/matcher/face_column.hpp"
#include "idmesh/matcher/finger_column.hpp"
#include "idmesh/matcher/iris_column.hpp"
#include "people/slots.hpp"

namespace idmesh::matcher {

inline constexpr std::size_t kSegmentRows = 4096;

// Numbers the removals. A row that died at an epoch is seen by searches of earlier ones.
using Epoch = std::uint64_t;

// What the columns are made for.
struct PersonShape {
    std::size_t face_dimension;
    IrisLayout iris_layout;
};

class PeopleSegment {
  public:
    // Throws MatcherError: OUT_OF_MEMORY; so do the others that say so.
    PeopleSegment(std::uint64_t number, const PersonShape& shape);
    ~PeopleSegment();
    PeopleSegment(const PeopleSegment&) = delete;
    PeopleSegment& operator=(const PeopleSegment&) = delete;

    // Writers, one at a time.

    // OUT_OF_MEMORY. A column that is not written costs addresses only.
    void make_columns(SlotSet slots);
    // The columns are there, and room. OUT_OF_MEMORY: the row is left dead.
    void append(const ReferenceId& reference_id, std::span<const Placed> templates);
    // A row of another segment, its bytes as they are. The columns are there, and room.
    void append(const PeopleSegment& from, std::size_t row);
    void retire(std::size_t row, Epoch died) noexcept;
    // No row is written any more. Irises are settled while nobody asks for a view, the rest at any
    // time.
    void settle_irises() noexcept;
    void settle_rest() noexcept;
    bool sparse() const noexcept { return 5 * dead_ > rows(); }
    std::size_t dead() const noexcept { return dead_; }
    // Memory that it takes with `rows` rows; of rows to come, without what theirs take beyond their
    // places.
    std::size_t bytes(std::size_t rows) const noexcept;
    static std::size_t bytes_beyond(std::span<const Placed> templates) noexcept;
    std::size_t locked_bytes() const noexcept { return locked_.load(std::memory_order_relaxed); }

    // Of a segment that is loaded, before any reader: the rows count as written. SEGMENT_MALFORMED
    // where what was filled in is none that a segment writes.
    void adopt(std::size_t rows);

    struct NamedPlane {
        std::string name;
        std::span<std::byte> bytes;
        std::size_t most;  // as PlaneBytes has it
    };
    // Of the columns in `slots`, which are there.
    std::vector<NamedPlane> planes(std::size_t rows, SlotSet slots) const;

    // Any thread.
    std::uint64_t number() const noexcept { return number_; }
    std::size_t rows() const noexcept { return rows_.load(std::memory_order_acquire); }
    const ReferenceId& reference_id(std::size_t row) const noexcept { return ids()[row]; }
    SlotSet present(std::size_t row) const noexcept { return presence()[row]; }
    bool alive(std::size_t row, Epoch epoch) const noexcept {
        return died_[row].load(std::memory_order_relaxed) > epoch;
    }
    SlotSet columns() const noexcept;
    // Null where no row has the slot.
    const FingerColumn* finger(std::size_t slot) const noexcept;
    const IrisColumn* iris(std::size_t slot) const noexcept;
    const FaceColumn* face() const noexcept;

  private:
    ReferenceId* ids() const noexcept { return reinterpret_cast<ReferenceId*>(ids_.data()); }
    SlotSet* presence() const noexcept { return reinterpret_cast<SlotSet*>(presence_.data()); }
    void put(std::size_t row, const Placed& one);
    void copy(std::size_t row, std::size_t slot, const PeopleSegment& from, std::size_t from_row);
    void publish(const ReferenceId& reference_id, SlotSet slots) noexcept;

    const std::uint64_t number_;
    const PersonShape shape_;
    Plane ids_;
    Plane presence_;
    std::unique_ptr<std::atomic<Epoch>[]> died_;
    std::array<std::atomic<FingerColumn*>, kFingerSlots> fingers_{};
    std::array<std::atomic<IrisColumn*>, kIrisSlots> irises_{};
    std::atomic<FaceColumn*> face_{nullptr};
    std::atomic<std::size_t> rows_{0};
    std::size_t dead_ = 0;
    std::atomic<std::size_t> locked_{0};
};

// A segment as a search sees it.
struct SegmentView {
    std::shared_ptr<const PeopleSegment> segment;
    std::size_t rows = 0;
    Epoch epoch = 0;
    std::array<std::optional<IrisView>, kIrisSlots> irises;
    std::vector<std::uint64_t> only;  // a bit for each row that may be seen; empty: all

    bool visible(std::size_t row) const noexcept {
        return (only.empty() || (only[row / 64] >> row % 64 & 1) != 0) &&
               segment->alive(row, epoch);
    }
    const IrisView* iris(std::size_t slot) const noexcept {
        const auto& view = irises[slot - kFirstIrisSlot];
        return view ? &*view : nullptr;
    }
};

}  // namespace idmesh::matcher
