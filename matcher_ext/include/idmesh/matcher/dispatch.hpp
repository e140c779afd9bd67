// The kernels of this machine, picked once at load.
#pragma once

#include "idmesh/matcher/kernels.hpp"

namespace idmesh::matcher {

struct KernelSet {
    const char* name;
    CompareFace* compare_face;
};

const KernelSet& kernels() noexcept;

}  // namespace idmesh::matcher
