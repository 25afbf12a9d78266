// SPDX-License-Identifier: MIT
#include "lavo/parts/weight_rows.h"

#include <algorithm>

namespace lavo {

Tensor weighted_rows(const Inputs& in, const std::vector<int64_t>& rows, const RowWeights& weights,
                     const std::function<Tensor(const Tensor& total)>& normaliser) {
  constexpr int64_t kBlock = 1024;
  const int64_t S = in.key.size(2);
  const Tensor row = torch::tensor(rows, torch::kLong).to(in.query.device());
  const Tensor query = in.query.index_select(2, row);
  Tensor sum, total;
  for (int64_t first = 0; first < S; first += kBlock) {
    const int64_t count = std::min(kBlock, S - first);
    Tensor weight = weights(query, in.key.narrow(2, first, count), first);
    if (in.pattern() == Pattern::kCausalSelf) {
      const Tensor j = torch::arange(first, first + count, row.options());
      weight = weight.masked_fill(j.unsqueeze(0) > row.unsqueeze(1), 0);
    }
    Tensor value = in.value.narrow(2, first, count);
    if (in.key_mask.defined()) {
      const Tensor padded = in.key_mask.narrow(1, first, count).logical_not().unsqueeze(1);
      weight = weight.masked_fill(padded.unsqueeze(2), 0);
      value = value.masked_fill(padded.unsqueeze(3), 0);
    }
    const Tensor more = torch::matmul(weight, value), more_total = weight.sum(-1, true);
    sum = sum.defined() ? sum + more : more;
    total = total.defined() ? total + more_total : more_total;
  }
  return sum / normaliser(total);
}

}  // namespace lavo
