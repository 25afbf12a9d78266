// SPDX-License-Identifier: MIT
// How well this machine can measure: the same work timed against itself.
#pragma once

#include <string>
#include <vector>

namespace lavo {

/// Of one kind of work. All are shares of its median time.
struct Noise {
  std::string work;  ///< "arithmetic, 2 threads"
  double median_ms = 0;
  double spread = 0;  ///< distance between the quartiles of single timings
  double floor = 0;   ///< 95 % of A/A comparisons of medians over blocks differ by less
  double drift = 0;   ///< from the first third of the time to the last
};

/// Arithmetic in registers and copies through memory, on one thread and on all: each for about
/// `seconds`, in alternating blocks A and B.
std::vector<Noise> measure_noise(double seconds);

/// What the worst of them allows, in words.
std::string noise_verdict(const std::vector<Noise>& noises);

/// From timings in ms in the order they were taken; `block` is how many make one side of a
/// comparison. Needs four blocks.
Noise noise_of(const std::string& work, const std::vector<double>& times_ms, size_t block);

}  // namespace lavo
