// SPDX-License-Identifier: MIT
#include "experiments/efficiency/efficiency.h"

#include "experiments/harness/measure/memory.h"
#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

const json kQuick = {{"block_seconds", 1e-4}, {"blocks", 1}};

Outcome run_efficiency(const Experiment& experiment, const json& axes) {
  return experiment.run({.axes = experiment.resolve(axes), .limits = kQuick});
}

std::string status_of(const Experiment& experiment, const json& axes) {
  try {
    run_efficiency(experiment, axes);
    return "ok";
  } catch (const CellFailure& failure) {
    return word(failure.status);
  }
}

/// The mechanism it stands for, with one output or one gradient off by `factor`.
class Spoilt final : public Mechanism {
 public:
  Spoilt(std::shared_ptr<Mechanism> right, double output, double gradient)
      : right_(register_module("right", std::move(right))), output_(output), gradient_(gradient) {}
  std::unique_ptr<State> new_state() const override { return right_->new_state(); }
  std::vector<InputSpec> inputs() const override { return right_->inputs(); }
  std::string not_fused(const CallFacts& call) const override { return right_->not_fused(call); }
  Patterns patterns() const override { return right_->patterns(); }
  Cost cost(const Shape& s, Pattern p) const override { return right_->cost(s, p); }
  std::string kind() const override { return right_->kind(); }
  bool is_fused() const override { return right_->is_fused(); }

 protected:
  Tensor attend(const Inputs& in, State* state) override {
    const Tensor out = state ? right_->forward(in, *state) : right_->forward(in);
    if (state) state->position -= in.query.size(2);  // the outer forward advances it, too
    // The value stays, the gradient becomes that of gradient_ * out.
    const Tensor bent = out * gradient_ + out.detach() * (1 - gradient_);
    Tensor factor = torch::ones({out.size(2), 1}, out.options());
    factor[-1] = output_;
    return bent * factor;
  }
  Tensor attend_rows(const Inputs& in, const std::vector<int64_t>& rows) override {
    return right_->reference(in, rows);
  }

 private:
  std::shared_ptr<Mechanism> right_;
  double output_, gradient_;
};

template <int kOutputPercent, int kGradientPercent>
std::shared_ptr<Mechanism> make_spoilt(const std::string& name, const json& options,
                                       const Setting& setting, uint64_t seed,
                                       torch::ScalarType type, torch::Device device) {
  return std::make_shared<Spoilt>(make_mechanism(name, options, setting, seed, type, device),
                                  kOutputPercent / 100.0, kGradientPercent / 100.0);
}

/// Asked for its fused form, it has none for the call.
std::shared_ptr<Mechanism> make_composed(const std::string& name, const json& options,
                                         const Setting& setting, uint64_t seed,
                                         torch::ScalarType type, torch::Device device) {
  auto mechanism = make_mechanism(name, options, setting, seed, type, device);
  mechanism->use(Implementation::kComposed);
  return std::make_shared<Spoilt>(mechanism, /*output=*/1, /*gradient=*/1);
}

}  // namespace

TEST_CASE("every mechanism gives checked records for every pass that it can do") {
  count_cpu_memory();
  const Efficiency efficiency;
  for (const Entry& entry : mechanisms()) {
    for (const char* pass : {"forward", "forward_backward", "decode"}) {
      for (const bool causal : {true, false}) {
        const json axes = efficiency.resolve({{"mechanism", entry.name},
                                              {"pass", pass},
                                              {"causal", causal},
                                              {"length", 48},
                                              {"heads", 2},
                                              {"head_dim", 8}});
        if (!efficiency.meaningless(axes).empty()) continue;
        CAPTURE(axes.dump());
        if (!efficiency.refused(axes).empty()) {
          CHECK(status_of(efficiency, axes) == "skipped");
          continue;
        }
        const Outcome outcome = run_efficiency(efficiency, axes);
        for (const char* name : {"time", "peak_memory", "allocations", "flop", "bytes",
                                 "flop_share", "bandwidth_share", "worst_error"}) {
          CAPTURE(name);
          REQUIRE(outcome.metrics.contains(name));
        }
        CHECK(outcome.metrics.at("time").value > 0);
        CHECK(outcome.metrics.at("time").unit == "ms");
        const double output = std::string(pass) == "decode" ? 2 * 8 * 4 : 48 * 2 * 8 * 4;
        CHECK(outcome.metrics.at("peak_memory").value >= output);
        CHECK(outcome.metrics.contains("state_bytes") == (std::string(pass) == "decode"));
        const auto rows = outcome.notes.at("output_check").at("rows").get<std::vector<int64_t>>();
        CHECK(rows.front() == 0);
        CHECK(rows.back() == 47);
        CHECK(outcome.notes.contains("gradient_check") ==
              (std::string(pass) == "forward_backward"));
      }
    }
  }
}

TEST_CASE("a wrong result is not timed") {
  const json forward = {{"mechanism", "vanilla"}, {"length", 200}, {"heads", 2}, {"head_dim", 8}};
  json backward = forward, decode = forward;
  backward["pass"] = "forward_backward";
  decode["pass"] = "decode";
  CHECK(status_of(Efficiency(&make_spoilt<100, 100>), forward) == "ok");
  CHECK(status_of(Efficiency(&make_spoilt<100, 100>), backward) == "ok");
  CHECK(status_of(Efficiency(&make_spoilt<100, 100>), decode) == "ok");
  CHECK(status_of(Efficiency(&make_spoilt<101, 100>), forward) == "wrong");
  CHECK(status_of(Efficiency(&make_spoilt<101, 100>), decode) == "wrong");
  CHECK(status_of(Efficiency(&make_spoilt<100, 101>), forward) == "ok");
  CHECK(status_of(Efficiency(&make_spoilt<100, 101>), backward) == "wrong");
}

TEST_CASE("the gradient of one number in 16 bits is held to one that no rounding has touched") {
  for (const auto& [length, unit] : {std::pair{32, true}, {1024, true}, {64, false}}) {
    const json axes = {{"mechanism", "lavo"},
                       {"memory", "slots"},
                       {"temperature", "learned"},
                       {"bases", 8},
                       {"unit", unit},
                       {"heads", 1},
                       {"head_dim", 16},
                       {"dtype", "bfloat16"},
                       {"length", length},
                       {"causal", true},
                       {"pass", "forward_backward"}};
    CAPTURE(axes.dump());
    CHECK(status_of(Efficiency(), axes) == "ok");
    CHECK(status_of(Efficiency(&make_spoilt<100, 200>), axes) == "wrong");
  }
}

TEST_CASE("what runs composed is not timed as fused") {
  for (const char* pass : {"forward", "forward_backward", "decode"}) {
    json axes = {{"mechanism", "lavo"}, {"length", 64}, {"pass", pass}};
    CHECK(status_of(Efficiency(&make_composed), axes) == "skipped");
    axes["implementation"] = "composed";
    CHECK(status_of(Efficiency(&make_composed), axes) == "ok");
  }
}

TEST_CASE("axes are filled in, and options of other mechanisms are dropped") {
  const Efficiency efficiency;
  const json axes = efficiency.resolve({{"mechanism", "local"}, {"window", 8}, {"length", 64}});
  CHECK(axes.at("window") == 8);
  CHECK(axes.at("implementation") == "fused");
  CHECK(axes.at("heads") == 4);
  CHECK(axes.at("head_dim") == 64);
  CHECK(axes.at("dtype") == "float32");
  CHECK(axes.at("causal") == true);
  CHECK(axes.at("threads").get<int64_t>() >= 1);
  CHECK(efficiency.resolve(axes) == axes);
  const json vanilla = efficiency.resolve({{"mechanism", "vanilla"}, {"window", 8}});
  CHECK(vanilla.at("implementation") == "fused");
  CHECK_FALSE(vanilla.contains("window"));
  const auto implementation = [&](const char* name, bool causal, const char* device) {
    return efficiency.resolve({{"mechanism", name}, {"causal", causal}, {"device", device}})
        .at("implementation");
  };
  CHECK(implementation("linear", true, "cpu") == "fused");
  CHECK(implementation("linear", false, "cpu") == "composed");
  CHECK(implementation("linear", true, "cuda") == "fused");
  CHECK(implementation("linear", false, "cuda") == "composed");
  CHECK(implementation("performer", true, "cpu") == "fused");
  CHECK(implementation("performer", true, "cuda") == "composed");
  CHECK(implementation("lavo", false, "cuda") == "fused");
  CHECK(implementation("nystromformer", false, "cuda") == "composed");
  // Too large for its bases to be made: a cell that is skipped with the reason, not the plan's end.
  CHECK(efficiency.resolve({{"mechanism", "lavo"}, {"head_dim", 1 << 30}}).at("implementation") ==
        "composed");
  for (const json& bad :
       {json{{"lenght", 8}}, json{{"length", 0}}, json{{"pass", "backward"}},
        json{{"dtype", "float8"}}, json{{"device", "tpu"}}, json{{"mechanism", "vanila"}}}) {
    CHECK_THROWS_AS(efficiency.resolve(bad), OptionError);
  }
}

TEST_CASE("points that mean nothing are told from points that are refused") {
  const Efficiency efficiency;
  const auto resolve = [&](json axes) { return efficiency.resolve(axes); };
  CHECK(efficiency.meaningless(
            resolve({{"pass", "decode"}, {"causal", false}, {"mechanism", "vanilla"}})) != "");
  CHECK(efficiency.meaningless(resolve({{"pass", "decode"}, {"mechanism", "vanilla"}})) == "");
  CHECK(efficiency.refused(resolve({{"mechanism", "local"}, {"cross", true}})) != "");
  CHECK(
      efficiency.refused(resolve({{"mechanism", "local"}, {"implementation", "naive"}})) ==
      "local has no naive implementation of causal self attention on cpu, only fused and composed: "
      "it has no such form");
  CHECK(efficiency.refused(resolve({{"mechanism", "local"}})) == "");
  CHECK(efficiency.refused(resolve({{"mechanism", "local"}, {"implementation", "composed"}})) ==
        "");
  CHECK(efficiency.refused(resolve({{"mechanism", "vanilla"}, {"implementation", "composed"}})) !=
        "");
  json linear = {{"mechanism", "linear"}, {"implementation", "fused"}};
  CHECK(efficiency.refused(resolve(linear)) == "");
  linear["device"] = "cuda";
  CHECK(efficiency.refused(resolve(linear)) == "");
  linear["mechanism"] = "performer";
  CHECK_THAT(efficiency.refused(resolve(linear)),
             ContainsSubstring("no fused implementation of causal self attention on cuda"));
  linear["mechanism"] = "linear", linear["device"] = "cpu";
  linear["causal"] = false;
  CHECK_THAT(efficiency.refused(resolve(linear)),
             ContainsSubstring("no fused implementation of noncausal self attention on cpu"));
}

TEST_CASE("gradients of every option are checked") {
  count_cpu_memory();
  const Efficiency efficiency;
  for (const json& options : {json{{"mechanism", "lavo"}, {"mix", "learned"}},
                              json{{"mechanism", "lavo"}, {"bases_train", "free"}},
                              json{{"mechanism", "lavo"}, {"bases_train", "orthogonal"}},
                              json{{"mechanism", "lavo"}, {"decay", "multiscale"}},
                              json{{"mechanism", "lavo"}, {"memory", "shared"}},
                              json{{"mechanism", "lavo"}, {"implementation", "composed"}},
                              json{{"mechanism", "lavo"}, {"implementation", "naive"}},
                              json{{"mechanism", "lavo"}, {"dtype", "bfloat16"}},
                              json{{"mechanism", "local"}, {"look_back", 2}},
                              json{{"mechanism", "vanilla"}, {"cross", true}}}) {
    json axes = {{"pass", "forward_backward"}, {"length", 40}, {"heads", 2}, {"head_dim", 8}};
    axes.update(options);
    if (axes["mechanism"] == "lavo") axes["bases"] = 6;
    CAPTURE(axes.dump());
    CHECK(run_efficiency(efficiency, axes).notes.contains("gradient_check"));
  }
}
