// SPDX-License-Identifier: MIT
// One mechanism on given tensors: how other frameworks check the suite, and how it checks itself
// against files of theirs.
#pragma once

#include <functional>
#include <optional>

#include "lavo/core/safetensors.h"

namespace lavo {

struct ApplyRequest {
  std::string mechanism;
  json options = json::object();
  bool causal = false;
  bool cross = false;                          ///< also when query and key differ in length
  std::optional<torch::ScalarType> type = {};  ///< to compute and to answer in; unset: the query's
  torch::Device device = torch::kCPU;
  bool grad = false;                 ///< also grad_query, ... of sum(output * grad_output)
  bool reference = false;            ///< the float64 oracle instead; answers in float64
  std::vector<int64_t> chunks = {};  ///< lengths to stream in, repeated to the end; empty: whole
  uint64_t seed = 0;                 ///< of the parameters that are not given
};

/// `given` holds
///   query (B,H,T,D), key (B,H,S,D), value (B,H,S,E), and what the mechanism declares per token
///   optionally key_mask (B,S), cu_seqlens, grad_output (B,H,T,E)
///   initial_state*, of causal self attention by a mechanism that has a state; where it holds
///     tokens, all of them for the same ones, and initial_state_position
///   parameters and buffers by name, in place of those drawn from the seed
/// expected_* are ignored. Returns `output`, for causal self attention by a mechanism that has a
/// state final_state*, and with grad grad_<name> for every input, parameter and initial state that
/// the file gives and every other parameter. A count (slots, levels) is read from the given tensor.
/// Throws OptionError, or InputError that begins with `source`.
NamedTensors apply(const ApplyRequest& request, const NamedTensors& given,
                   const std::string& source);

/// What apply() made beside the expected_<name> given for it.
struct Agreement {
  std::string name;
  bool compared = false;  ///< false: this call made no such tensor (a gradient without grad)
  double error = 0;       ///< largest |a - b|; infinite where either is NaN or infinite
  double excess = 0;      ///< largest |a - b| - (atol + rtol |b|); agreement is <= 0
  bool agrees() const { return !compared || excess <= 0; }
};

/// Agreement is |a - b| <= atol + rtol |b|.
struct Tolerance {
  double rtol, atol;
};
using ToleranceOf = std::function<Tolerance(const std::string& tensor)>;

/// What two right implementations differ by when each sums in its own order.
Tolerance default_tolerance(torch::ScalarType type);

/// The tolerances of one case of an index of golden files (tests/golden), by tensor and type; for
/// the 16-bit types the default. Throws InputError, begun by `source`, where it has no such case.
ToleranceOf golden_tolerances(const json& index, const std::string& case_id, torch::ScalarType type,
                              const std::string& source);

/// One for each expected_* tensor. Throws InputError where there is none, where one is named like
/// nothing that apply() makes, and where shapes differ. `reference`: the oracle makes no final state.
std::vector<Agreement> compare_expected(const NamedTensors& made, const NamedTensors& given,
                                        const ToleranceOf& tolerance_of, const std::string& source,
                                        bool reference = false);

}  // namespace lavo
