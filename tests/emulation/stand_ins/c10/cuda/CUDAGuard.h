// SPDX-License-Identifier: MIT
// In place of LibTorch's: the emulated device has no number.
#pragma once

#include <c10/core/Device.h>

namespace c10::cuda {
struct CUDAGuard {
  explicit CUDAGuard(c10::Device) {}
};
}  // namespace c10::cuda
