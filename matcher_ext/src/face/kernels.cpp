#include "idmesh/matcher/face_kernels.hpp"

namespace idmesh::matcher {

GateFaces& face_gate(InstructionSet set) noexcept {
    switch (set) {
#if defined(__x86_64__)
        case InstructionSet::amx:
            return amx::gate_faces;
        case InstructionSet::avx512:
            return avx512::gate_faces;
        case InstructionSet::avx2:
            return avx2::gate_faces;
#endif
        default:
            return serial::gate_faces;
    }
}

}  // namespace idmesh::matcher
