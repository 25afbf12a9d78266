// SPDX-License-Identifier: MIT
// What `apply` reads beside query, key and value: declared inputs, states, tolerances of an index.
#include "baselines/table.h"
#include "experiments/apply.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

constexpr int64_t kTokens = 23, kFirst = 9;

/// Every mechanism that streams, with the file of a call of it.
template <class Test>
void for_each_stream(const Test& test) {
  for (const Variant& variant : small_mechanisms()) {
    if (variant.implementation != Implementation::kFused) continue;
    const Shape shape = small_shape(*variant.entry, kTokens, kTokens);
    const auto mechanism = variant.create(shape, true, false, torch::kFloat64);
    if (!mechanism || !takes(*mechanism, Pattern::kCausalSelf) || !state_of(*mechanism)) continue;
    CAPTURE(variant.name());
    Inputs in = variant.inputs(*mechanism, shape, torch::kFloat64, 5, {.causal = true});
    ApplyRequest request{.mechanism = variant.entry->name,
                         .options = variant.options,
                         .causal = true,
                         .type = {},
                         .chunks = {}};
    test(request, in);
  }
}

NamedTensors file_of(Inputs in) {
  NamedTensors file;
  in.each([&](const std::string& name, Tensor& x, const std::string&) { file[name] = x; });
  return file;
}

std::string said(const ApplyRequest& request, const NamedTensors& given) {
  try {
    apply(request, given, "in");
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

/// Its final state as the initial state of the next call.
void begin_from(NamedTensors& file, const NamedTensors& made) {
  for (const auto& [name, x] : made) {
    const std::string prefix = "final_state";
    if (name.starts_with(prefix)) file["initial_state" + name.substr(prefix.size())] = x;
  }
}

}  // namespace

TEST_CASE("a call goes on from the final state of the one before, for every mechanism") {
  for_each_stream([](ApplyRequest request, const Inputs& in) {
    const NamedTensors whole = apply(request, file_of(in), "in");
    const NamedTensors first = apply(request, file_of(in.narrow(0, kFirst)), "in");
    CHECK(first.at("final_state_position").item<int64_t>() == kFirst);
    NamedTensors rest = file_of(in.narrow(kFirst, kTokens - kFirst));
    begin_from(rest, first);
    for (const std::vector<int64_t>& chunks : {std::vector<int64_t>{}, {5, 1}}) {
      request.chunks = chunks;
      const NamedTensors second = apply(request, rest, "in");
      const Tensor expected = whole.at("output").narrow(2, kFirst, kTokens - kFirst);
      CHECK(worst_row_error(second.at("output"), expected) < 1e-11);
      for (const auto& [name, x] : whole) {
        if (!name.starts_with("final_state")) continue;
        CAPTURE(name);
        REQUIRE(second.at(name).sizes() == x.sizes());
        CHECK((second.at(name).to(torch::kFloat64) - x.to(torch::kFloat64))
                  .abs()
                  .sum()
                  .item<double>() <= 1e-9 * (1 + x.to(torch::kFloat64).abs().sum().item<double>()));
      }
    }
  });
}

TEST_CASE("the gradient of the initial state and of every input in the file is returned") {
  for_each_stream([](ApplyRequest request, const Inputs& in) {
    const NamedTensors first = apply(request, file_of(in.narrow(0, kFirst)), "in");
    NamedTensors rest = file_of(in.narrow(kFirst, kTokens - kFirst));
    begin_from(rest, first);
    request.grad = true;
    const NamedTensors made = apply(request, rest, "in");
    CHECK(made.contains("final_state_position"));
    double of_state = 0;
    for (const auto& [name, x] : rest) {
      if (!x.is_floating_point()) continue;
      CAPTURE(name);
      REQUIRE(made.contains("grad_" + name));
      CHECK(made.at("grad_" + name).sizes() == x.sizes());
      if (name.starts_with("initial_state")) {
        of_state += made.at("grad_" + name).abs().sum().item<double>();
      }
    }
    CHECK((of_state > 0) == find_mechanism(request.mechanism).facts.mixes);
  });
}

TEST_CASE("a state that does not fit is refused by name") {
  for_each_stream([](const ApplyRequest& request, const Inputs& in) {
    NamedTensors file = file_of(in);
    begin_from(file, apply(request, file_of(in), "in"));
    NamedTensors unknown = file;
    unknown["initial_state_nonsense"] = torch::zeros({1});
    CHECK_THAT(said(request, unknown), ContainsSubstring("initial_state_nonsense"));
    for (const auto& [name, x] : file) {
      if (!name.starts_with("initial_state") || x.dim() < 3) continue;
      NamedTensors wrong = file;
      wrong[name] = torch::zeros({x.size(0) + 1, x.size(1), x.size(2), 1}, x.options());
      CHECK_THAT(said(request, wrong), ContainsSubstring("'" + name + "'"));
    }
    ApplyRequest oracle = request;
    oracle.reference = true;
    CHECK_THAT(said(oracle, file), ContainsSubstring("no state to begin from"));
  });
}

TEST_CASE("what cannot be streamed is refused, whatever the reason") {
  const Shape shape{.B = 1, .H = 2, .T = 9, .S = 9, .D = 8, .E = 8};
  Inputs in = random_inputs(shape, torch::kFloat64, 3, {.causal = true});
  NamedTensors file = file_of(in);
  ApplyRequest request;
  request.mechanism = "performer";
  request.options = {{"stabilizer", "sequence"}};
  request.causal = true;
  request.chunks = {4};
  CHECK_THROWS_WITH(apply(request, file, "in"), ContainsSubstring("no streaming state"));
  request.mechanism = "local";
  request.options = json::object();
  file["cu_seqlens"] = torch::tensor({0, 4, 9}, torch::kInt);
  CHECK_THROWS_WITH(apply(request, file, "in"), ContainsSubstring("got cu_seqlens"));
}

TEST_CASE("a state of tokens is whole: each tensor, of the same tokens, and their position") {
  const Shape shape{.B = 1, .H = 2, .T = 6, .S = 6, .D = 8, .E = 8};
  NamedTensors file = file_of(random_inputs(shape, torch::kFloat64, 3, {.causal = true}));
  ApplyRequest request;
  request.mechanism = "vanilla";
  request.causal = true;
  const auto cached = [](int64_t tokens) {
    return torch::ones({1, 2, tokens, 8}, torch::kFloat64);
  };
  file["initial_state_key"] = cached(5);
  CHECK_THAT(said(request, file), ContainsSubstring("'initial_state_value' is missing"));
  file["initial_state_value"] = cached(4);
  CHECK_THAT(said(request, file), ContainsSubstring("has 4 tokens, another has 5"));
  file["initial_state_value"] = cached(5);
  CHECK_THAT(said(request, file), ContainsSubstring("'initial_state_position' is missing"));
  file["initial_state_position"] = torch::tensor(5, torch::kLong);
  CHECK(apply(request, file, "in").at("final_state_key").size(2) == 11);
}

TEST_CASE("an input that the mechanism takes and the file lacks is named") {
  int declared = 0;
  for_each_stream([&](const ApplyRequest& request, const Inputs& in) {
    for (const auto& [name, given] : in.extra) {
      if (token_dim(given.letters) < 0) continue;
      NamedTensors file = file_of(in);
      file.erase(name);
      CHECK_THAT(said(request, file), ContainsSubstring("in: tensor '" + name + "' ["));
      ++declared;
    }
  });
  CHECK(declared > 0);
}

TEST_CASE("inputs per token are held to the length of the call, also where it is cut in pieces") {
  int declared = 0;
  for_each_stream([&](ApplyRequest request, const Inputs& in) {
    const int64_t whole = in.query.size(2);
    for (const auto& [name, given] : in.extra) {
      const int64_t dim = token_dim(given.letters);
      if (dim < 0) continue;
      ++declared;
      request.chunks = {3};
      NamedTensors file = file_of(in);
      file[name] = given.tensor.narrow(dim, 0, whole - 1);
      CHECK_THAT(said(request, file), ContainsSubstring("'" + name + "' must be ["));
      file[name] = torch::cat({given.tensor, given.tensor}, dim);
      CHECK_THAT(said(request, file), ContainsSubstring("'" + name + "' must be ["));
      file[name] = given.tensor.select(dim, 0);
      CHECK_THAT(said(request, file), ContainsSubstring("'" + name + "' must be ["));
    }
  });
  CHECK(declared > 0);
}

TEST_CASE("--reference is not named where it was not asked for") {
  const Shape shape{.B = 1, .H = 2, .T = 6, .S = 6, .D = 8, .E = 8};
  NamedTensors file = file_of(random_inputs(shape, torch::kFloat64, 3, {.causal = true}));
  ApplyRequest request;
  request.mechanism = "linear";
  file["initial_state"] = torch::zeros({1, 2, 9, 8}, torch::kFloat64);
  CHECK_THAT(said(request, file),
             ContainsSubstring("no state to begin from") && !ContainsSubstring("--reference"));
}

TEST_CASE("tolerances are those of the case, by tensor and type") {
  const json index = json::array({{{"id", "a"},
                                   {"tolerance",
                                    {{"f64", {{"rtol", 1e-9}, {"atol", 1e-10}}},
                                     {"f32",
                                      {{"output", {{"rtol", 1e-5}, {"atol", 2e-5}}},
                                       {"dq", {{"rtol", 1e-3}, {"atol", 0.5}}}}}}}}});
  CHECK(golden_tolerances(index, "a", torch::kFloat64, "i")("grad_key").atol == 1e-10);
  CHECK(golden_tolerances(index, "a", torch::kFloat32, "i")("output").atol == 2e-5);
  CHECK(golden_tolerances(index, "a", torch::kFloat32, "i")("grad_query").atol == 0.5);
  CHECK(golden_tolerances(index, "a", torch::kBFloat16, "i")("output").rtol ==
        default_tolerance(torch::kBFloat16).rtol);
  CHECK_THROWS_AS(golden_tolerances(index, "b", torch::kFloat32, "i"), InputError);
  CHECK_THROWS_AS(golden_tolerances(json::object(), "a", torch::kFloat32, "i"), InputError);
  CHECK_THROWS_AS(golden_tolerances(index, "a", torch::kFloat32, "i")("grad_value"), InputError);
}
