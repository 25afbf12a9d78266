// SPDX-License-Identifier: MIT
#include "tests/support/faulty_experiment.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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
  int64_t extra = 0;

  void visit(OptionVisitor& v) {
    v.text("behaviour", behaviour, "how the cell ends");
    v.integer("length", length, between(1, 1 << 20), "tokens");
    v.integer("seed", seed, at_least(0), "changes the result");
    v.number("seconds", seconds, at_least(0), "s, how long a block takes");
    v.integer("memory", memory, at_least(0), "B, predicted");
    v.text("device", device, "only the cpu");
    v.later([&] { v.integer("extra", extra, at_least(0), "changes nothing; came later"); });
  }
};

void sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

class Faulty final : public Experiment {
 public:
  Faulty(std::string name, bool alone) : name_(std::move(name)), alone_(alone) {}
  std::string name() const override { return name_; }
  bool runs_alone() const override { return alone_; }
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
    if (faulty_hook()) faulty_hook()(cell);
    cell.progress("sleeping");
    sleep(axes.seconds);
    fail_as(axes, cell);
    Outcome outcome;
    // Depends on the cell alone: the same wherever and whenever it runs.
    auto value = static_cast<double>(axes.length * 1000 + axes.seed);
    if (axes.behaviour == "nan") value = std::nan("");
    outcome.metrics["score"] = {
        .value = value, .unit = "1", .better = Better::kHigher, .kind = Kind::kSeeded};
    outcome.metrics["time"] = {.value = 1.0 + cell.block,
                               .unit = "ms",
                               .better = Better::kLower,
                               .kind = Kind::kTiming,
                               .samples = {1.0 + cell.block, 2.0 + cell.block}};
    outcome.series["curve"] = {.x = "context", .unit = "1", .points = {{1, value}, {2, value}}};
    return outcome;
  }

 private:
  /// Ends well when the cell with the other seed, 0 or 1, runs at the same time.
  static void meet(const Case& cell, int64_t seed) {
    const auto mark = [&](int64_t of) { return cell.directory / fmt::format("met-{}", of); };
    std::ofstream(mark(seed)) << "here";
    for (int i = 0; i < 100 && !std::filesystem::exists(mark(1 - seed)); ++i) sleep(0.02);
    const bool met = std::filesystem::exists(mark(1 - seed));
    sleep(0.1);  // the other one looks too
    std::filesystem::remove(mark(seed));
    if (!met) throw CellFailure(Status::kWrong, "nobody came");
  }

  static void fail_as(const FaultyAxes& axes, const Case& cell) {
    const std::string& how = axes.behaviour;
    if (how == "ok" || how == "meaningless" || how == "refused" || how == "nan") return;
    if (how == "out_of_memory") throw std::bad_alloc();
    if (how == "allocate") torch::empty({int64_t{1} << 50});
    if (how == "hang") sleep(1e6);
    if (how == "hang_with_child") {
      const pid_t child = ::fork();
      if (child > 0) std::ofstream(cell.directory / "child.pid") << child;
      sleep(1e6);
    }
    if (how == "crash_once") {
      const auto mark = cell.directory / fmt::format("mark-{}", axes.seed);
      if (std::filesystem::exists(mark)) return;
      std::ofstream(mark) << "seen";
      ::raise(SIGSEGV);
    }
    if (how == "meet") meet(cell, axes.seed);
    if (how == "segfault") ::raise(SIGSEGV);
    if (how == "abort") std::abort();
    if (how == "exit") std::_Exit(3);
    if (how == "killed") ::raise(SIGKILL);
    if (how == "touch_memory") {  // past what the system lets the process have
      std::vector<std::vector<char>> held;
      for (;;) held.emplace_back(size_t{64} << 20, 'x');
    }
    if (how == "step_nan") {
      throw CellFailure(Status::kNotFinite, "step 7: the loss is nan");
    }
    if (how == "wrong") throw CellFailure(Status::kWrong, "row 3: error 0.5, allowed 1e-5");
    if (how == "throw") throw std::runtime_error("thrown\non purpose");
    if (how == "throw_int") throw 1;
    if (how == "chatter") {
      for (int i = 0; i < 1000; ++i) std::puts("{\"not\": \"for the driver\"}");
      std::fflush(stdout);
      return;
    }
    if (how != "meet") fail<OptionError>("faulty: unknown behaviour '{}'", how);
  }

  std::string name_;
  bool alone_;
};

}  // namespace

std::function<void(const Case&)>& faulty_hook() {
  static std::function<void(const Case&)> hook;
  return hook;
}

namespace {

const bool added = [] {
  add_experiment(std::make_unique<Faulty>("faulty", true));
  add_experiment(std::make_unique<Faulty>("faulty_beside", false));
  return true;
}();

}  // namespace
}  // namespace lavo
