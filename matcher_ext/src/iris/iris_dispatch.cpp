#include "idmesh/matcher/iris_kernels.hpp"

namespace idmesh::matcher {

namespace {

// What a set has none of its own for is that of the set below.
IrisKernels over(const IrisKernels& below, const IrisKernels& own) noexcept {
    IrisKernels made = own;
    made.gate = own.gate != nullptr ? own.gate : below.gate;
    made.gate_spread = own.gate_spread != nullptr ? own.gate_spread : below.gate_spread;
    made.extract = own.extract != nullptr ? own.extract : below.extract;
    made.compare_rotations =
        own.compare_rotations != nullptr ? own.compare_rotations : below.compare_rotations;
    return made;
}

}  // namespace

const IrisKernels& iris_kernels(InstructionSet set) noexcept {
#if defined(__x86_64__)
    static const IrisKernels on_avx2 = over(serial::iris, avx2::iris);
    static const IrisKernels on_amx = over(avx512::iris, amx::iris);
    switch (set) {
        case InstructionSet::amx:
            return on_amx;
        case InstructionSet::avx512:
            return avx512::iris;
        case InstructionSet::avx2:
            return on_avx2;
        case InstructionSet::serial:
            break;
    }
#else
    static_cast<void>(set);
#endif
    return serial::iris;
}

const IrisKernels& iris_kernels() noexcept {
    return iris_kernels(instruction_set());
}

}  // namespace idmesh::matcher
