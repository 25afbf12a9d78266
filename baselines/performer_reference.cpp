// SPDX-License-Identifier: MIT
#include "baselines/performer_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lavo/parts/weight_rows.h"

namespace lavo {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
constexpr int64_t kBlock = 1024;

struct Exponents {
  Tensor u_BHTM, g_BHT1;
};

Exponents exponents(const Tensor& x, const Tensor& projection) {
  const double width = static_cast<double>(x.size(3));
  const Tensor w = projection.to(torch::kFloat64);
  return {torch::matmul(x, w.transpose(-2, -1)) / std::sqrt(std::sqrt(width)),
          (x * x).sum(3, true) / (2 * std::sqrt(width))};
}

/// Of every key: the largest u - g (prefix) or u (sequence) of its features; -infinity when padded.
/// A constant for gradients, as published: with an epsilon it does not cancel.
Tensor largest_BHS(const Inputs& in, const PerformerFormula& formula) {
  std::vector<Tensor> blocks;
  for (int64_t first = 0; first < in.key.size(2); first += kBlock) {
    const int64_t count = std::min(kBlock, in.key.size(2) - first);
    const auto [u, g] = exponents(in.key.narrow(2, first, count), formula.projection);
    const Tensor x = formula.stabilizer == Stabilizer::kPrefix ? u - g : u;
    Tensor largest = x.detach().amax(3);
    if (in.key_mask.defined()) {
      const Tensor padded = in.key_mask.narrow(1, first, count).logical_not().unsqueeze(1);
      largest = largest.masked_fill(padded, kMinusInfinity);
    }
    blocks.push_back(largest);
  }
  return torch::cat(blocks, 2);
}

Tensor finite(const Tensor& x) { return x.masked_fill(x == kMinusInfinity, 0); }

/// phi_q without M^(-1/2).
Tensor reference_query_features(const Tensor& query, const PerformerFormula& formula) {
  const auto [u, g] = exponents(query, formula.projection);
  if (formula.relu) return u.clamp_min(0) + formula.epsilon;
  const Tensor x = formula.stabilizer == Stabilizer::kPrefix ? u - g : u;
  return (u - g - x.detach().amax(3, true)).exp() + formula.epsilon;
}

}  // namespace

Tensor performer_rows(const Inputs& in, const PerformerFormula& formula,
                      const std::vector<int64_t>& rows) {
  const bool causal = in.pattern() == Pattern::kCausalSelf;
  const bool prefix = formula.stabilizer == Stabilizer::kPrefix;
  const Tensor row = torch::tensor(rows, torch::kLong).to(in.query.device());
  const Tensor phi_q = reference_query_features(in.query.index_select(2, row), formula);
  Tensor own, reached, of_row;  // largest exponent of each key; so far, for keys and for rows
  if (!formula.relu) {
    own = largest_BHS(in, formula);
    reached = prefix && causal ? std::get<0>(own.cummax(2))
                               : std::get<0>(own.max(2, true)).expand_as(own);
    of_row = prefix && causal ? reached.index_select(2, row).unsqueeze(3)
                              : reached.narrow(2, 0, 1).unsqueeze(3);
    // Padded keys have no weight: numbers in place of infinities, which would make NaN of
    // gradients.
    own = finite(torch::where(own == kMinusInfinity, reached, own));
    reached = finite(reached);
    of_row = finite(of_row);
  }
  const RowWeights weights = [&](const Tensor&, const Tensor& key, int64_t first) {
    const auto [u, g] = exponents(key, formula.projection);
    const auto product = [&](const Tensor& phi_k) {
      return torch::matmul(phi_q, phi_k.transpose(2, 3));
    };
    if (formula.relu) return product(u.clamp_min(0) + formula.epsilon);
    if (!prefix) return product((u - g - of_row).exp() + formula.epsilon);
    // Each key by its own largest exponent, so that none underflows before the rows are known.
    const auto of_keys = [&](const Tensor& x) {
      return x.narrow(2, first, key.size(2)).unsqueeze(2);
    };
    const Tensor exact = product((u - g - of_keys(own).transpose(2, 3)).exp());
    return exact * (of_keys(own) - of_row).exp() +
           formula.epsilon * (of_keys(reached) - of_row).exp() * phi_q.sum(3, true);
  };
  const double m = static_cast<double>(formula.projection.size(-2));
  const double added = formula.key_sum_epsilon * (formula.relu ? 1 : std::sqrt(m));
  return weighted_rows(in, rows, weights, [&](const Tensor& total) {
    const Tensor all = total + added * phi_q.sum(3, true);
    return all.masked_fill(all == 0, 1);
  });
}

}  // namespace lavo
