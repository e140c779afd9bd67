#include "people/slots.hpp"

#include <algorithm>

#include "idmesh/matcher/error.hpp"

namespace idmesh::matcher {

namespace {

struct Places {
    std::size_t first;    // slot
    std::size_t known;    // positions 1 to known
    std::size_t unknown;  // slots after them
};

Places places_of(Modality modality) noexcept {
    switch (modality) {
        case Modality::finger:
            return {0, kKnownFingers, kFingerSlots - kKnownFingers};
        case Modality::iris:
            return {kFirstIrisSlot, kKnownIrises, kIrisSlots - kKnownIrises};
        case Modality::face:
            break;
    }
    return {kFaceSlot, 0, 1};
}

const char* name_of_modality(Modality modality) noexcept {
    switch (modality) {
        case Modality::finger:
            return "finger";
        case Modality::iris:
            return "iris";
        case Modality::face:
            break;
    }
    return "face";
}

[[noreturn]] void repeated() {
    throw MatcherError("POSITION_REPEATED", "position", "A position is given twice.");
}

}  // namespace

Modality modality_of_slot(std::size_t slot) noexcept {
    return slot < kFingerSlots ? Modality::finger
           : slot < kFaceSlot  ? Modality::iris
                               : Modality::face;
}

std::uint8_t position_of_slot(std::size_t slot) noexcept {
    const Places places = places_of(modality_of_slot(slot));
    const std::size_t number = slot - places.first;
    return static_cast<std::uint8_t>(number < places.known ? number + 1 : 0);
}

std::string name_of_slot(std::size_t slot) {
    const Modality modality = modality_of_slot(slot);
    const Places places = places_of(modality);
    const std::size_t number = slot - places.first;
    std::string name = name_of_modality(modality);
    if (number < places.known) {
        return name + std::to_string(number + 1);
    }
    return places.unknown == 1 ? name
                               : name + "-unknown" + std::to_string(number - places.known + 1);
}

std::vector<Placed> placed(std::span<const PositionedTemplate> templates) {
    if (templates.empty()) {
        throw MatcherError("TEMPLATE_EMPTY", "templates", "There is no template of the person.");
    }
    std::vector<Placed> made;
    made.reserve(templates.size());
    SlotSet taken = 0;
    for (const PositionedTemplate& one : templates) {
        const Places places = places_of(modality_of(*one.value));
        if (one.position > places.known) {
            throw MatcherError("POSITION_OUT_OF_RANGE", "position",
                               "The modality has no such position.");
        }
        std::size_t slot = places.first + one.position - 1;
        if (one.position == 0) {
            slot = places.first + places.known;
            while (slot < places.first + places.known + places.unknown &&
                   (taken >> slot & 1) != 0) {
                ++slot;
            }
            if (slot == places.first + places.known + places.unknown) {
                repeated();
            }
        }
        if ((taken >> slot & 1) != 0) {
            repeated();
        }
        taken |= SlotSet{1} << slot;
        made.push_back({slot, one.value});
    }
    std::sort(made.begin(), made.end(),
              [](const Placed& a, const Placed& b) { return a.slot < b.slot; });
    return made;
}

SlotSet slots_of(std::span<const Placed> templates) noexcept {
    SlotSet made = 0;
    for (const Placed& one : templates) {
        made |= SlotSet{1} << one.slot;
    }
    return made;
}

}  // namespace idmesh::matcher
