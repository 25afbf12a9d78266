// SPDX-License-Identifier: MIT
// Every mechanism of the table in every implementation with every choice of its options: what the
// conformance tests walk, so that a new mechanism or option is covered without touching a test.
#pragma once

#include <vector>

#include "baselines/table.h"
#include "lavo/core/mechanism.h"
#include "lavo/core/problem.h"

namespace lavo {

struct Variant {
  const Entry* entry;
  json options;
  Implementation implementation = Implementation::kFused;

  std::string name() const;
  Setting setting(const Shape& shape, bool causal, bool cross) const;
  /// Null where these options are refused for this use.
  std::shared_ptr<Mechanism> create(const Shape& shape, bool causal, bool cross,
                                    torch::ScalarType type, uint64_t seed = 3) const;
  /// With all that the mechanism declares.
  Inputs inputs(const Mechanism& mechanism, const Shape& shape, torch::ScalarType type,
                uint64_t seed, const ProblemOptions& problem = {}) const;
};

/// Those of the table; with LAVO_TEST_MECHANISM in the environment the one of that name.
std::vector<const Entry*> tested_mechanisms();

/// Whether one of them takes causal self attention; `streams`: and has a state.
bool any_is_causal(bool streams);

/// In each implementation: the sizes below, then one option at a time changed: each choice, each
/// word, each boolean flipped, each integer by one, each number halved.
std::vector<Variant> variants();

/// In each implementation: the sizes below only.
std::vector<Variant> small_mechanisms();

/// Whether it says that it takes the pattern with its options; the oracle's tests hold it to that.
bool takes(const Mechanism& mechanism, Pattern pattern);

/// Null where the mechanism, or its options, have none.
std::unique_ptr<State> state_of(const Mechanism& mechanism);

/// What inputs wrong by `error`, relative, do to the reference, as worst_row_error: an
/// ill-conditioned function (a pseudoinverse) enlarges roundings. Leaves the mechanism in float64.
double moved_by(double error, Mechanism& mechanism, const Inputs& in);

/// An iteration that rounds at every step may carry that many times further.
inline constexpr double kIterationSlack = 16;

/// Random parameters in place of those that start at zero, so that a forgotten one is noticed.
void disturb_parameters(Mechanism& mechanism, uint64_t seed);

inline Shape small_shape(const Entry& entry, int64_t T, int64_t S) {
  return {.B = 2, .H = 3, .T = T, .S = S, .D = 8, .E = entry.facts.equal_widths ? 8 : 6};
}

inline std::vector<int64_t> all_rows(int64_t length) {
  std::vector<int64_t> rows;
  for (int64_t t = 0; t < length; ++t) rows.push_back(t);
  return rows;
}

}  // namespace lavo
