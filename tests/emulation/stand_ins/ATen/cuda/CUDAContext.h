// SPDX-License-Identifier: MIT
// In place of LibTorch's: what the emulated device allows, which tests may change.
#pragma once

#include <driver_types.h>

namespace lavo::cuda::test {
inline cudaDeviceProp device{};
}  // namespace lavo::cuda::test

namespace at::cuda {
inline cudaDeviceProp* getDeviceProperties(int) { return &lavo::cuda::test::device; }
}  // namespace at::cuda
