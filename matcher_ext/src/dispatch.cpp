#include "idmesh/matcher/dispatch.hpp"

namespace idmesh::matcher {

const KernelSet& kernels() noexcept {
    static constexpr KernelSet kSerial = {"serial", serial::compare_face};
    return kSerial;
}

}  // namespace idmesh::matcher
