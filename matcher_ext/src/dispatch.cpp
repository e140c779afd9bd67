#include "idmesh/matcher/dispatch.hpp"

#include <cstdlib>

namespace idmesh::matcher {

namespace {

// Best last: the last one that this machine can run is picked.
constexpr KernelSet kSets[] = {
    {"serial", serial::compare_descriptors, serial::compare_iris, serial::compare_face},
};

struct Picked {
    const KernelSet* set;
    const char* refused;
};

Picked pick() noexcept {
    const KernelSet* best = &kSets[std::size(kSets) - 1];
    const char* asked = std::getenv("IDMESH_MATCHER_SET");
    if (asked == nullptr || *asked == '\0') {
        return {best, nullptr};
    }
    const KernelSet* found = find_kernels(asked);
    return found != nullptr ? Picked{found, nullptr} : Picked{best, asked};
}

const Picked& picked() noexcept {
    static const Picked once = pick();
    return once;
}

}  // namespace

const KernelSet* find_kernels(std::string_view name) noexcept {
    for (const KernelSet& set : kSets) {
        if (name == set.name) {
            return &set;
        }
    }
    return nullptr;
}

const KernelSet& kernels() noexcept {
    return *picked().set;
}

const char* refused_set() noexcept {
    return picked().refused;
}

}  // namespace idmesh::matcher
