#include "idmesh/matcher/face_kernels.hpp"

namespace idmesh::matcher {

GateFaces& face_gate(InstructionSet set) noexcept {
    switch (set) {
#if defined(__x86_64__)
#endif
        default:
            return serial::gate_faces;
    }
}

}  // namespace idmesh::matcher
