// A template as Python holds it. Never changed after it is made.
#pragma once

#include "idmesh/matcher/comparison.hpp"

struct Held {
    idmesh::matcher::Template value;
};
