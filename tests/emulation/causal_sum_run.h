// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "lavo/kernels/cuda/features/causal_sum.h"

namespace lavo::cuda::test {

/// Runs the kernels on random inputs; the first output that is wrong, in words, or nothing.
std::string run_causal_sum(const CausalSumShape& shape, bool heads_inside, unsigned seed);

/// What the kernels give for the same inputs.
std::vector<double> causal_sum_outputs(const CausalSumShape& shape, bool heads_inside,
                                       unsigned seed);

/// One large term, then thousands whose chunks each vanish in it: that none is lost between chunks.
std::string run_small_after_large(bool reverse);

std::string name_of(const CausalSumShape& shape);

}  // namespace lavo::cuda::test
