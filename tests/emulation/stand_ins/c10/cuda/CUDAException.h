// SPDX-License-Identifier: MIT
// In place of LibTorch's.
#pragma once

#include <c10/util/Exception.h>
#include <driver_types.h>

#define C10_CUDA_CHECK(code) TORCH_CHECK((code) == cudaSuccess, "launch failed: ", int(code))
