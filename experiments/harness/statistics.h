// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace lavo {

double median(std::vector<double> values);

/// Percentile bootstrap interval (95 %) of the median. Whole blocks are drawn, not samples: samples
/// of one block share what was going on at that time. `blocks` gives the lengths into which
/// `samples` divides; {} is one sample a block. Deterministic.
std::pair<double, double> bootstrap_median(const std::vector<double>& samples,
                                           const std::vector<int64_t>& blocks, int draws = 2000);

}  // namespace lavo
