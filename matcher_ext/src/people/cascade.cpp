// Cheap kernels over everybody, full comparisons with those that they name.
//
// A union: irises, face and fingers each name people, and none of them is asked whether another
// was right. A few probes have the fingers of everybody scanned. Of many probes, which share the
// passes over irises and faces, fingers are scanned only of those whom iris or face names, and of
// those who have neither.
#include "people/cascade.hpp"

#include <algorithm>
#include <deque>

namespace idmesh::matcher {

namespace {

// Of the people named, those that are compared at all, and of these in full.
constexpr std::size_t kShortlist = 256;
constexpr std::size_t kFinalists = 48;
// Fingers of the comparison that chooses the finalists.
constexpr std::size_t kFirstFingers = 3;
constexpr std::size_t kComparedAtOnce = 8;

struct Finalist {
    float score;
    PlaceOfRow place;
};

std::size_t finalists_of(const PeopleSearch& search) noexcept {
    return std::max(kFinalists, 2 * search.max_candidates);
}

std::uint32_t first_fingers(const ReadyProbes::Person& person, const PeopleSearch& search) {
    const ScanOrder order = scan_order(person, search.positions);
    std::uint32_t fingers = 0;
    for (std::size_t f = 0; f < std::min(kFirstFingers, order.fingers.size()); ++f) {
        fingers |= 1U << order.fingers[f];
    }
    return fingers;
}

// One or two fingers and nothing else are little to go by: their shortlists are longer, in shares
// that were seen to lose next to none of one finger's mates (docs/MATCHING_FINGERS.md).
constexpr std::size_t kFewFingers = 2;

bool few_fingers(const ReadyProbes::Person& person) noexcept {
    return person.irises.empty() && !person.face && !person.fingers.empty() &&
           person.fingers.size() <= kFewFingers;
}

// Two fingers that say as much as one between them have half its shares.
FingerShares shares_of(const ReadyProbes::Person& person) noexcept {
    std::size_t minutiae = 0;
    for (const auto& finger : person.fingers) {
        minutiae += std::min(finger.probe.finger().minutiae.size(), kScanProbeMinutiae);
    }
    const std::size_t fingers = person.fingers.size();
    const FingerShares of_one = finger_shares(minutiae / fingers);
    const auto split = static_cast<double>(fingers);
    return {of_one.trusted / split, of_one.refined / split, of_one.compared / split};
}

std::size_t share_of(double share, std::size_t rows, std::size_t least) noexcept {
    return std::max(least, static_cast<std::size_t>(share * static_cast<double>(rows)));
}

// Calls act(person, number in its list) for all, shared out among the workers.
template <typename Lists, typename Act>
void for_each_listed(const Searching& searching, const Lists& lists, const Act& act) {
    struct Unit {
        std::size_t person, first, last;
    };
    std::vector<Unit> units;
    for (std::size_t person = 0; person < lists.size(); ++person) {
        const std::size_t count = lists[person].size();
        for (std::size_t first = 0; first < count; first += kComparedAtOnce) {
            units.push_back({person, first, std::min(count, first + kComparedAtOnce)});
        }
    }
    searching.pool.run(units.size(), [&](std::size_t, std::size_t number) {
        searching.check();
        const Unit& unit = units[number];
        for (std::size_t k = unit.first; k < unit.last; ++k) {
            act(unit.person, k);
        }
    });
}

float refined(const Searching& searching, std::size_t person, const ScanOrder& order,
              PlaceOfRow place) {
    const SegmentView& view = searching.snapshot.views[place / kSegmentRows];
    const std::size_t row = place % kSegmentRows;
    const SlotSet present = view.segment->present(row);
    float sum = 0.0F;
    for (std::size_t f = 0; f < order.fingers.size(); ++f) {
        const FingerProbe& probe =
            searching.probes.people()[person].fingers[order.fingers[f]].probe;
        float best = 0.0F;
        for (const std::size_t slot : order.slots[f]) {
            if ((present >> slot & 1) != 0) {
                best = std::max(best, view.segment->finger(slot)->refine(row, probe));
            }
        }
        sum += best;
    }
    return sum;
}

// Cuts the lists of probes of few fingers to what is compared: the first as they are, and of the
// others those that are more promising on a closer look.
void refine_few(const Searching& searching, const std::vector<std::vector<LookedAt>>& looked,
                std::vector<std::vector<Ranked>>& lists) {
    std::vector<ScanOrder> orders;
    std::vector<std::size_t> trusted(lists.size());
    std::vector<std::vector<Finalist>> scored(lists.size());
    for (std::size_t person = 0; person < lists.size(); ++person) {
        const ReadyProbes::Person& probe = searching.probes.people()[person];
        orders.push_back(scan_order(probe, searching.search.positions));
        if (few_fingers(probe)) {
            trusted[person] = std::min(
                lists[person].size(), share_of(shares_of(probe).trusted, looked[person].size(), 0));
            scored[person].resize(lists[person].size() - trusted[person]);
        }
    }
    for_each_listed(searching, scored, [&](std::size_t person, std::size_t k) {
        const PlaceOfRow place = lists[person][trusted[person] + k].place;
        scored[person][k] = {refined(searching, person, orders[person], place), place};
    });
    for (std::size_t person = 0; person < lists.size(); ++person) {
        const ReadyProbes::Person& probe = searching.probes.people()[person];
        if (!few_fingers(probe)) {
            continue;
        }
        std::vector<Finalist>& of_person = scored[person];
        // Equal ones stay in the order of the shortlist.
        std::stable_sort(of_person.begin(), of_person.end(),
                         [](const Finalist& a, const Finalist& b) { return a.score > b.score; });
        const std::size_t room = share_of(shares_of(probe).compared, looked[person].size(),
                                          most_compared(searching.search));
        lists[person].resize(trusted[person]);
        for (const Finalist& one : of_person) {
            if (lists[person].size() < room) {
                lists[person].push_back({0, one.place});
            }
        }
    }
}

// Of the shortlists, those who score most by irises, face and a few fingers.
std::vector<std::vector<Finalist>> choose(const Searching& searching,
                                          const std::vector<std::vector<Ranked>>& lists) {
    std::vector<std::vector<Finalist>> made;
    std::vector<std::uint32_t> fingers;
    for (std::size_t person = 0; person < lists.size(); ++person) {
        fingers.push_back(first_fingers(searching.probes.people()[person], searching.search));
        made.emplace_back(lists[person].size());
    }
    const std::size_t most = finalists_of(searching.search);
    for_each_listed(searching, lists, [&](std::size_t person, std::size_t k) {
        const PlaceOfRow place = lists[person][k].place;
        made[person][k] = {0.0F, place};
        if (lists[person].size() > most) {
            const SegmentView& view = searching.snapshot.views[place / kSegmentRows];
            made[person][k].score =
                compare_person(searching.probes, person, view, place % kSegmentRows,
                               searching.search.positions, fingers[person])
                    .score;
        }
    });
    for (std::vector<Finalist>& of_person : made) {
        if (of_person.size() > most) {
            // Equal scores stay in the order of the shortlist.
            std::stable_sort(
                of_person.begin(), of_person.end(),
                [](const Finalist& a, const Finalist& b) { return a.score > b.score; });
            of_person.resize(most);
        }
    }
    return made;
}

}  // namespace

float loss_of(const ReadyProbes::Person& person) noexcept {
    return few_fingers(person) ? kCascadeLossOfFew : kCascadeLoss;
}

std::size_t most_compared(const PeopleSearch& search) noexcept {
    return std::max(kShortlist, 4 * search.max_candidates);
}

std::vector<std::vector<PersonCandidate>> search_in_stages(const Searching& searching,
                                                           ScanWhom whom) {
    const PeopleSearch& search = searching.search;
    const std::vector<std::vector<LookedAt>> looked = look(searching, whom);
    std::vector<std::vector<Ranked>> lists(looked.size());
    searching.pool.run(looked.size(), [&](std::size_t, std::size_t person) {
        searching.check();
        const ReadyProbes::Person& probe = searching.probes.people()[person];
        const double share = few_fingers(probe) ? shares_of(probe).refined : 0.0;
        lists[person] = shortlist(searching.snapshot, looked[person],
                                  share_of(share, looked[person].size(), most_compared(search)));
    });
    refine_few(searching, looked, lists);
    const std::vector<std::vector<Finalist>> finalists = choose(searching, lists);
    std::deque<BestCandidates> best;
    for (std::size_t person = 0; person < finalists.size(); ++person) {
        best.emplace_back(search.max_candidates, search.min_score[person]);
    }
    for_each_listed(searching, finalists, [&](std::size_t person, std::size_t k) {
        const PlaceOfRow place = finalists[person][k].place;
        const SegmentView& view = searching.snapshot.views[place / kSegmentRows];
        const std::size_t row = place % kSegmentRows;
        best[person].add({view.segment->reference_id(row),
                          compare_person(searching.probes, person, view, row, search.positions)});
    });
    std::vector<std::vector<PersonCandidate>> found;
    for (BestCandidates& one : best) {
        found.push_back(one.take());
    }
    return found;
}

}  // namespace idmesh::matcher
