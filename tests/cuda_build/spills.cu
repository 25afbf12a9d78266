// SPDX-License-Identifier: MIT
// The instances that must not spill registers; spills.cmake compiles this and reads what ptxas
// says.
#include "lavo/kernels/cuda/features/causal_sum.cu"
#include "lavo/kernels/cuda/lavo/launch.cuh"

using Shared = lavo::cuda::Instance<__nv_bfloat16, lavo::cuda::Memory::kShared, 64, 64>;

template decltype(lavo::cuda::lavo_forward) lavo::cuda::launch_forward<Shared>;
template decltype(lavo::cuda::lavo_backward) lavo::cuda::launch_backward<Shared>;
