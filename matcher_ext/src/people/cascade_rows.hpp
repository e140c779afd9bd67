// The cascade's first stages: cheap kernels over all rows, and what they found of each.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "people/search.hpp"

namespace idmesh::matcher {

// Of a probe's fingers, those that are scanned at all.
inline constexpr std::size_t kMostScanned = 10;

// What is known of one row: evidence of irises and face, scores of the fingers that were scanned.
struct LookedAt {
    PlaceOfRow place;
    float llr;
    std::array<std::uint16_t, kMostScanned> scores;  // 0: not scanned, or absent
};

// The fingers of one probe in the order in which they are scanned: the clearest first.
struct ScanOrder {
    std::vector<std::size_t> fingers;             // numbers in the probe, at most kMostScanned
    std::vector<std::vector<std::size_t>> slots;  // of the reference, for each
    std::vector<SlotSet> slot_sets;
};
ScanOrder scan_order(const ReadyProbes::Person& person, Positions positions);

// How many irises and faces both sides have, by which a probe's mate could be named.
inline constexpr std::size_t kGatesEnough = 3;
std::size_t gates_between(bool face, std::size_t irises, SlotSet present) noexcept;

// For each probe, the rows of which anything is known, in no order.
std::vector<std::vector<LookedAt>> look(const Searching& searching, ScanWhom whom);

}  // namespace idmesh::matcher
