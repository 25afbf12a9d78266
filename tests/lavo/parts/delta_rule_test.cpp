// SPDX-License-Identifier: MIT
#include "lavo/parts/delta_rule.h"

#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "lavo/core/problem.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

constexpr int64_t kDeltaHeads = 2, kKeyWidth = 5, kValueWidth = 7;

/// Gates that a call may have: decay for each channel, for all alike or none; erase and write or
/// not.
struct Gates {
  int64_t decay_width = 0;
  bool erases = false;
};

Tensor unit(const Tensor& x) { return x / x.norm(2, {-1}, /*keepdim=*/true); }

DeltaRule random_call(int64_t T, const Gates& gates, at::Generator& generator) {
  const auto draw = [&](int64_t width) {
    return torch::randn({2, kDeltaHeads, T, width}, generator, torch::kFloat64);
  };
  DeltaRule call{
      .query = draw(kKeyWidth), .key = unit(draw(kKeyWidth)), .value = draw(kValueWidth)};
  call.scale = 0.5;
  if (gates.decay_width > 0) call.log_decay = -draw(gates.decay_width).square();
  if (gates.erases) {
    call.erase = draw(1).sigmoid() * 2;
    call.write = draw(1).sigmoid();
  }
  return call;
}

/// Token by token, as the formula stands.
Tensor by_tokens(const DeltaRule& call) {
  Tensor S = torch::zeros({2, kDeltaHeads, kKeyWidth, kValueWidth}, torch::kFloat64);
  std::vector<Tensor> rows;
  for (int64_t t = 0; t < call.query.size(2); ++t) {
    const auto at_t = [t](const Tensor& x) { return x.select(2, t); };
    if (call.log_decay.defined()) S = S * at_t(call.log_decay).exp().unsqueeze(3);
    const Tensor key = at_t(call.key).unsqueeze(3);
    Tensor u = at_t(call.value);
    if (call.erase.defined()) {
      u = at_t(call.write) * u - (S * (at_t(call.erase).unsqueeze(3) * key)).sum(2);
    }
    S = S + key * u.unsqueeze(2);
    rows.push_back(call.scale * (S * at_t(call.query).unsqueeze(3)).sum(2));
  }
  return torch::stack(rows, 2);
}

}  // namespace

TEST_CASE("chunks give what the recurrence gives, with every gate") {
  auto generator = make_generator(8);
  for (const int64_t T : {1, 15, 64, 65, 200}) {
    for (const Gates gates : {Gates{0, false}, Gates{1, false}, Gates{kKeyWidth, false},
                              Gates{0, true}, Gates{1, true}, Gates{kKeyWidth, true}}) {
      const DeltaRule call = random_call(T, gates, generator);
      CAPTURE(T, gates.decay_width, gates.erases);
      CHECK(worst_row_error(delta_rule(call, nullptr), by_tokens(call)) < 1e-11);
    }
  }
}

TEST_CASE("decays of 0, and of -30 in a row of 26, leave outputs and gradients finite and right") {
  auto generator = make_generator(9);
  DeltaRule call = random_call(90, {kKeyWidth, true}, generator);
  call.log_decay.narrow(2, 20, 26).fill_(-30);
  call.log_decay.select(2, 60).fill_(-std::numeric_limits<double>::infinity());
  const std::vector<Tensor> leaves = {call.query, call.key, call.value, call.log_decay, call.erase};
  for (const Tensor& leaf : leaves) leaf.requires_grad_();
  const Tensor actual = delta_rule(call, nullptr), expected = by_tokens(call);
  CHECK(worst_row_error(actual.detach(), expected.detach()) < 1e-11);
  const Tensor weight = torch::randn(actual.sizes(), generator, torch::kFloat64);
  const auto chunked = torch::autograd::grad({actual}, leaves, {weight});
  const auto recurrent = torch::autograd::grad({expected}, leaves, {weight});
  for (size_t i = 0; i < leaves.size(); ++i) {
    CAPTURE(i);
    CHECK(chunked[i].isfinite().all().item<bool>());
    CHECK((chunked[i] - recurrent[i]).norm().item<double>() <=
          1e-11 * recurrent[i].norm().item<double>());
  }
}
