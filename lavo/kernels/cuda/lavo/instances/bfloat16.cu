// SPDX-License-Identifier: MIT
#include "lavo/kernels/cuda/lavo/dispatch.cuh"

namespace lavo::cuda {

template decltype(lavo_forward) forward_of<__nv_bfloat16>;
template decltype(lavo_backward) backward_of<__nv_bfloat16>;

}  // namespace lavo::cuda
