// SPDX-License-Identifier: MIT
// Small results files as a sweep would write them, from simulated measurements.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace lavo::test {

using json = nlohmann::json;

/// A record with the axes that the efficiency experiment gives.
json cell_record(const std::string& mechanism, int length, const std::string& pass = "forward");

json timing_metric(const std::vector<std::vector<double>>& blocks, const std::string& unit = "ms",
                   const std::string& better = "lower");
json plain_metric(double value, const std::string& unit, const std::string& kind,
                  const std::string& better = "lower");

/// Not ok: no metric has a value.
json failed(json record, const std::string& status, const std::string& reason);

json results_document(std::vector<json> cells);

/// What a shared machine does to a sweep whose blocks are interleaved: each block of the whole
/// sweep has its own speed, which wanders; each cell's block differs a little more; single samples
/// have a one-sided tail.
struct Noise {
  double drift = 0.02;   ///< of all cells together, from block to block; correlation 0.5
  double block = 0.01;   ///< of one cell's block
  double sample = 0.02;  ///< tail of a sample
};

/// A sweep of mechanisms x lengths with `blocks` blocks of `samples`, in ms. `slow` multiplies the
/// time of "lavo".
json simulated_sweep(uint64_t seed, const Noise& noise, double slow = 1, int blocks = 3,
                     int samples = 7, int lengths = 8);

}  // namespace lavo::test
