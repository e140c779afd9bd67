#include "people/compare.hpp"

#include <algorithm>

#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/person_score.hpp"

namespace idmesh::matcher {

namespace {

// One template of the probe and one of the reference, both by their numbers on their sides.
struct Pair {
    std::size_t probe;
    std::size_t slot;
    std::size_t tried;  // pairs of which this is the best
    float similarity;
};

struct Side {
    std::vector<std::uint8_t> probes;  // positions; 255: not compared
    std::vector<std::size_t> slots;    // of the reference
};

constexpr std::uint8_t kLeftOut = 255;

std::uint8_t mirrored(Modality modality, std::uint8_t position) noexcept {
    if (position == 0) {
        return 0;
    }
    const unsigned known = modality == Modality::finger ? kKnownFingers : kKnownIrises;
    return static_cast<std::uint8_t>((position - 1 + known / 2) % known + 1);
}

bool may_pair(std::uint8_t probe, std::uint8_t reference, bool any) noexcept {
    return probe != kLeftOut && (any || probe == 0 || reference == 0 || probe == reference);
}

// Every pair that may be, with how many others its templates might have been paired with.
template <typename Compare>
std::vector<Pair> pairs_of(const Side& side, bool any, const Compare& compare) {
    std::vector<Pair> made;
    std::vector<std::size_t> of_probe(side.probes.size());
    std::vector<std::size_t> of_slot(kSlots);
    for (std::size_t probe = 0; probe < side.probes.size(); ++probe) {
        for (const std::size_t slot : side.slots) {
            if (may_pair(side.probes[probe], position_of_slot(slot), any)) {
                of_probe[probe] += 1;
                of_slot[slot] += 1;
                made.push_back({probe, slot, 0, 0.0F});
            }
        }
    }
    for (Pair& pair : made) {
        pair.tried = std::max(of_probe[pair.probe], of_slot[pair.slot]);
        pair.similarity = compare(pair.probe, pair.slot);
    }
    return made;
}

// The most alike first, each template once.
void pair_off(std::vector<Pair>& pairs) {
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
        return a.similarity != b.similarity ? a.similarity > b.similarity
               : a.probe != b.probe         ? a.probe < b.probe
                                            : a.slot < b.slot;
    });
    std::uint32_t probes = 0;
    SlotSet slots = 0;
    std::erase_if(pairs, [&](const Pair& pair) {
        const bool taken = (probes >> pair.probe & 1) != 0 || (slots >> pair.slot & 1) != 0;
        if (!taken) {
            probes |= 1U << pair.probe;
            slots |= SlotSet{1} << pair.slot;
        }
        return taken;
    });
}

struct Compared {
    std::vector<PositionComparison> comparisons;
    float score = 0.0F;
};

Compared judged(Modality modality, std::vector<Pair> pairs,
                const std::vector<std::uint8_t>& probe_positions) {
    pair_off(pairs);
    std::sort(pairs.begin(), pairs.end(),
              [](const Pair& a, const Pair& b) { return a.slot < b.slot; });
    Compared made;
    PersonScore score;
    for (const Pair& pair : pairs) {
        const float llr = pair.tried == 1 ? llr_of(modality, pair.similarity)
                                          : llr_of_best(modality, pair.similarity, pair.tried);
        score.add(modality, llr);
        made.comparisons.push_back({modality, probe_positions[pair.probe],
                                    position_of_slot(pair.slot), pair.similarity, llr});
    }
    made.score = score.value();
    return made;
}

// The positions as given or, where it is asked for and scores more, with the hands exchanged.
template <typename Compare>
Compared compare_side(Modality modality, const Side& side, Positions positions, float& cost,
                      const Compare& compare) {
    Compared best =
        judged(modality, pairs_of(side, positions == Positions::any, compare), side.probes);
    if (positions != Positions::swapped_hands) {
        return best;
    }
    Side swapped = side;
    for (std::uint8_t& position : swapped.probes) {
        position = position == kLeftOut ? position : mirrored(modality, position);
    }
    if (swapped.probes == side.probes) {
        return best;
    }
    Compared other = judged(modality, pairs_of(swapped, false, compare), side.probes);
    if (!best.comparisons.empty() || !other.comparisons.empty()) {
        cost += cost_of_ways(2);
    }
    return other.score > best.score ? other : best;
}

std::vector<std::size_t> slots_between(SlotSet present, std::size_t first, std::size_t last) {
    std::vector<std::size_t> slots;
    for (std::size_t slot = first; slot < last; ++slot) {
        if ((present >> slot & 1) != 0) {
            slots.push_back(slot);
        }
    }
    return slots;
}

}  // namespace

PersonComparison compare_person(const ReadyProbes& probes, std::size_t person,
                                const SegmentView& view, std::size_t row, Positions positions,
                                std::uint32_t fingers) {
    const ReadyProbes::Person& probe = probes.people()[person];
    const SlotSet present = view.segment->present(row);
    float cost = 0.0F;
    Side side;
    for (std::size_t k = 0; k < probe.fingers.size(); ++k) {
        side.probes.push_back((fingers >> k & 1) != 0 ? probe.fingers[k].position : kLeftOut);
    }
    side.slots = slots_between(present, 0, kFingerSlots);
    Compared made =
        compare_side(Modality::finger, side, positions, cost, [&](std::size_t k, std::size_t slot) {
            return view.segment->finger(slot)->compare(row, probe.fingers[k].probe);
        });
    side.probes.clear();
    for (const ReadyProbes::Iris& iris : probe.irises) {
        side.probes.push_back(iris.position);
    }
    side.slots = slots_between(present, kFirstIrisSlot, kFaceSlot);
    const Compared irises =
        compare_side(Modality::iris, side, positions, cost, [&](std::size_t k, std::size_t slot) {
            const ReadyProbes::Iris& iris = probe.irises[k];
            return view.iris(slot)->similarity(row, probes.iris_groups()[iris.group].probes,
                                               iris.index);
        });
    PersonComparison person_made;
    person_made.comparisons = std::move(made.comparisons);
    auto& comparisons = person_made.comparisons;
    comparisons.insert(comparisons.end(), irises.comparisons.begin(), irises.comparisons.end());
    if (probe.face && (present & kFaceSet) != 0) {
        const float cosine = view.segment->face()->cosine(row, *probes.faces(), *probe.face);
        comparisons.push_back(
            {Modality::face, 0, 0, face_similarity(cosine), llr_of(Modality::face, cosine)});
    }
    PersonScore score;
    for (const PositionComparison& one : comparisons) {
        score.add(one.modality, one.llr);
    }
    person_made.score = comparisons.empty() ? 0.0F : score.value() - cost;
    return person_made;
}

}  // namespace idmesh::matcher
