// The places that a person's templates have: one column of a segment for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "idmesh/matcher/reference.hpp"

namespace idmesh::matcher {

// Fingers 1 to 10, ten of unknown position, irises 1 and 2, two of unknown position, the face.
inline constexpr std::size_t kFingerSlots = 20;
inline constexpr std::size_t kKnownFingers = 10;
inline constexpr std::size_t kFirstIrisSlot = kFingerSlots;
inline constexpr std::size_t kIrisSlots = 4;
inline constexpr std::size_t kKnownIrises = 2;
inline constexpr std::size_t kFaceSlot = kFirstIrisSlot + kIrisSlots;
inline constexpr std::size_t kSlots = kFaceSlot + 1;

using SlotSet = std::uint32_t;  // bit s: slot s
inline constexpr SlotSet kFingerSet = (SlotSet{1} << kFingerSlots) - 1;
inline constexpr SlotSet kFaceSet = SlotSet{1} << kFaceSlot;
inline constexpr SlotSet kIrisSet = (kFaceSet - 1) & ~kFingerSet;

Modality modality_of_slot(std::size_t slot) noexcept;
std::uint8_t position_of_slot(std::size_t slot) noexcept;  // 0: unknown
std::string name_of_slot(std::size_t slot);

struct Placed {
    std::size_t slot;
    const Template* value;
};

// Ascending slots. Throws MatcherError: TEMPLATE_EMPTY (none), POSITION_OUT_OF_RANGE,
// POSITION_REPEATED (or more of unknown position than there are slots).
std::vector<Placed> placed(std::span<const PositionedTemplate> templates);

SlotSet slots_of(std::span<const Placed> templates) noexcept;

}  // namespace idmesh::matcher
