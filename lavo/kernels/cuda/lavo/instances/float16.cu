// SPDX-License-Identifier: MIT
#include "lavo/kernels/cuda/lavo/dispatch.cuh"

namespace lavo::cuda {

template decltype(lavo_forward) forward_of<__half>;
template decltype(lavo_backward) backward_of<__half>;

}  // namespace lavo::cuda
