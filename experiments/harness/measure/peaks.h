// SPDX-License-Identifier: MIT
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace lavo {

/// What this machine reaches on the two simplest jobs, with the threads set now: the ceilings that
/// shares are given of.
struct Peaks {
  double copy_bytes_per_s = 0;  ///< a large tensor copied: bytes read plus bytes written
  double flop_per_s = 0;        ///< a square matrix product in the given type
};

/// Measured once per process for each device, type and thread count, in about 0.2 s; the best of
/// several runs.
Peaks machine_peaks(c10::Device device, c10::ScalarType type);

}  // namespace lavo
