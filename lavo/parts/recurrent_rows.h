// SPDX-License-Identifier: MIT
// The float64 oracle of recurrences: token by token, as the formula stands.
#pragma once

#include <functional>

#include "lavo/core/mechanism.h"

namespace lavo {

/// What step t sees, each (B,H,X): a padded token has a key and a value of zeros, and neutral
/// gates.
struct RecurrentToken {
  Tensor query, key, value;
  std::map<std::string, Tensor> gates;
};

/// Advances the state (B,H,D,E) from t - 1 to t.
using RecurrentStep = std::function<Tensor(const Tensor& state, const RecurrentToken& token)>;

/// What a query reads, (B,H,E), of the state with its own token in it.
using RecurrentRead = std::function<Tensor(const Tensor& state, const RecurrentToken& token)>;

/// The named rows, each read from its state; S_0 = start. `in` is float64 -> [B, H, rows, E].
Tensor recurrent_rows(const Inputs& in, const std::vector<InputSpec>& specs,
                      const std::vector<int64_t>& rows, const Tensor& start,
                      const RecurrentStep& step, const RecurrentRead& read);

/// The same where o_t = scale S_t^T q_t, S_0 = 0.
Tensor recurrent_rows(const Inputs& in, const std::vector<InputSpec>& specs,
                      const std::vector<int64_t>& rows, double scale, const RecurrentStep& step);

}  // namespace lavo
