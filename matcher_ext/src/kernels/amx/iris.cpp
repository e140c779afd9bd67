#include "iris.hpp"

namespace idmesh::matcher::amx {

const IrisKernels iris = {gate_lossless, gate_two_stage, nullptr, nullptr};

}  // namespace idmesh::matcher::amx
