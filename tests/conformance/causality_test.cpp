// SPDX-License-Identifier: MIT
#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

constexpr int64_t kLength = 70;
constexpr int64_t kPast =
    44;  // the last past token and the one before share a window of 5, 6, 16, 17

bool can_stream(const Mechanism& mechanism) {
  try {
    return mechanism.new_state() != nullptr;
  } catch (const OptionError&) {
    return false;
  }
}

Inputs with_future(const Inputs& in, const std::function<Tensor(const Tensor&)>& change) {
  Inputs changed = in;
  for (Tensor* x : {&changed.query, &changed.key, &changed.value}) {
    *x = x->clone();
    Tensor future = x->narrow(2, kPast, kLength - kPast);
    future.copy_(change(future));
  }
  return changed;
}

double moved(Mechanism& mechanism, const Inputs& in, const Tensor& past) {
  return worst_row_error(mechanism.forward(in).narrow(2, 0, kPast), past);
}

}  // namespace

TEST_CASE("a causal output does not depend on the future, and does depend on the past") {
  torch::NoGradGuard no_grad;
  int tried = 0;
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, kLength, kLength);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
    if (!mechanism || !variant.includes(Pattern::kCausalSelf)) continue;
    CAPTURE(variant.name());
    // The one published form that leaks by intention; it says so by having no state.
    if (variant.options.value("stabilizer", "") == "sequence" && !can_stream(*mechanism)) continue;
    ++tried;
    const Inputs in = random_inputs(shape, torch::kFloat64, 9, {.causal = true});
    const Tensor past = mechanism->forward(in).narrow(2, 0, kPast);
    CHECK(moved(*mechanism, with_future(in, [](const Tensor& x) { return x * 6; }), past) < 1e-12);
    CHECK(moved(*mechanism, with_future(in, [](const Tensor& x) { return -x.flip(3); }), past) <
          1e-12);
    Inputs cut = in;
    for (Tensor* x : {&cut.query, &cut.key, &cut.value}) *x = x->narrow(2, 0, kPast);
    CHECK(moved(*mechanism, cut, past) < 1e-12);

    // The token before a query's own moves it, where the two share a window.
    Inputs other = in;
    other.value = in.value.clone();
    other.value.select(2, kPast - 2).mul_(-1);
    CHECK(worst_row_error(mechanism->forward(other).narrow(2, kPast - 1, 1),
                          past.narrow(2, kPast - 1, 1)) > 1e-6);
  }
  CHECK(tried > 0);
}
