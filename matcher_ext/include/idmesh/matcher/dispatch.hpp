// The kernels of this machine, picked once at load.
#pragma once

#include <string_view>

#include "idmesh/matcher/kernels.hpp"

namespace idmesh::matcher {

struct KernelSet {
    const char* name;
    CompareDescriptors* compare_descriptors;
    CompareIris* compare_iris;
    CompareFace* compare_face;
};

// The set in use. IDMESH_MATCHER_SET names another one, for tests.
const KernelSet& kernels() noexcept;

// The set of this name, or null where it is not built or the machine cannot run it.
const KernelSet* find_kernels(std::string_view name) noexcept;

// The name asked for in IDMESH_MATCHER_SET if there is no such set here, else null. The bindings
// refuse to load then: a test of one set must not pass on another.
const char* refused_set() noexcept;

}  // namespace idmesh::matcher
