// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/options.h"

namespace lavo {

/// What NVIDIA's management library says of the GPUs, found when the program runs: no toolkit and
/// no GPU is needed to build. {"driver": "570.86", "gpus": [{"model", "uuid", "memory_bytes",
/// "sm_clock_mhz", "sm_clock_max_mhz", "memory_clock_mhz", "power_w", "power_limit_w",
/// "temperature_c", "throttle_reasons": [...], "mig", "ecc", "persistence", "processes"}]}, a GPU
/// that this process may see first; what the driver does not tell is null. Null without a driver.
json read_gpus();

/// The names of the reasons that a driver's bit mask holds.
std::vector<std::string> throttle_reasons(unsigned long long mask);

}  // namespace lavo
