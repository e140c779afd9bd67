// One person's probes compared in full with one row: what every answer's score comes from.
#pragma once

#include "people/probes.hpp"

namespace idmesh::matcher {

// fingers: of the probe, those that are compared, a bit for each in order.
PersonComparison compare_person(const ReadyProbes& probes, std::size_t person,
                                const SegmentView& view, std::size_t row, Positions positions,
                                std::uint32_t fingers = ~std::uint32_t{0});

}  // namespace idmesh::matcher
