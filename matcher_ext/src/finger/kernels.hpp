// The kernels of each set that has its own.
#pragma once

#include "idmesh/matcher/finger_kernels.hpp"

namespace idmesh::matcher {

namespace avx512 {
extern const FingerKernels kFingerKernels;
}
namespace avx2 {
extern const FingerKernels kFingerKernels;
}
namespace serial {
extern const FingerKernels kFingerKernels;
}

}  // namespace idmesh::matcher
