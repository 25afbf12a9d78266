// SPDX-License-Identifier: MIT
// One mechanism on given tensors: how other frameworks check the suite, and how it checks itself
// against files of theirs.
#pragma once

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

/// `given` holds query (B,H,T,D), key (B,H,S,D), value (B,H,S,E), optionally key_mask (B,S) and
/// grad_output (B,H,T,E); expected_* are ignored; every other tensor replaces the parameter or
/// buffer of that name and shape. Returns `output` and, with grad, grad_query, grad_key, grad_value
/// and grad_<parameter>. Throws OptionError, or InputError that begins with `source`.
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

/// One for each expected_* tensor. Throws InputError where there is none, where one is named like
/// nothing that apply() makes, and where shapes differ.
std::vector<Agreement> compare_expected(const NamedTensors& made, const NamedTensors& given,
                                        double rtol, double atol, const std::string& source);

}  // namespace lavo
