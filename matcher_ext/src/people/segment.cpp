#include "people/segment.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

namespace {

constexpr Epoch kNever = std::numeric_limits<Epoch>::max();
constexpr std::size_t kRowBytes = sizeof(ReferenceId) + sizeof(SlotSet) + sizeof(Epoch);

bool has(SlotSet slots, std::size_t slot) noexcept {
    return (slots >> slot & 1) != 0;
}

[[noreturn]] void malformed(const char* message) {
    throw MatcherError("SEGMENT_MALFORMED", "planes", message);
}

// Makes a column where there is none. Readers may look at the pointer meanwhile.
template <typename Column, typename... Arguments>
void make(std::atomic<Column*>& place, Arguments... arguments) {
    if (place.load(std::memory_order_relaxed) == nullptr) {
        place.store(new Column(kSegmentRows, arguments...), std::memory_order_release);
    }
}

template <typename Column>
Column* read(const std::atomic<Column*>& place) noexcept {
    return place.load(std::memory_order_acquire);
}

}  // namespace

PeopleSegment::PeopleSegment(std::uint64_t number, const PersonShape& shape)
    : number_(number),
      shape_(shape),
      ids_(kSegmentRows * sizeof(ReferenceId)),
      presence_(kSegmentRows * sizeof(SlotSet)),
      died_(std::make_unique<std::atomic<Epoch>[]>(kSegmentRows)) {
    for (std::size_t row = 0; row < kSegmentRows; ++row) {
        died_[row].store(kNever, std::memory_order_relaxed);
    }
}

PeopleSegment::~PeopleSegment() {
    for (auto& finger : fingers_) {
        delete read(finger);
    }
    for (auto& iris : irises_) {
        delete read(iris);
    }
    delete read(face_);
}

void PeopleSegment::make_columns(SlotSet slots) {
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
        if (!has(slots, slot)) {
            continue;
        }
        switch (modality_of_slot(slot)) {
            case Modality::finger:
                make(fingers_[slot]);
                break;
            case Modality::iris:
                make(irises_[slot - kFirstIrisSlot], shape_.iris_layout);
                break;
            case Modality::face:
                make(face_, shape_.face_dimension);
                break;
        }
    }
}

SlotSet PeopleSegment::columns() const noexcept {
    SlotSet made = 0;
    for (std::size_t slot = 0; slot < kFingerSlots; ++slot) {
        made |= SlotSet{finger(slot) != nullptr} << slot;
    }
    for (std::size_t slot = kFirstIrisSlot; slot < kFaceSlot; ++slot) {
        made |= SlotSet{iris(slot) != nullptr} << slot;
    }
    return made | SlotSet{face() != nullptr} << kFaceSlot;
}

const FingerColumn* PeopleSegment::finger(std::size_t slot) const noexcept {
    return read(fingers_[slot]);
}

const IrisColumn* PeopleSegment::iris(std::size_t slot) const noexcept {
    return read(irises_[slot - kFirstIrisSlot]);
}

const FaceColumn* PeopleSegment::face() const noexcept {
    return read(face_);
}

void PeopleSegment::put(std::size_t row, const Placed& one) {
    switch (modality_of_slot(one.slot)) {
        case Modality::finger:
            read(fingers_[one.slot])->put(row, std::get<FingerTemplate>(*one.value));
            break;
        case Modality::iris:
            read(irises_[one.slot - kFirstIrisSlot])->put(row, std::get<IrisTemplate>(*one.value));
            break;
        case Modality::face:
            read(face_)->put(row, std::get<FaceTemplate>(*one.value));
            break;
    }
}

void PeopleSegment::copy(std::size_t row, std::size_t slot, const PeopleSegment& from,
                         std::size_t from_row) {
    switch (modality_of_slot(slot)) {
        case Modality::finger:
            read(fingers_[slot])->copy(row, *from.finger(slot), from_row);
            break;
        case Modality::iris:
            read(irises_[slot - kFirstIrisSlot])->put(row, from.iris(slot)->view().iris(from_row));
            break;
        case Modality::face:
            read(face_)->copy(row, *from.face(), from_row);
            break;
    }
}

// Rows are written once, so one that could not be written to the end is given up.
void PeopleSegment::append(const ReferenceId& reference_id, std::span<const Placed> templates) {
    const std::size_t row = rows_.load(std::memory_order_relaxed);
    assert(row < kSegmentRows);
    try {
        for (const Placed& one : templates) {
            put(row, one);
        }
    } catch (...) {
        publish(ReferenceId{}, 0);
        throw;
    }
    publish(reference_id, slots_of(templates));
}

void PeopleSegment::append(const PeopleSegment& from, std::size_t from_row) {
    const std::size_t row = rows_.load(std::memory_order_relaxed);
    const SlotSet slots = from.present(from_row);
    assert(row < kSegmentRows);
    try {
        for (std::size_t slot = 0; slot < kSlots; ++slot) {
            if (has(slots, slot)) {
                copy(row, slot, from, from_row);
            }
        }
    } catch (...) {
        publish(ReferenceId{}, 0);
        throw;
    }
    publish(from.reference_id(from_row), slots);
}

void PeopleSegment::publish(const ReferenceId& reference_id, SlotSet slots) noexcept {
    const std::size_t row = rows_.load(std::memory_order_relaxed);
    ids()[row] = reference_id;
    presence()[row] = slots;
    if (slots == 0) {
        retire(row, 0);
    }
    rows_.store(row + 1, std::memory_order_release);
}

void PeopleSegment::retire(std::size_t row, Epoch died) noexcept {
    died_[row].store(died, std::memory_order_relaxed);
    dead_ += 1;
}

std::size_t PeopleSegment::bytes(std::size_t rows) const noexcept {
    std::size_t sum = rows * kRowBytes;
    for (const auto& one : fingers_) {
        const FingerColumn* column = read(one);
        sum += column != nullptr ? column->bytes(rows) : 0;
    }
    for (const auto& one : irises_) {
        const IrisColumn* column = read(one);
        sum += column != nullptr ? column->bytes(rows) : 0;
    }
    const FaceColumn* column = face();
    return sum + (column != nullptr ? column->bytes(rows) : 0);
}

std::size_t PeopleSegment::bytes_beyond(std::span<const Placed> templates) noexcept {
    std::size_t sum = 0;
    for (const Placed& one : templates) {
        if (const auto* finger = std::get_if<FingerTemplate>(one.value)) {
            sum += FingerColumn::bytes_beyond(*finger);
        }
    }
    return sum;
}

void PeopleSegment::settle_irises() noexcept {
    for (const auto& one : irises_) {
        IrisColumn* column = read(one);
        if (column != nullptr && column->settle(rows())) {
            locked_ += column->bytes(rows());
        }
    }
}

void PeopleSegment::settle_rest() noexcept {
    for (const auto& one : fingers_) {
        FingerColumn* column = read(one);
        if (column != nullptr && column->settle(rows())) {
            locked_ += column->bytes(rows());
        }
    }
    FaceColumn* column = read(face_);
    if (column != nullptr && column->settle(rows())) {
        locked_ += column->bytes(rows());
    }
    ids_.settle(rows() * sizeof(ReferenceId));
    presence_.settle(rows() * sizeof(SlotSet));
}

std::vector<PeopleSegment::NamedPlane> PeopleSegment::planes(std::size_t rows,
                                                             SlotSet slots) const {
    std::vector<NamedPlane> made = {{"ids", {ids_.data(), rows * sizeof(ReferenceId)}, 0},
                                    {"presence", {presence_.data(), rows * sizeof(SlotSet)}, 0}};
    const auto add = [&](std::size_t slot, auto* column) {
        for (const PlaneBytes& plane : column->planes(rows)) {
            made.push_back({name_of_slot(slot) + "." + plane.name, plane.bytes, plane.most});
        }
    };
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
        if (!has(slots, slot)) {
            continue;
        }
        switch (modality_of_slot(slot)) {
            case Modality::finger:
                add(slot, read(fingers_[slot]));
                break;
            case Modality::iris:
                add(slot, read(irises_[slot - kFirstIrisSlot]));
                break;
            case Modality::face:
                add(slot, read(face_));
                break;
        }
    }
    return made;
}

void PeopleSegment::adopt(std::size_t rows) {
    const SlotSet slots = columns();
    for (std::size_t row = 0; row < rows; ++row) {
        if ((present(row) & ~slots) != 0) {
            malformed("A row has a template that no plane holds.");
        }
    }
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
        if (!has(slots, slot)) {
            continue;
        }
        const Modality modality = modality_of_slot(slot);
        if (!(modality == Modality::finger ? read(fingers_[slot])->adopt(rows)
              : modality == Modality::iris ? iris(slot)->well_formed(rows)
                                           : face()->well_formed(rows))) {
            malformed("A plane holds what no template is kept as.");
        }
    }
    settle_irises();
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t slot = 0; slot < kSlots; ++slot) {
            if (!has(slots, slot)) {
                continue;
            }
            const Modality modality = modality_of_slot(slot);
            const bool there = modality == Modality::finger ? finger(slot)->has(row)
                               : modality == Modality::iris ? iris(slot)->view().has(row)
                                                            : face()->has(row);
            // Of a row that could not be written to the end, a column may have a part.
            if (there != has(present(row), slot) && present(row) != 0) {
                malformed("A row and its planes differ in what the person has.");
            }
        }
        if (present(row) == 0) {
            retire(row, 0);
        }
    }
    rows_.store(rows, std::memory_order_release);
}

}  // namespace idmesh::matcher
