// AVX2: the plain loops, eight floats or sixteen cells to the register.
#if defined(__AVX2__)

#include "finger/kernels.hpp"
#include "finger/tables.hpp"

namespace idmesh::matcher::avx2 {

namespace {

#include "kernels/finger_steps.inl"

}  // namespace

const FingerKernels kFingerKernels = {scan,           describe,     find_likeness, find_seeds,
                                      find_agreement, find_support, find_near};

}  // namespace idmesh::matcher::avx2

#endif
