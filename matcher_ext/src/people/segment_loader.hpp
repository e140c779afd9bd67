// A segment on its way into a gallery.
#pragma once

#include "idmesh/matcher/people.hpp"
#include "people/segment.hpp"

namespace idmesh::matcher {

struct SegmentLoader::State {
    static std::unique_ptr<State> make(std::shared_ptr<People::State> people, std::uint64_t number,
                                       std::size_t rows, std::span<const Described> planes);
    void finish(std::span<const std::uint8_t> dead);

    std::shared_ptr<People::State> people;
    std::shared_ptr<PeopleSegment> segment;
    std::size_t rows = 0;
    std::vector<NamedPlane> planes;
    std::vector<std::uint64_t> checksums;  // of each
    bool finished = false;
};

}  // namespace idmesh::matcher
