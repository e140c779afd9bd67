#include "people/cascade_rows.hpp"

#include <algorithm>
#include <iterator>

#include "idmesh/matcher/comparison.hpp"
#include "idmesh/matcher/person_score.hpp"

namespace idmesh::matcher {

namespace {

constexpr std::size_t kUnitRows = 1024;
constexpr std::size_t kScannedAtOnce = 64;
constexpr std::uint32_t kNotWanted = ~std::uint32_t{0};  // of fingers: not even none
// Fingers of each person that are scanned, of those that both sides have.
constexpr std::size_t kScannedFingers = 5;
// Where positions are not to be trusted each finger is scanned against all: fewer must do.
constexpr std::size_t kScannedAnywhere = 3;
// Fingers that are scanned beside none, one or two of the irises and the face: these were seen to
// fail together, but all three hardly ever.
constexpr std::size_t kScannedBeside[] = {kScannedFingers, 3, 2};

std::uint8_t other_hand(std::uint8_t position) noexcept {
    return static_cast<std::uint8_t>((position + 4) % kKnownFingers + 1);
}

// One unit of work: a stretch of rows, for all probes.
class Looking {
  public:
    Looking(const Searching& searching, ScanWhom whom, const std::vector<ScanOrder>& orders,
            std::vector<std::vector<LookedAt>>& out)
        : searching_(searching), whom_(whom), orders_(orders), out_(out) {}

    void run(const Stretch& stretch) {
        stretch_ = stretch;
        view_ = &searching_.snapshot.views[stretch.view];
        rows_ = stretch.last - stretch.first;
        visible_.assign(rows_, 0);
        bool any = false;
        for (std::size_t k = 0; k < rows_; ++k) {
            visible_[k] = view_->visible(stretch.first + k);
            any |= visible_[k] != 0;
        }
        if (!any) {
            return;
        }
        llr_.assign(orders_.size() * rows_, 0.0F);
        pass_gates();
        for (std::size_t person = 0; person < orders_.size(); ++person) {
            scan_fingers(person);
        }
    }

  private:
    void pass_gates() {
        hits_.resize(rows_);
        const FaceProbes* faces = searching_.probes.faces();
        const FaceColumn* face = view_->segment->face();
        if (faces != nullptr && face != nullptr) {
            const std::vector<float> least(faces->size(),
                                           least_similarity(Modality::face, kGateLlr));
            face->gate(stretch_.first, stretch_.last, *faces, least.data(), hits_.data());
            take_hits([&](std::size_t bit) { return searching_.probes.person_of_face(bit); },
                      [&](std::size_t row, std::size_t bit) {
                          return llr_of(Modality::face, face->cosine(row, *faces, bit));
                      });
        }
        for (const ReadyProbes::IrisGroup& group : searching_.probes.iris_groups()) {
            for (std::size_t slot = kFirstIrisSlot; slot < kFaceSlot; ++slot) {
                pass_iris_gate(group, slot);
            }
        }
    }

    void pass_iris_gate(const ReadyProbes::IrisGroup& group, std::size_t slot) {
        const IrisView* irises = view_->iris(slot);
        const std::uint8_t position = position_of_slot(slot);
        const bool own = group.position == 0 || position == 0 || group.position == position;
        if (irises == nullptr || !(own || searching_.search.positions != Positions::given)) {
            return;
        }
        irises->gate(stretch_.first, stretch_.last, group.probes, IrisGate::two_stage,
                     hits_.data());
        take_hits([&](std::size_t bit) { return group.person[bit]; },
                  [&](std::size_t row, std::size_t bit) {
                      return llr_of(Modality::iris, irises->similarity(row, group.probes, bit));
                  });
    }

    // A person who reaches the gate in one modality is named; only what speaks for him counts.
    template <typename PersonOf, typename Llr>
    void take_hits(const PersonOf& person_of, const Llr& llr_at) {
        for (std::size_t k = 0; k < rows_; ++k) {
            for (std::uint64_t bits = visible_[k] != 0 ? hits_[k] : 0; bits != 0;
                 bits &= bits - 1) {
                const auto bit = static_cast<std::size_t>(__builtin_ctzll(bits));
                const float llr = llr_at(stretch_.first + k, bit);
                if (llr >= kGateLlr) {
                    llr_[person_of(bit) * rows_ + k] += llr;
                }
            }
        }
    }

    // How many fingers of a row are scanned for a probe; 0 of a row that is not looked at.
    std::size_t wanted(std::size_t person, std::size_t k) const {
        if (visible_[k] == 0) {
            return 0;
        }
        const std::size_t most =
            searching_.search.positions == Positions::any ? kScannedAnywhere : kScannedFingers;
        if (whom_ == ScanWhom::everybody || llr_[person * rows_ + k] != 0.0F) {
            return most;
        }
        const std::size_t gates = gates_of(person, view_->segment->present(stretch_.first + k));
        return gates < std::size(kScannedBeside) ? std::min(most, kScannedBeside[gates]) : 0;
    }

    std::size_t gates_of(std::size_t person, SlotSet present) const {
        const ReadyProbes::Person& probe = searching_.probes.people()[person];
        return gates_between(probe.face.has_value(), probe.irises.size(), present);
    }

    // Rows that follow one another and have the same fingers scanned are scanned together.
    void scan_fingers(std::size_t person) {
        std::size_t first = 0;
        std::uint32_t fingers = kNotWanted;
        for (std::size_t k = 0; k <= rows_; ++k) {
            const std::uint32_t now = k < rows_ ? fingers_wanted(person, k) : kNotWanted;
            if (k < rows_ && now == fingers && k - first < kScannedAtOnce) {
                continue;
            }
            if (fingers != kNotWanted) {
                scan_block(person, first, k, fingers);
            }
            first = k;
            fingers = now;
        }
    }

    std::uint32_t fingers_wanted(std::size_t person, std::size_t k) const {
        const std::size_t count = wanted(person, k);
        return count != 0 ? fingers_for(orders_[person],
                                        view_->segment->present(stretch_.first + k), count)
                          : kNotWanted;
    }

    // The first few that this person has too.
    static std::uint32_t fingers_for(const ScanOrder& order, SlotSet present, std::size_t left) {
        std::uint32_t fingers = 0;
        for (std::size_t f = 0; f < order.fingers.size() && left != 0; ++f) {
            if ((order.slot_sets[f] & present) != 0) {
                fingers |= 1U << f;
                left -= 1;
            }
        }
        return fingers;
    }

    void scan_block(std::size_t person, std::size_t first, std::size_t last,
                    std::uint32_t fingers) {
        const ScanOrder& order = orders_[person];
        const ReadyProbes::Person& probe = searching_.probes.people()[person];
        std::uint16_t scores[kScannedAtOnce];
        std::uint16_t best[kMostScanned][kScannedAtOnce] = {};
        for (std::size_t f = 0; f < order.fingers.size(); ++f) {
            for (const std::size_t slot : order.slots[f]) {
                const FingerColumn* column = view_->segment->finger(slot);
                if ((fingers >> f & 1) == 0 || column == nullptr) {
                    continue;
                }
                column->scan(stretch_.first + first, stretch_.first + last,
                             probe.fingers[order.fingers[f]].probe, scores);
                for (std::size_t k = 0; k < last - first; ++k) {
                    best[f][k] = std::max(best[f][k], scores[k]);
                }
            }
        }
        for (std::size_t k = first; k < last; ++k) {
            LookedAt one{place_of(stretch_.view, stretch_.first + k), llr_[person * rows_ + k], {}};
            bool known = one.llr != 0.0F;
            for (std::size_t f = 0; f < order.fingers.size(); ++f) {
                one.scores[f] = best[f][k - first];
                known |= one.scores[f] != 0;
            }
            if (known) {
                out_[person].push_back(one);
            }
        }
    }

    const Searching& searching_;
    const ScanWhom whom_;
    const std::vector<ScanOrder>& orders_;
    std::vector<std::vector<LookedAt>>& out_;
    Stretch stretch_{};
    const SegmentView* view_ = nullptr;
    std::size_t rows_ = 0;
    std::vector<std::uint8_t> visible_;
    std::vector<std::uint64_t> hits_;
    std::vector<float> llr_;  // by person, then row
};

}  // namespace

std::size_t gates_between(bool face, std::size_t irises, SlotSet present) noexcept {
    const auto eyes = static_cast<std::size_t>(__builtin_popcount(present & kIrisSet));
    return std::size_t{face && (present & kFaceSet) != 0} + std::min(irises, eyes);
}

ScanOrder scan_order(const ReadyProbes::Person& person, Positions positions) {
    ScanOrder order;
    for (std::size_t k = 0; k < person.fingers.size(); ++k) {
        order.fingers.push_back(k);
    }
    const auto minutiae = [&](std::size_t k) {
        return person.fingers[k].probe.finger().minutiae.size();
    };
    std::stable_sort(order.fingers.begin(), order.fingers.end(),
                     [&](std::size_t a, std::size_t b) { return minutiae(a) > minutiae(b); });
    order.fingers.resize(std::min(order.fingers.size(), kMostScanned));
    for (const std::size_t k : order.fingers) {
        const std::uint8_t position = person.fingers[k].position;
        std::vector<std::size_t> slots;
        SlotSet set = 0;
        for (std::size_t slot = 0; slot < kFingerSlots; ++slot) {
            const std::uint8_t other = position_of_slot(slot);
            const bool swapped = positions == Positions::swapped_hands && position != 0 &&
                                 other == other_hand(position);
            if (positions == Positions::any || position == 0 || other == 0 || other == position ||
                swapped) {
                slots.push_back(slot);
                set |= SlotSet{1} << slot;
            }
        }
        order.slots.push_back(std::move(slots));
        order.slot_sets.push_back(set);
    }
    return order;
}

std::vector<std::vector<LookedAt>> look(const Searching& searching, ScanWhom whom) {
    std::vector<ScanOrder> orders;
    for (const ReadyProbes::Person& person : searching.probes.people()) {
        orders.push_back(scan_order(person, searching.search.positions));
    }
    const std::vector<Stretch> stretches = stretches_of(searching.snapshot, kUnitRows);
    std::vector<std::vector<std::vector<LookedAt>>> of_worker(
        searching.pool.size(), std::vector<std::vector<LookedAt>>(orders.size()));
    std::vector<Looking> workers;
    for (auto& out : of_worker) {
        workers.emplace_back(searching, whom, orders, out);
    }
    searching.pool.run(stretches.size(), [&](std::size_t worker, std::size_t unit) {
        searching.check();
        workers[worker].run(stretches[unit]);
    });
    std::vector<std::vector<LookedAt>> made = std::move(of_worker[0]);
    for (std::size_t worker = 1; worker < of_worker.size(); ++worker) {
        for (std::size_t person = 0; person < orders.size(); ++person) {
            const std::vector<LookedAt>& more = of_worker[worker][person];
            made[person].insert(made[person].end(), more.begin(), more.end());
        }
    }
    return made;
}

}  // namespace idmesh::matcher
