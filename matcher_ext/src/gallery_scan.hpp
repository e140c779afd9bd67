// Compares one person's probes with the records of a snapshot.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "gallery_segment.hpp"

namespace idmesh::matcher {

struct PositionedProbe {
    std::uint8_t position;
    Probe probe;
};

// The record's template most like the probe, of those at its position; of equal ones the first.
std::optional<PositionSimilarity> best_of_record(const Segment& segment, const Record& record,
                                                 const PositionedProbe& probe) noexcept;

std::vector<Candidate> scan(const Snapshot& snapshot, Modality modality,
                            std::span<const PositionedProbe> probes, const Search& search);

}  // namespace idmesh::matcher
