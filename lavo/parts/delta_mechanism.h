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

 protected:
  /// The gates of the call; query, key and value are set already, and the scale D^(-1/2).
  virtual void set_gates(const Inputs& in, DeltaRule& rule) const = 0;
  /// S_t from S_{t-1}, written from the mechanism's own formula.
  virtual Tensor step(const Tensor& S_BHDE, const RecurrentToken& token) const = 0;
  virtual double scale(int64_t D) const;

  Tensor attend(const Inputs& in, State* state) override;
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override;
};

/// k v^T of a token, (B,H,D,E).
Tensor outer(const RecurrentToken& token);

}  // namespace lavo
