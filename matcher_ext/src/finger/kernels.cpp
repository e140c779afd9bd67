// Which kernels of finger comparison a set uses.
#include "finger/kernels.hpp"

namespace idmesh::matcher {

const FingerKernels& finger_kernels(InstructionSet set) noexcept {
#if defined(__x86_64__)
    switch (set) {
        case InstructionSet::amx:  // its tiles know no bits
        case InstructionSet::avx512:
            return avx512::kFingerKernels;
        case InstructionSet::avx2:
            return avx2::kFingerKernels;
        case InstructionSet::serial:
            break;
    }
#endif
    (void)set;
    return serial::kFingerKernels;
}

}  // namespace idmesh::matcher
