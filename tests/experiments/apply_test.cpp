// SPDX-License-Identifier: MIT
#include "experiments/apply.h"

#include "baselines/table.h"
#include "lavo/core/check.h"
#include "lavo/core/problem.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

NamedTensors problem(int64_t T = 12, int64_t S = 12, torch::ScalarType type = torch::kFloat64) {
  const Inputs in = random_inputs({.B = 2, .H = 3, .T = T, .S = S, .D = 8, .E = 8}, type, 5);
  return {{"query", in.query}, {"key", in.key}, {"value", in.value}};
}

ApplyRequest request(const std::string& mechanism, json options = json::object()) {
  return {.mechanism = mechanism, .options = std::move(options)};
}

double difference(const Tensor& a, const Tensor& b) {
  return (a.to(torch::kFloat64) - b.to(torch::kFloat64)).abs().max().item<double>();
}

}  // namespace

TEST_CASE("apply agrees with its own reference and streams, for every mechanism") {
  for (const Entry& entry : mechanisms()) {
    CAPTURE(entry.name);
    const auto options = entry.name == "cosformer" ? json{{"max_length", 12}} : json::object();
    for (const bool causal : {false, true}) {
      if (!entry.patterns.include(causal ? Pattern::kCausalSelf : Pattern::kNoncausalSelf))
        continue;
      ApplyRequest whole = request(entry.name, options);
      whole.causal = causal;
      ApplyRequest oracle = whole;
      oracle.reference = true;
      const Variant variant{&entry, options};
      const Shape shape{.B = 2, .H = 3, .T = 12, .S = 12, .D = 8, .E = 8};
      const auto mechanism = variant.create(shape, causal, false, torch::kFloat64);
      Inputs in = variant.inputs(*mechanism, shape, torch::kFloat64, 5, {.causal = causal});
      NamedTensors given;
      in.each([&](const std::string& name, Tensor& x, const std::string&) { given[name] = x; });
      const Tensor output = apply(whole, given, "in").at("output");
      CHECK(worst_row_error(output, apply(oracle, given, "in").at("output")) < 1e-10);
      if (!causal || !entry.facts.has_state) continue;
      whole.chunks = {5, 1, 3};
      CHECK(worst_row_error(apply(whole, given, "in").at("output"), output) < 1e-10);
    }
  }
}

TEST_CASE("parameters are replaced by name and shape, and their gradients are returned") {
  NamedTensors given = problem();
  given["relative_bias"] = torch::arange(3 * 7, torch::kFloat64).view({3, 7}) / 10;
  ApplyRequest r = request("local", {{"window", 4}});
  r.causal = r.grad = true;
  const NamedTensors with = apply(r, given, "in");
  const NamedTensors without = apply(r, problem(), "in");
  CHECK(difference(with.at("output"), without.at("output")) > 1e-3);

  // The bias of one offset alone, by central differences: |error| <= h^2 |f'''| / 6 + rounding / h.
  const double step = 1e-5;
  const auto total = [&](double shift) {
    NamedTensors moved = given;
    moved["relative_bias"] = given["relative_bias"].clone();
    moved["relative_bias"][1][5] += shift;
    return apply(r, moved, "in").at("output").sum().item<double>();
  };
  const Tensor gradient = with.at("grad_relative_bias");
  REQUIRE(gradient.sizes() == given["relative_bias"].sizes());
  const double expected = (total(step) - total(-step)) / (2 * step);
  CHECK(std::abs(expected) > 1e-3);
  CHECK(std::abs(gradient[1][5].item<double>() - expected) < 1e-7);
}

TEST_CASE("gradients are those of sum(output * grad_output)") {
  NamedTensors given = problem(6, 9);
  ApplyRequest r = request("vanilla_math");
  r.grad = true;
  const NamedTensors ones = apply(r, given, "in");
  given["grad_output"] = torch::full({2, 3, 6, 8}, 2.0, torch::kFloat64);
  const NamedTensors twos = apply(r, given, "in");
  for (const char* name : {"grad_query", "grad_key", "grad_value"}) {
    CHECK(difference(ones.at(name) * 2, twos.at(name)) < 1e-12);
  }
}

TEST_CASE("the type is the query's, or the one asked for; a seed gives the same bits") {
  ApplyRequest r = request("vanilla");
  CHECK(apply(r, problem(4, 4, torch::kBFloat16), "in").at("output").scalar_type() ==
        torch::kBFloat16);
  r.type = torch::kFloat32;
  const Tensor output = apply(r, problem(), "in").at("output");
  CHECK(output.scalar_type() == torch::kFloat32);
  CHECK(torch::equal(output, apply(r, problem(), "in").at("output")));
  r.reference = true;
  CHECK(apply(r, problem(), "in").at("output").scalar_type() == torch::kFloat64);
}

TEST_CASE("a disagreement is seen, NaN too, and gradients that were not made are said so") {
  const NamedTensors made = {{"output", torch::ones({2})}};
  const ToleranceOf within = [](const std::string&) { return Tolerance{0.1, 0.0}; };
  const auto agrees = [&](double value) {
    const NamedTensors given = {{"expected_output", torch::full({2}, value)},
                                {"expected_grad_query", torch::ones({2})}};
    const auto list = compare_expected(made, given, within, "in");
    REQUIRE(list.size() == 2);
    CHECK_FALSE(list[0].compared);
    return list[1].agrees();
  };
  CHECK(agrees(1.0));
  CHECK(agrees(1.05));
  CHECK_FALSE(agrees(1.2));
  CHECK_FALSE(agrees(std::nan("")));
  CHECK_THROWS_AS(compare_expected(made, {{"expected_output", torch::ones({3})}}, within, "in"),
                  InputError);
  CHECK_THROWS_AS(compare_expected(made, {{"expected_outptu", torch::ones({2})}}, within, "in"),
                  InputError);
  CHECK_THROWS_AS(compare_expected(made, {}, within, "in"), InputError);
  // The oracle makes no state, and what a file expects of one is not compared.
  NamedTensors of_state = {{"expected_output", torch::ones({2})},
                           {"expected_final_state_key", torch::ones({2})}};
  CHECK_FALSE(compare_expected(made, of_state, within, "in", /*reference=*/true)[0].compared);
  CHECK_THROWS_AS(compare_expected(made, of_state, within, "in"), InputError);
}

TEST_CASE("the program reads, answers and compares") {
  const TemporaryDirectory directory;
  NamedTensors given = problem();
  given["key_mask"] = torch::ones({2, 12}, torch::kUInt8);
  ApplyRequest r = request("vanilla");
  r.causal = r.grad = true;
  for (const auto& [name, x] : apply(r, given, "in")) given["expected_" + name] = x;
  write_safetensors(directory.file("in"), given);
  const std::vector<std::string> call = {
      "apply",   "--mechanism",        "vanilla",  "--causal",           "--grad", "--check",
      "--input", directory.file("in"), "--output", directory.file("out")};
  Finished finished = run_program(call);
  CHECK(finished.code == 0);
  CHECK(finished.err == "");
  CHECK_THAT(finished.out, ContainsSubstring("grad_value") && ContainsSubstring("agrees"));
  CHECK(torch::equal(read_safetensors(directory.file("out")).at("grad_key"),
                     given.at("expected_grad_key")));

  given["expected_grad_key"][0][1][2][3] += 1e-6;
  write_safetensors(directory.file("in"), given);
  finished = run_program(call);
  CHECK(finished.code == 1);
  CHECK_THAT(finished.out, ContainsSubstring("DISAGREES"));
}

TEST_CASE("running out of memory is one line and exit 1") {
  const TemporaryDirectory directory;
  const Tensor x = torch::zeros({1, 1, 1 << 20, 1});
  write_safetensors(directory.file("in"), {{"query", x}, {"key", x}, {"value", x}});
  const Finished finished = run_program({"apply", "--mechanism", "vanilla_math", "--input",
                                         directory.file("in"), "--output", directory.file("out")});
  CHECK(finished.code == 1);
  CHECK(is_one_line_refusal(finished));
  CHECK_THAT(finished.err, ContainsSubstring("memory"));
  CHECK_FALSE(std::filesystem::exists(directory.file("out")));
}

TEST_CASE("whatever is wrong with a call is said on one line, exit 2") {
  const TemporaryDirectory directory;
  const auto save = [&](const std::string& name, NamedTensors changes) {
    NamedTensors tensors = problem();
    for (auto& [key, x] : changes) tensors[key] = x;
    write_safetensors(directory.file(name), tensors);
  };
  save("in", {});
  save("bias", {{"relative_bias", torch::zeros({3, 31})}});
  save("integer", {{"query", torch::ones({2, 3, 12, 8}, torch::kInt64)}});
  save("empty", {{"query", torch::ones({2, 3, 0, 8})}});
  save("heads", {{"key", torch::ones({2, 2, 12, 8}, torch::kFloat64)}});
  save("types", {{"key", torch::ones({2, 3, 12, 8}, torch::kFloat32)}});
  save("widths", {{"key", torch::ones({2, 3, 12, 7}, torch::kFloat64)}});
  save("mask", {{"key_mask", torch::ones({2, 11}, torch::kBool)}});
  save("mask_type", {{"key_mask", torch::ones({2, 12})}});
  save("grad", {{"grad_output", torch::ones({2, 3, 11, 8})}});
  save("stray", {{"qurey", torch::ones({1})}});
  save("cross", {{"key", torch::ones({2, 3, 5, 8}, torch::kFloat64)},
                 {"value", torch::ones({2, 3, 5, 8}, torch::kFloat64)}});
  write_safetensors(directory.file("missing"), {{"query", torch::ones({1, 1, 2, 2})}});

  const std::string output = directory.file("out");
  const auto refused = [&](const std::string& input, std::vector<std::string> more,
                           const std::string& says, const std::string& mechanism = "local") {
    std::vector<std::string> call = {
        "apply", "--mechanism", mechanism, "--input", directory.file(input), "--output", output};
    call.insert(call.end(), more.begin(), more.end());
    const Finished finished = run_program(call);
    CAPTURE(more, input, finished.out, finished.err);
    CHECK(finished.code == 2);
    CHECK(is_one_line_refusal(finished));
    CHECK_THAT(finished.err, ContainsSubstring(says));
    CHECK_FALSE(std::filesystem::exists(output));
  };
  refused("in", {}, "did you mean 'local'", "locla");
  refused("in", {"--options", "{\"window\": 0}"}, "1 ... 65536");
  refused("in", {"--options", "{\"window\": 1.5}"}, "integer");
  refused("in", {"--options", "{\"windw\": 8}"}, "did you mean 'window'");
  refused("in", {"--options", "{window: 8}"}, "not JSON");
  refused("in", {"--options", "[8]"}, "JSON object");
  refused("in", {"--dtype", "float23"}, "did you mean 'float32'");
  refused("in", {"--device", "gpu"}, "cpu, cuda");
  refused("in", {"--chunks", "4,0"}, "'4,0'");
  refused("in", {"--chunks", "4,,1"}, "'4,,1'");
  refused("in", {"--chunks", "4"}, "needs --causal");
  refused("in", {"--chunks", "4", "--causal", "--cross"}, "of one document, got --cross");
  refused("in", {"--chunks", "4", "--causal", "--grad"}, "does not go with --grad");
  refused("in", {"--reference", "--grad"}, "neither --grad nor --chunks");
  refused("in", {"--cross"}, "noncausal cross");
  refused("in", {"--rtol", "1e-3"}, "--check");
  refused("in", {"--check"}, "no expected_output");
  refused("in", {"--seed", "-1"}, "--seed");
  refused("in", {"--casual"}, "did you mean '--causal'");
  refused("in", {"surplus"}, "surplus");
  refused("nowhere", {}, "nowhere");
  refused("missing", {}, "'key' is missing");
  refused("bias", {"--options", "{\"window\": 8}"}, "[3, 15]");
  refused("bias", {"--options", "{\"position\": \"none\"}"}, "no tensor 'relative_bias'");
  refused("integer", {}, "floating");
  refused("empty", {}, "none of them 0");
  refused("heads", {}, "batch and heads");
  refused("types", {}, "Float");
  refused("widths", {}, "widths");
  refused("mask", {}, "[2, 12]");
  refused("mask_type", {}, "bool or uint8");
  refused("grad", {"--grad"}, "[2, 3, 12, 8]");
  refused("stray", {}, "did you mean 'query'");
  refused("cross", {}, "noncausal cross");
  CHECK(run_program({"apply", "--mechanism", "local"}).code == 2);
}
