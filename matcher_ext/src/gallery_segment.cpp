#include "gallery_segment.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>

namespace idmesh::matcher {

namespace {

constexpr std::size_t kPayloadBytes = std::size_t{1} << 20;
constexpr std::size_t kRecords = 2048;
constexpr std::size_t kSlots = 4096;
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMostSlotsOfRecord = 11;

constexpr std::size_t aligned(std::size_t bytes) noexcept {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// A finger's descriptors follow its minutiae.
constexpr std::size_t minutiae_bytes(std::size_t count) noexcept {
    return (count * sizeof(Minutia) + alignof(Descriptor) - 1) / alignof(Descriptor) *
           alignof(Descriptor);
}

static_assert(kMostSlotsOfRecord * (aligned(kMaxFaceDimension * sizeof(float))) <= kPayloadBytes);
static_assert(kMostSlotsOfRecord *
                  aligned(kMaxMinutiae * (sizeof(Minutia) + sizeof(Descriptor)) + kAlignment) <=
              kPayloadBytes);

}  // namespace

// Two runs of bytes, one after the other; the second may be empty.
struct Segment::Source {
    std::span<const std::byte> head;
    std::span<const std::byte> tail;
    std::size_t tail_offset = 0;
    std::uint16_t count = 1;
    std::uint8_t position = 0;

    std::size_t bytes() const noexcept { return aligned(tail_offset + tail.size()); }
};

void Segment::FreeAligned::operator()(std::byte* bytes) const noexcept {
    std::free(bytes);
}

Segment::Segment()
    : records_(std::make_unique<Record[]>(kRecords)),
      slots_(std::make_unique<Slot[]>(kSlots)),
      payload_(static_cast<std::byte*>(std::aligned_alloc(kAlignment, kPayloadBytes))) {
    if (!payload_) {
        throw std::bad_alloc();
    }
}

Segment::Source Segment::source_of(const PositionedTemplate& positioned) noexcept {
    Source source;
    source.position = positioned.position;
    if (const auto* finger = std::get_if<FingerTemplate>(positioned.value)) {
        source.head = std::as_bytes(std::span(finger->minutiae));
        source.tail = std::as_bytes(std::span(finger->descriptors));
        source.tail_offset = minutiae_bytes(finger->minutiae.size());
        source.count = static_cast<std::uint16_t>(finger->minutiae.size());
    } else if (const auto* iris = std::get_if<IrisTemplate>(positioned.value)) {
        source.head = std::as_bytes(std::span(iris->bits));
        source.tail_offset = source.head.size();
    } else if (const auto* face = std::get_if<FaceTemplate>(positioned.value)) {
        source.head = std::as_bytes(std::span(face->vector));
        source.tail_offset = source.head.size();
    }
    return source;
}

Segment::Source Segment::source_of(const Slot& slot) const noexcept {
    Source source;
    source.head = std::span<const std::byte>(payload_.get() + slot.offset, slot.bytes);
    source.tail_offset = slot.bytes;
    source.count = slot.count;
    source.position = slot.position;
    return source;
}

bool Segment::append(const ReferenceId& reference_id, const Segment* from, const Record* old,
                     std::span<const PositionedTemplate> more, Epoch born) noexcept {
    std::array<Source, kMostSlotsOfRecord> sources;
    std::size_t count = 0;
    const std::size_t kept = old != nullptr ? old->slots : 0;
    assert(kept + more.size() <= sources.size());
    for (std::size_t k = 0; k < kept; ++k) {
        sources[count++] = from->source_of(from->slot(old->first_slot + k));
    }
    for (const PositionedTemplate& positioned : more) {
        sources[count++] = source_of(positioned);
    }
    std::sort(sources.begin(), sources.begin() + static_cast<long>(count),
              [](const Source& a, const Source& b) { return a.position < b.position; });
    return write(reference_id, std::span(sources).first(count), born);
}

void Segment::retire(std::size_t record, Epoch died) noexcept {
    records_[record].died.store(died, std::memory_order_relaxed);
    live_ -= 1;
}

bool Segment::write(const ReferenceId& reference_id, std::span<const Source> sources,
                    Epoch born) noexcept {
    const std::size_t number = published_.load(std::memory_order_relaxed);
    std::size_t bytes = 0;
    for (const Source& source : sources) {
        bytes += source.bytes();
    }
    if (number == kRecords || slots_used_ + sources.size() > kSlots ||
        bytes_used_ + bytes > kPayloadBytes) {
        return false;
    }
    Record& record = records_[number];
    record.reference_id = reference_id;
    record.first_slot = static_cast<std::uint32_t>(slots_used_);
    record.slots = static_cast<std::uint16_t>(sources.size());
    record.born = born;
    for (const Source& source : sources) {
        std::byte* to = payload_.get() + bytes_used_;
        std::memcpy(to, source.head.data(), source.head.size());
        if (!source.tail.empty()) {
            std::memcpy(to + source.tail_offset, source.tail.data(), source.tail.size());
        }
        slots_[slots_used_++] = {static_cast<std::uint32_t>(bytes_used_),
                                 static_cast<std::uint32_t>(source.bytes()), source.count,
                                 source.position};
        bytes_used_ += source.bytes();
    }
    live_ += 1;
    published_.store(number + 1, std::memory_order_release);
    return true;
}

FingerView Segment::finger(const Slot& slot) const noexcept {
    const std::byte* at = payload_.get() + slot.offset;
    return {reinterpret_cast<const Minutia*>(at),
            reinterpret_cast<const Descriptor*>(at + minutiae_bytes(slot.count)), slot.count};
}

const std::uint64_t* Segment::iris(const Slot& slot) const noexcept {
    return reinterpret_cast<const std::uint64_t*>(payload_.get() + slot.offset);
}

const float* Segment::face(const Slot& slot) const noexcept {
    return reinterpret_cast<const float*>(payload_.get() + slot.offset);
}

}  // namespace idmesh::matcher
