// SPDX-License-Identifier: MIT
// What the mechanisms of the delta family have in common: a mechanism says which gates go where.
#pragma once

#include "lavo/parts/delta_rule.h"
#include "lavo/parts/recurrent_rows.h"

namespace lavo {

struct NoOptions {
  void visit(OptionVisitor&) {}
  void validate() const {}
  void resolve(const Setting&) {}
};

/// A recurrence of delta_rule.h. The state has one tensor, S (B,H,D,E), of no further name.
class DeltaMechanism : public Mechanism {
 public:
  std::unique_ptr<State> new_state() const override;
  Cost cost(const Shape& shape, Pattern pattern) const override;
  /// What its outputs, linear in the query, are multiplied by: D^(-1/2) unless it says otherwise.
  virtual double scale(int64_t D) const;

 protected:
  /// The gates of the call; query, key and value are set already, and the scale.
  virtual void set_gates(const Inputs& in, DeltaRule& rule) const = 0;
  /// S_t from S_{t-1}, written from the mechanism's own formula.
  virtual Tensor step(const Tensor& S_BHDE, const RecurrentToken& token) const = 0;

  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
};

/// A gate (B,H,T) as delta_rule takes it: (B,H,T,1), in the compute type.
Tensor gate_column(const Tensor& gate_BHT);

/// k v^T of a token, (B,H,D,E).
Tensor outer(const RecurrentToken& token);

/// k (beta (v - S^T k))^T: what the delta rule writes over S.
Tensor correction(const Tensor& S_BHDE, const RecurrentToken& token);

/// log_decay (letters BHS or BHSD), drawn from [-1, 0); a layer makes
/// -exp(a) softplus(x W^T + b), a learned for each head: exp(a) uniform in [lowest, highest] at
/// first, and b such that softplus(b) is log-uniform in [1e-3, 0.1].
/// Source: Gu and Dao 2023, arXiv:2312.00752, section 3.6; Yang et al. 2024, arXiv:2412.06464.
InputSpec softplus_decay(const std::string& letters, double lowest, double highest,
                         int64_t rank = 0);

/// The same; in the mechanism's own layer each value is multiplied by its step, softplus(x W^T + b).
InputSpec stepped_decay(const std::string& letters, double lowest, double highest);

/// What stands around a state space model of Mamba-2: values twice as wide as a plain layer's and
/// keys four times, one head of keys and queries for all of values; a skip of each value.
/// Source: Dao and Gu 2024, arXiv:2405.21060, section 7.
json mamba_layer();

/// beta (B,H,S), drawn from [0, 1); a layer makes sigmoid(x W^T + b).
InputSpec sigmoid_beta();

}  // namespace lavo
