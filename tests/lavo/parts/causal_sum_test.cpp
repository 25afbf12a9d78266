// SPDX-License-Identifier: MIT
#include "lavo/parts/causal_sum.h"

#include "lavo/core/pieces.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

struct Problem {
  Tensor query, key, value, level;
};

Problem sum_problem(int64_t T, double step) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(11);
  const auto draw = [&](int64_t width) {
    return torch::rand({2, 3, T, width}, generator, torch::kFloat64);
  };
  const Tensor level = (draw(1).squeeze(3) * step).cumsum(2) - 5;
  return {draw(7), draw(7), draw(4), level};
}

/// Sum by sum.
Tensor naive(const Problem& p, bool levels) {
  Tensor out = torch::zeros_like(p.value);
  for (int64_t t = 0; t < p.value.size(2); ++t) {
    for (int64_t j = 0; j <= t; ++j) {
      Tensor weight = (p.query.select(2, t) * p.key.select(2, j)).sum(-1, true);
      if (levels) {
        weight = weight * (p.level.select(2, j) - p.level.select(2, t)).exp().unsqueeze(2);
      }
      out.select(2, t) += weight * p.value.select(2, j);
    }
  }
  return out;
}

CausalSum empty(const Problem& p, bool levels) {
  return {torch::zeros({2, 3, 7, 4}, p.value.options()),
          levels ? torch::full({2, 3, 1}, kNoLevel, p.value.options()) : Tensor()};
}

}  // namespace

TEST_CASE("chunked sums equal sums taken term by term") {
  const bool levels = GENERATE(false, true);
  const auto [T, chunk] =
      GENERATE(table<int64_t, int64_t>({{1, 8}, {5, 8}, {8, 8}, {24, 8}, {24, 1}}));
  const double step = GENERATE(0.0, 0.3, 60.0);  // the last one leaves only the newest keys
  CAPTURE(levels, T, chunk, step);
  const Problem p = sum_problem(T, step);
  CausalSum carried = empty(p, levels);
  const Tensor actual =
      causal_sum(p.query, p.key, p.value, levels ? p.level : Tensor(), chunk, carried);
  CHECK(worst_row_error(actual, naive(p, levels)) < 1e-14 * 30);
}

TEST_CASE("what is carried makes pieces equal the whole") {
  const bool levels = GENERATE(false, true);
  const Problem p = sum_problem(24, 0.3);
  CausalSum carried = empty(p, levels);
  Pieces pieces(24);
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 5}, {5, 1}, {6, 16}, {22, 2}}) {
    const auto cut = [first = first, count = count](const Tensor& x) {
      return x.narrow(2, first, count);
    };
    pieces.add(causal_sum(cut(p.query), cut(p.key), cut(p.value),
                          levels ? cut(p.level).contiguous() : Tensor(), 8, carried));
  }
  CHECK(worst_row_error(pieces.result(), naive(p, levels)) < 1e-14 * 30);
}
