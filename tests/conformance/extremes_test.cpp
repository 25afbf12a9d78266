// SPDX-License-Identifier: MIT
// Gates at the edges of their ranges, keys of zeros, values wider than keys: outputs and gradients
// stay finite and those of the reference.
#include <torch/csrc/autograd/autograd.h>

#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

constexpr int64_t kTokens = 90;  // more than a chunk, no multiple of a block

/// Which tokens get the value: some alone, a row across the edge of a chunk, or every one.
struct Place {
  const char* name;
  std::vector<std::pair<int64_t, int64_t>> parts;  ///< first token, count
};
const std::vector<Place> kPlaces = {
    {"alone", {{0, 1}, {17, 1}, {64, 1}}}, {"26 in a row", {{43, 26}}}, {"all", {{0, kTokens}}}};

void fill(Tensor& x, int64_t dim, const Place& place, double value) {
  x = x.clone();
  for (const auto& [first, count] : place.parts) x.narrow(dim, first, count).fill_(value);
}

std::vector<Tensor> gradients_of(const Tensor& out, const Inputs& leaves) {
  std::vector<Tensor> inputs;
  Inputs(leaves).each([&](Tensor& x) { inputs.push_back(x); });
  const Tensor weight = torch::arange(out.numel(), out.options()).view(out.sizes()).sin();
  auto found = torch::autograd::grad({out}, inputs, {weight}, /*retain_graph=*/std::nullopt,
                                     /*create_graph=*/false, /*allow_unused=*/true);
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i].defined()) found[i] = torch::zeros_like(inputs[i]);
  }
  return found;
}

void check_output(Mechanism& mechanism, const Inputs& in) {
  const auto type = in.query.scalar_type();
  const double error =
      worst_row_error(mechanism.forward(in), mechanism.reference(in, all_rows(kTokens)));
  const double bound = tolerance(type, kTokens + 64);
  if (error <= bound) {
    SUCCEED();
    return;
  }
  CHECK(error <= kIterationSlack * (bound + moved_by(bound, mechanism, in)));
  mechanism.to(type);
}

void check_gradients_at(Mechanism& mechanism, const Inputs& in) {
  const Inputs leaves = in.leaves();
  const auto actual = gradients_of(mechanism.forward(leaves), leaves);
  const auto expected = gradients_of(mechanism.reference(leaves, all_rows(kTokens)), leaves);
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(actual[i].isfinite().all().item<bool>());
    CHECK((actual[i] - expected[i]).norm().item<double>() <=
          1e-10 * (expected[i].norm().item<double>() + 1));
  }
}

/// spoil(inputs, place) for every place, in both types; gradients, too, where there is but one.
template <class Spoil>
void check_at_places(const Variant& variant, bool differentiable, const Spoil& spoil) {
  Shape shape = small_shape(*variant.entry, kTokens, kTokens);
  if (!variant.entry->facts.equal_widths) shape.E = 2 * shape.D + 4;
  for (const auto type : {torch::kFloat64, torch::kFloat32}) {
    const auto mechanism = variant.create(shape, true, false, type);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf)) return;
    for (const Place& place : kPlaces) {
      CAPTURE(variant.name(), toString(type), place.name);
      Inputs in = variant.inputs(*mechanism, shape, type, 6, {.causal = true});
      spoil(in, place);
      {
        torch::NoGradGuard no_grad;
        check_output(*mechanism, in);
      }
      if (type == torch::kFloat64 && differentiable) check_gradients_at(*mechanism, in);
    }
  }
}

}  // namespace

TEST_CASE("gates at the edges of their ranges give what the reference gives") {
  for (const Variant& variant : small_mechanisms()) {
    const Shape shape = small_shape(*variant.entry, kTokens, kTokens);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
    if (!mechanism) continue;
    for (const InputSpec& spec : mechanism->inputs()) {
      for (const double value : spec.extremes) {
        CAPTURE(spec.name, value);
        check_at_places(variant, /*differentiable=*/true, [&](Inputs& in, const Place& place) {
          fill(in.extra.at(spec.name).tensor, token_dim(spec.letters), place, value);
        });
      }
    }
  }
}

TEST_CASE("keys of zeros give what the reference gives") {
  for (const Variant& variant : small_mechanisms()) {
    if (variant.entry->facts.softmax) continue;  // a zero is a key like any other
    check_at_places(variant, /*differentiable=*/false,
                    [](Inputs& in, const Place& place) { fill(in.key, 2, place, 0); });
  }
}
