// SPDX-License-Identifier: MIT
// An experiment whose cells behave as an axis says: linked with the objects of lavo-bench it makes
// lavo-bench-faulty, the product with failures to order.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <thread>

#include "experiments/registry.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

struct FaultyAxes {
  std::string behaviour = "ok";
  int64_t length = 1;
  int64_t seed = 0;
  double seconds = 0;
  int64_t memory = 0;
  std::string device = "cpu";

  void visit(OptionVisitor& v) {
    v.text("behaviour", behaviour, "how the cell ends");
    v.integer("length", length, between(1, 1 << 20), "tokens");
    v.integer("seed", seed, at_least(0), "changes the result");
    v.number("seconds", seconds, at_least(0), "s, how long a block takes");
    v.integer("memory", memory, at_least(0), "B, predicted");
    v.text("device", device, "only the cpu");
  }
};

void sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

class Faulty final : public Experiment {
 public:
  std::string name() const override { return "faulty"; }
  std::string purpose() const override { return "Ends as told."; }
  int spec_version() const override { return 1; }
  std::vector<OptionInfo> axes() const override { return list_options<FaultyAxes>(); }
  json resolve(const json& given) const override {
    return write_options(read_options<FaultyAxes>("faulty", given, "axis"));
  }
  std::string meaningless(const json& axes) const override {
    return axes["behaviour"] == "meaningless" ? "means nothing" : "";
  }
  std::string refused(const json& axes) const override {
    return axes["behaviour"] == "refused" ? "refused on purpose" : "";
  }
  Prediction predict(const json& axes, const json&) const override {
    const double seconds = axes["seconds"];
    return {.seconds = seconds, .call_seconds = seconds, .memory_bytes = axes["memory"]};
  }
  int blocks(const json& limits) const override { return limits["blocks"]; }

  Outcome run(const Case& cell) const override {
    const auto axes = read_options<FaultyAxes>("faulty", cell.axes, "axis");
    cell.progress("sleeping");
    sleep(axes.seconds);
    fail_as(axes);
    Outcome outcome;
    // A hash of what the cell is: the same wherever and whenever it runs.
    const auto value = static_cast<double>(axes.length * 1000 + axes.seed);
    outcome.metrics["score"] = {.value = value, .unit = "1", .better = "higher", .kind = "seeded"};
    outcome.metrics["time"] = {.value = 1.0 + cell.block,
                               .unit = "ms",
                               .better = "lower",
                               .kind = "timing",
                               .samples = {1.0 + cell.block, 2.0 + cell.block}};
    outcome.series["curve"] = {.x = "context", .unit = "1", .points = {{1, value}, {2, value}}};
    return outcome;
  }

 private:
  static void fail_as(const FaultyAxes& axes) {
    const std::string& how = axes.behaviour;
    if (how == "ok" || how == "meaningless" || how == "refused") return;
    if (how == "out_of_memory") throw std::bad_alloc();
    if (how == "allocate") torch::empty({int64_t{1} << 50});
    if (how == "hang") sleep(1e6);
    if (how == "hang_with_child" && ::fork() >= 0) sleep(1e6);
    if (how == "segfault") ::raise(SIGSEGV);
    if (how == "abort") std::abort();
    if (how == "exit") std::_Exit(3);
    if (how == "killed") ::raise(SIGKILL);
    if (how == "nan") {
      throw CellFailure("not_finite", "step 7: the loss is nan");
    }
    if (how == "wrong") throw CellFailure("wrong", "row 3: error 0.5, allowed 1e-5");
    if (how == "throw") throw std::runtime_error("thrown\non purpose");
    if (how == "throw_int") throw 1;
    if (how == "chatter") {
      for (int i = 0; i < 1000; ++i) std::puts("{\"not\": \"for the driver\"}");
      std::fflush(stdout);
      return;
    }
    fail<OptionError>("faulty: unknown behaviour '{}'", how);
  }
};

const bool added = [] {
  add_experiment(std::make_unique<Faulty>());
  return true;
}();

}  // namespace
}  // namespace lavo
