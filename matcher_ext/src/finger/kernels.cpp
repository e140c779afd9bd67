// Which kernels of finger comparison a set uses.
#include "finger/kernels.hpp"

namespace idmesh::matcher {

const FingerKernels& finger_kernels(InstructionSet set) noexcept {
    (void)set;
    return serial::kFingerKernels;
}

}  // namespace idmesh::matcher
