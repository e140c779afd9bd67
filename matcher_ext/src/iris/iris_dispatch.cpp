#include "idmesh/matcher/iris_kernels.hpp"

namespace idmesh::matcher {

const IrisKernels& iris_kernels(InstructionSet set) noexcept {
    switch (set) {
        default:
            return serial::iris;
    }
}

const IrisKernels& iris_kernels() noexcept {
    return iris_kernels(instruction_set());
}

}  // namespace idmesh::matcher
