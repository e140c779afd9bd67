// What ranks the rows that the first stages looked at.
#pragma once

#include <cstdint>
#include <vector>

#include "people/cascade_rows.hpp"

namespace idmesh::matcher {

struct Ranked {
    std::int32_t evidence;  // in 1/16
    PlaceOfRow place;
};

// The `most` rows with the most evidence, equal ones by reference_id, best first. What a scan's
// score is worth is learnt from the rows themselves, nearly all of them other people's: evidence is
// minus the logarithm of the share of rows that score as much; of several fingers together by
// Fisher's method; to it is added what iris and face say.
std::vector<Ranked> shortlist(const PeopleSnapshot& snapshot, const std::vector<LookedAt>& rows,
                              std::size_t most);

}  // namespace idmesh::matcher
