// What a gallery of people consists of.
#pragma once

#include "idmesh/matcher/people.hpp"
#include "idmesh/matcher/worker_pool.hpp"
#include "people/store.hpp"

namespace idmesh::matcher {

struct People::State {
    explicit State(const PeopleOptions& options);

    const PersonShape shape;
    const int iris_rotation;
    PeopleStore store;
    mutable WorkerPool pool;
};

}  // namespace idmesh::matcher
