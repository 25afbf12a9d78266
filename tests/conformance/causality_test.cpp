// SPDX-License-Identifier: MIT
// Outputs before t, and their gradients, do not know what stands at t and later: to the last bit.
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

/// Ragged: no multiple of any tile, chunk or window. The last past token and the one before it
/// share a window of 5, 6, 16 and 17.
struct Cut {
  int64_t length, past;
};
constexpr Cut kCuts[] = {{70, 44}, {150, 129}};

/// Everything at `past` and later becomes something else, up to `scale` times as large; keys of
/// length 1 stay so, and gates keep their range.
Inputs with_other_future(const Variant& variant, const Mechanism& mechanism, const Inputs& in,
                         int64_t past, double scale) {
  Inputs changed = in;
  const Inputs other =
      variant.inputs(mechanism, in.shape(), in.query.scalar_type(), 77, {.causal = true});
  const bool unit_query = mechanism.unit_queries(), unit_key = mechanism.unit_keys();
  std::map<std::string, Tensor> values;
  Inputs(other).each([&](const std::string& name, Tensor& x, const std::string&) {
    const bool unit = (name == "query" && unit_query) || (name == "key" && unit_key);
    const bool own = name == "query" || name == "key" || name == "value";
    values[name] = own && !unit ? x * scale : x;
  });
  changed.each([&](const std::string& name, Tensor& x, const std::string& letters) {
    const int64_t dim = token_dim(letters);
    if (dim < 0) return;
    x = x.clone();
    const int64_t later = x.size(dim) - past;
    x.narrow(dim, past, later).copy_(values.at(name).narrow(dim, past, later));
  });
  return changed;
}

struct Results {
  Tensor past_output;
  std::vector<std::pair<std::string, Tensor>> before;  ///< gradients of what stands before t
  std::vector<std::pair<std::string, Tensor>> after;   ///< at t and later
};

/// Of sum over s < past of o_s . g_s.
Results run(Mechanism& mechanism, const Inputs& given, int64_t past) {
  Inputs in = given.leaves();
  for (Tensor& x : mechanism.parameters()) x.mutable_grad() = Tensor();
  const Tensor output = mechanism.forward(in).narrow(2, 0, past);
  const Tensor weight = torch::arange(output.numel(), output.options()).view(output.sizes()).sin();
  output.backward(weight);
  Results results{output.detach(), {}, {}};
  in.each([&](const std::string& name, Tensor& x, const std::string& letters) {
    const Tensor gradient = x.grad().defined() ? x.grad() : torch::zeros_like(x);
    const int64_t dim = token_dim(letters);
    if (dim < 0) {
      results.before.emplace_back(name, gradient);
      return;
    }
    results.before.emplace_back(name, gradient.narrow(dim, 0, past));
    results.after.emplace_back(name, gradient.narrow(dim, past, x.size(dim) - past));
  });
  for (const auto& item : mechanism.named_parameters()) {
    const Tensor& gradient = item.value().grad();
    if (gradient.defined()) results.before.emplace_back(item.key(), gradient.clone());
  }
  return results;
}

}  // namespace

TEST_CASE("outputs before a token and their gradients are the same bits whatever comes later") {
  int tried = 0;
  const Cut cut = GENERATE(from_range(std::begin(kCuts), std::end(kCuts)));
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, cut.length, cut.length);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf)) continue;
    if (mechanism->leaks_future()) continue;
    CAPTURE(variant.name(), cut.length, cut.past);
    ++tried;
    const Inputs in = variant.inputs(*mechanism, shape, torch::kFloat64, 9, {.causal = true});
    const Results expected = run(*mechanism, in, cut.past);
    for (const double scale : {1.0, 1e3}) {
      const Inputs changed = with_other_future(variant, *mechanism, in, cut.past, scale);
      const Results actual = run(*mechanism, changed, cut.past);
      CHECK(torch::equal(actual.past_output, expected.past_output));
      for (size_t i = 0; i < expected.before.size(); ++i) {
        CAPTURE(scale, expected.before[i].first);
        CHECK(torch::equal(actual.before[i].second, expected.before[i].second));
      }
      for (const auto& [name, gradient] : actual.after) {
        CAPTURE(scale, name);
        CHECK(gradient.count_nonzero().item<int64_t>() == 0);
      }
    }
  }
  CHECK((tried > 0) == any_is_causal(/*streams=*/false));
}

TEST_CASE("NaN at a token reaches no output further back than the mechanism says") {
  torch::NoGradGuard no_grad;
  int touched = 0;
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, 150, 150);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat32);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf)) continue;
    if (mechanism->leaks_future()) continue;
    const Inputs in = variant.inputs(*mechanism, shape, torch::kFloat32, 9, {.causal = true});
    const Tensor before = mechanism->forward(in);
    for (const char* spoilt : {"query", "key", "value"}) {
      for (const int64_t t : {75, 140}) {
        CAPTURE(variant.name(), spoilt, t);
        Inputs other = in;
        other.each([&](const std::string& name, Tensor& x, const std::string&) {
          if (name == spoilt) (x = x.clone()).select(2, t).fill_(std::nan(""));
        });
        const Tensor after = mechanism->forward(other);
        // What has no composed form of its own is LibTorch's operator.
        const bool ours = mechanism->is_fused() && variant.entry->facts.composed;
        const int64_t first = ours ? t : mechanism->first_not_finite(t);
        CHECK(torch::equal(before.narrow(2, 0, first), after.narrow(2, 0, first)));
        touched += after.isnan().any().item<bool>();
      }
    }
  }
  CHECK((touched > 0) == any_is_causal(/*streams=*/false));
}

TEST_CASE("what is cut off after a token changes nothing before it") {
  torch::NoGradGuard no_grad;
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, 70, 70);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf)) continue;
    if (mechanism->leaks_future()) continue;
    CAPTURE(variant.name());
    const Inputs in = variant.inputs(*mechanism, shape, torch::kFloat64, 9, {.causal = true});
    const Tensor past = mechanism->forward(in).narrow(2, 0, 44);
    CHECK(worst_row_error(mechanism->forward(in.narrow(0, 44)), past) < 1e-12);
  }
}

TEST_CASE("a causal output depends on the token before its own") {
  torch::NoGradGuard no_grad;
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, 70, 70);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf)) continue;
    CAPTURE(variant.name());
    const Inputs in = variant.inputs(*mechanism, shape, torch::kFloat64, 9, {.causal = true});
    Inputs other = in;
    other.value = in.value.clone();
    other.value.select(2, 42).mul_(-1);
    const double moved = worst_row_error(mechanism->forward(other).narrow(2, 43, 1),
                                         mechanism->forward(in).narrow(2, 43, 1));
    CHECK((moved > 1e-6) == variant.entry->facts.mixes);
  }
}
