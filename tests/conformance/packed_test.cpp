// SPDX-License-Identifier: MIT
// Packed documents, and keys and values of fewer heads than queries.
#include <torch/csrc/autograd/autograd.h>

#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

template <class Test>
void for_each_self_use(const Test& test) {
  for (const Variant& variant : variants()) {
    for (const bool causal : {true, false}) {
      const Shape shape = small_shape(*variant.entry, 40, 40);
      const auto mechanism = variant.create(shape, causal, false, torch::kFloat64);
      if (!mechanism) continue;
      if (!takes(*mechanism, pattern_of(causal, false))) continue;
      CAPTURE(variant.name(), causal);
      test(*mechanism, variant.inputs(*mechanism, shape, torch::kFloat64, 8, {.causal = causal}));
    }
  }
}

std::vector<Tensor> input_gradients(Mechanism& mechanism, const Inputs& given) {
  Inputs in = given.leaves();
  std::vector<Tensor> leaves;
  in.each([&](Tensor& x) { leaves.push_back(x); });
  const Tensor out = mechanism.forward(in);
  const Tensor weight = torch::arange(out.numel(), out.options()).view(out.sizes()).sin();
  auto gradients = torch::autograd::grad({out}, leaves, {weight}, /*retain_graph=*/std::nullopt,
                                         /*create_graph=*/false, /*allow_unused=*/true);
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!gradients[i].defined())
      gradients[i] = torch::zeros_like(leaves[i]);  // it is not looked at
  }
  return gradients;
}

const std::vector<int64_t> kEdges = {0, 1, 18, 33, 40};

Inputs packed(Inputs in) {
  in.cu_seqlens = torch::tensor(kEdges, torch::kInt);
  return in;
}

Inputs document(const Inputs& in, size_t i) {
  return in.narrow(kEdges[i], kEdges[i + 1] - kEdges[i]);
}

}  // namespace

TEST_CASE("packed documents are those documents one by one") {
  torch::NoGradGuard no_grad;
  const bool padding = GENERATE(false, true);
  for_each_self_use([&](Mechanism& mechanism, Inputs in) {
    if (padding) in.key_mask = torch::arange(40).remainder(3).ne(1).expand({2, 40});
    const Tensor out = mechanism.forward(packed(in));
    for (size_t i = 0; i + 1 < kEdges.size(); ++i) {
      const Tensor alone = mechanism.forward(document(in, i));
      CHECK(torch::equal(out.narrow(2, kEdges[i], alone.size(2)), alone));
    }
  });
}

TEST_CASE("the reference of packed documents looks at each alone") {
  torch::NoGradGuard no_grad;
  for_each_self_use([&](Mechanism& mechanism, const Inputs& in) {
    const Tensor rows = mechanism.reference(packed(in), {39, 0, 17, 18});
    CHECK(torch::equal(rows.narrow(2, 0, 1), mechanism.reference(document(in, 3), {6})));
    CHECK(torch::equal(rows.narrow(2, 2, 1), mechanism.reference(document(in, 1), {16})));
    CHECK(torch::equal(rows.narrow(2, 3, 1), mechanism.reference(document(in, 2), {0})));
  });
}

TEST_CASE("no gradient crosses from a document to another") {
  for_each_self_use([&](Mechanism& mechanism, Inputs in) {
    Inputs leaves = packed(in).leaves();
    mechanism.forward(leaves).narrow(2, 18, 15).square().sum().backward();
    leaves.each([](const std::string&, Tensor& x, const std::string& letters) {
      const int64_t dim = token_dim(letters);
      if (dim < 0 || !x.grad().defined()) return;
      CHECK(x.grad().narrow(dim, 0, 18).count_nonzero().item<int64_t>() == 0);
      CHECK(x.grad().narrow(dim, 18, 15).isfinite().all().item<bool>());
      CHECK(x.grad().narrow(dim, 33, 7).count_nonzero().item<int64_t>() == 0);
    });
    CHECK(leaves.value.grad().count_nonzero().item<int64_t>() > 0);
  });
}

TEST_CASE("a head of keys and values serves its group of query heads") {
  for_each_self_use([&](Mechanism& mechanism, Inputs in) {
    Inputs whole = in;
    for (Tensor* x : {&in.key, &in.value}) *x = x->narrow(1, 0, 1);  // one for three
    for (auto& [name, given] : in.extra) {
      if (given.letters.starts_with("BH")) given.tensor = given.tensor.narrow(1, 0, 1);
    }
    for (Tensor* x : {&whole.key, &whole.value})
      *x = x->narrow(1, 0, 1).expand({-1, 3, -1, -1}).clone();
    for (auto& [name, given] : whole.extra) {
      if (given.letters.starts_with("BH")) given.tensor = in[name].repeat_interleave(3, 1);
    }
    CHECK(torch::equal(mechanism.forward(in), mechanism.forward(whole)));
    CHECK(torch::equal(mechanism.reference(in, {3, 39}), mechanism.reference(whole, {3, 39})));
    const auto grouped = input_gradients(mechanism, in), all = input_gradients(mechanism, whole);
    CHECK(torch::equal(grouped[0], all[0]));
    for (size_t i = 1; i < all.size(); ++i) {
      const bool shared = grouped[i].sizes() != all[i].sizes();
      const Tensor expected = shared ? all[i].sum(1, /*keepdim=*/true) : all[i];
      CHECK(grouped[i].allclose(expected, 1e-12, 1e-12));
    }
  });
}

TEST_CASE("a head of queries and keys serves its group of value heads") {
  for (const Variant& variant : variants()) {
    for (const bool causal : {true, false}) {
      Shape shape = small_shape(*variant.entry, 40, 40);
      shape.H = 6;  // of values, three times those of queries
      const auto mechanism = variant.create(shape, causal, false, torch::kFloat64);
      if (!mechanism || !takes(*mechanism, pattern_of(causal, false))) continue;
      CAPTURE(variant.name(), causal);
      Inputs whole = variant.inputs(*mechanism, shape, torch::kFloat64, 8, {.causal = causal});
      Inputs grouped = whole;
      for (Tensor* x : {&grouped.query, &grouped.key}) *x = x->narrow(1, 0, 2);
      whole.query = grouped.query.repeat_interleave(3, 1);
      whole.key = grouped.key.repeat_interleave(3, 1);
      const Tensor out = mechanism->forward(grouped);
      CHECK(out.size(1) == 6);
      CHECK(torch::equal(out, mechanism->forward(whole)));
      CHECK(torch::equal(mechanism->reference(grouped, {3, 39}),
                         mechanism->reference(whole, {3, 39})));
      const auto few = input_gradients(*mechanism, grouped),
                 all = input_gradients(*mechanism, whole);
      for (size_t i = 0; i < all.size(); ++i) {
        Tensor expected = all[i];
        if (i < 2) expected = expected.unflatten(1, {2, 3}).sum(2);
        CHECK(few[i].allclose(expected, 1e-12, 1e-12));
      }
      const auto state = causal ? state_of(*mechanism) : nullptr;
      if (state) {
        torch::NoGradGuard no_grad;
        const Tensor streamed = mechanism->forward(grouped, *state);
        CHECK(worst_row_error(streamed, out) <= 1e-12);
      }
      Inputs both = grouped;
      both.key = both.key.narrow(1, 0, 1);
      CHECK_THROWS_AS(mechanism->forward(both), ShapeError);
    }
  }
}

TEST_CASE("query heads are grouped by their neighbours") {
  const Shape shape{.B = 1, .H = 4, .T = 9, .S = 9, .D = 8, .E = 8};
  const Variant variant{&find_mechanism("vanilla"), json::object()};
  const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
  Inputs in = random_inputs(shape, torch::kFloat64, 8, {.causal = true});
  Inputs grouped = in;
  for (Tensor* x : {&grouped.key, &grouped.value}) *x = x->narrow(1, 1, 2);
  for (Tensor* x : {&in.key, &in.value}) {
    *x = torch::cat(
        {x->narrow(1, 1, 1), x->narrow(1, 1, 1), x->narrow(1, 2, 1), x->narrow(1, 2, 1)}, 1);
  }
  CHECK(torch::equal(mechanism->forward(grouped), mechanism->forward(in)));
  CHECK(torch::equal(mechanism->reference(grouped, {3, 8}), mechanism->reference(in, {3, 8})));
}

TEST_CASE("edges that do not divide the tokens are refused, and so are heads that do not") {
  const Shape shape{.B = 1, .H = 4, .T = 9, .S = 9, .D = 8, .E = 8};
  const Variant variant{&find_mechanism("vanilla"), json::object()};
  const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
  const Inputs good = random_inputs(shape, torch::kFloat64, 8, {.causal = true});
  const auto with_edges = [&](const Tensor& edges) {
    Inputs in = good;
    in.cu_seqlens = edges;
    return in;
  };
  CHECK_NOTHROW(mechanism->forward(with_edges(torch::tensor({0, 4, 9}))));
  for (const Tensor& edges :
       {torch::tensor({0, 4}), torch::tensor({1, 9}), torch::tensor({0, 4, 4, 9}),
        torch::tensor({0, 6, 4, 9}), torch::tensor({0, 4, 10}), torch::tensor({0}),
        torch::tensor({{0, 9}}), torch::tensor({0.0, 9.0})}) {
    CHECK_THROWS_AS(mechanism->forward(with_edges(edges)), ShapeError);
  }
  const auto state = mechanism->new_state();
  CHECK_THROWS_AS(mechanism->forward(with_edges(torch::tensor({0, 9})), *state), ShapeError);
  Inputs cross = with_edges(torch::tensor({0, 9}));
  cross.cross = true;
  CHECK_THROWS_AS(mechanism->forward(cross), ShapeError);
  Inputs three = good;
  for (Tensor* x : {&three.key, &three.value}) *x = x->narrow(1, 0, 3);
  CHECK_THROWS_AS(mechanism->forward(three), ShapeError);
  three.key = good.key.narrow(1, 0, 2);
  three.value = good.value.narrow(1, 0, 1);
  CHECK_THROWS_AS(mechanism->forward(three), ShapeError);
}
