// The plain kernels: what every other set must equal.
#include "finger/kernels.hpp"
#include "finger/tables.hpp"

namespace idmesh::matcher::serial {

namespace {

#include "kernels/finger_steps.inl"

}  // namespace

const FingerKernels kFingerKernels = {scan,           describe,     find_likeness, find_seeds,
                                      find_agreement, find_support, find_near};

}  // namespace idmesh::matcher::serial
