// SPDX-License-Identifier: MIT
// Seeded inputs and the measure of error: one copy for tests and experiments.
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

struct ProblemOptions {
  torch::Device device = torch::kCPU;
  bool causal = false;
  bool cross = false;
  double scale = 1.0;  ///< standard deviation of queries and keys
  double mean =
      1.0;  ///< of values and keys: without one LAVO's memory shrinks as 1/sqrt(t) and its softmax
            ///< over the rows is uniform to four digits, so that a broken one goes unseen
  bool padding = false;  ///< a key mask with about a quarter of the keys hidden, the first and some
                         ///< last ones among them
};

/// Gaussian queries, keys and values, the same for a seed on every device; drawn in float32, then
/// rounded to `type`.
Inputs random_inputs(const Shape& shape, torch::ScalarType type, uint64_t seed,
                     const ProblemOptions& options = {});

/// The same with what the mechanism declares, and queries and keys of length 1 where it wants them.
/// `counts` says what the letters M and L stand for: the values of InputSpec::count_option.
Inputs random_inputs(const Mechanism& mechanism, const Shape& shape, torch::ScalarType type,
                     uint64_t seed, const ProblemOptions& options = {}, const json& counts = {});

/// The rows to check in a sequence of `length`: at most `count`, always the first, the last and
/// both sides of an edge between windows, the others drawn from `seed`; ascending.
std::vector<int64_t> check_rows(int64_t length, int64_t count, int64_t window, uint64_t seed);

/// max over rows of |a - b| / |b| (Euclidean, over the last dimension). A row of zeros must be met
/// exactly; NaN or infinity anywhere is infinite error. |b| counts as a's smallest normal at least.
double worst_row_error(const Tensor& actual, const Tensor& expected);

/// Rounding of the stored type plus float32 (float64) sums: u_type + u_sum (sqrt(terms) + 8), u =
/// unit roundoff; the square root is the probabilistic bound of Higham and Mary 2019, the 8 covers
/// exponentials and the division.
double tolerance(torch::ScalarType type, int64_t terms);

}  // namespace lavo
