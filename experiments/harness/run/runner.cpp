// SPDX-License-Identifier: MIT
#include "experiments/harness/run/runner.h"

#include <poll.h>

#include <algorithm>

#include "experiments/harness/machine/environment.h"
#include "experiments/harness/machine/resources.h"
#include "experiments/harness/run/ledger.h"
#include "experiments/harness/run/mechanism_facts.h"
#include "experiments/harness/run/progress.h"
#include "experiments/harness/run/signals.h"
#include "lavo/core/check.h"
#include "reports/records/run_directory.h"

namespace lavo {
namespace {

constexpr double kGrace = 5;  ///< s that running blocks get after the first signal
constexpr int kGlance = 100;  ///< ms between two looks at deadlines, signals and the terminal

double seconds_until(Clock::time_point when) {
  return std::chrono::duration<double>(when - Clock::now()).count();
}

Clock::time_point after(double seconds) {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// A device with its executor and what it is doing.
struct Seat {
  Device device;
  std::unique_ptr<Executor> executor;
  std::optional<Turn> turn = {};
  double timeout_s = 0;  ///< 0: none
  Clock::time_point deadline = {};
};

/// As many as there may be cells beside each other.
void add_cpu_seats(const std::vector<Cell>& cells, std::vector<Device>& devices) {
  int64_t least_threads = usable_cores();
  for (const Cell& cell : cells) {
    if (!cell.alone()) least_threads = std::min(least_threads, cell.threads());
  }
  const Device cpu{"cpu"};
  if (std::ranges::find(devices, cpu.type, &Device::type) == devices.end()) return;
  for (int64_t i = 1; i < usable_cores() / least_threads; ++i) devices.push_back(cpu);
}

std::vector<Seat> make_seats(const std::vector<Cell>& cells, const RunOptions& options) {
  std::vector<Device> devices = options.devices;
  for (const Cell& cell : cells) {
    const std::string type = cell.device();
    if (std::ranges::find(devices, type, &Device::type) == devices.end()) devices.push_back({type});
  }
  if (options.isolation != Isolation::kNone) add_cpu_seats(cells, devices);
  std::vector<Seat> seats;
  const auto log =
      options.directory /
      (options.shard.count == 1
           ? "worker.log"
           : fmt::format("worker.{}-of-{}.log", options.shard.index, options.shard.count));
  for (const Device& device : devices) {
    seats.push_back({device, make_executor(options.isolation, device, log)});
  }
  return seats;
}

class Driver {
 public:
  Driver(Ledger& ledger, std::vector<Seat> seats, const RunOptions& options)
      : ledger_(ledger),
        seats_(std::move(seats)),
        options_(options),
        progress_(ledger.cells(), options.quiet) {
    ledger_.on_record = [this](const Cell& cell, const json& record) {
      progress_.record(cell, record);
    };
  }

  /// The signal that ended it, or 0.
  int run() {
    const Signals signals(options_.isolation == Isolation::kNone);
    Clock::time_point grace_end;
    int seen = 0;
    for (;;) {
      if (signals.count() > seen) {
        if (seen == 0) {
          grace_end = after(kGrace);
          if (is_busy()) progress_.say("stopping: running cells have 5 s to end");
        }
        seen = signals.count();
      }
      if (seen == 0) start_all();
      const bool out_of_patience = seen > 1 || (seen == 1 && seconds_until(grace_end) <= 0);
      if (out_of_patience) break_off();
      if (!is_busy()) return seen ? signals.first() : 0;
      wait();
      collect();
    }
  }

  double in_blocks_s() const { return in_blocks_s_; }

 private:
  bool is_busy() const {
    return std::ranges::any_of(seats_, [](const Seat& seat) { return seat.turn.has_value(); });
  }

  /// A timed cell on the CPU is measured alone: what else runs would slow it down. Others share the
  /// cores.
  bool may_start(const Cell& cell) const {
    int64_t threads = cell.threads();
    for (const Seat& seat : seats_) {
      if (!seat.turn) continue;
      const Cell& running = ledger_.cells()[seat.turn->cell];
      const bool on_cpu = cell.device() == "cpu" || running.device() == "cpu";
      if (on_cpu && (cell.alone() || running.alone())) return false;
      if (on_cpu) threads += running.threads();
    }
    return threads == cell.threads() || threads <= usable_cores();
  }

  void start_all() {
    for (Seat& seat : seats_) {
      if (seat.turn) continue;
      seat.turn = ledger_.next(seat.device.type, [this](const Cell& c) { return may_start(c); });
      if (!seat.turn) continue;
      const Cell& cell = ledger_.cells()[seat.turn->cell];
      seat.timeout_s = ledger_.timeout_seconds(*seat.turn);
      seat.deadline = after(seat.timeout_s);
      draw();
      seat.executor->start(
          {cell.experiment, ledger_.make_case(*seat.turn), cell.limits["memory_fraction"]});
    }
  }

  void wait() {
    draw();
    std::vector<pollfd> descriptors;
    double most = kGlance / 1e3;
    for (const Seat& seat : seats_) {
      if (!seat.turn) continue;
      if (seat.executor->descriptor() < 0) return;
      descriptors.push_back({seat.executor->descriptor(), POLLIN, 0});
      if (seat.timeout_s > 0) most = std::clamp(seconds_until(seat.deadline), 0.0, most);
    }
    ::poll(descriptors.data(), descriptors.size(), static_cast<int>(most * 1e3) + 1);
  }

  void collect() {
    for (Seat& seat : seats_) {
      if (!seat.turn) continue;
      std::optional<BlockResult> result = seat.executor->poll();
      if (!result && seat.timeout_s > 0 && seconds_until(seat.deadline) <= 0) {
        result = seat.executor->stop(Status::kTimeout,
                                     fmt::format("took longer than {:.3g} s", seat.timeout_s));
      }
      if (!result) continue;
      const Turn turn = *std::exchange(seat.turn, std::nullopt);
      in_blocks_s_ += result->elapsed_s;
      ledger_.finish(turn, std::move(*result));
    }
  }

  void break_off() {
    for (Seat& seat : seats_) {
      if (!seat.turn) continue;
      seat.executor->stop(Status::kCrashed, "");
      ledger_.abandon(*std::exchange(seat.turn, std::nullopt));
    }
  }

  void draw() {
    std::vector<std::string> running;
    for (const Seat& seat : seats_) {
      if (!seat.turn) continue;
      const std::string words = seat.executor->progress();
      running.push_back(progress_.describe(ledger_.cells()[seat.turn->cell]) +
                        (words.empty() ? "" : ": " + words));
    }
    progress_.draw(ledger_.done(), ledger_.seconds_left(), running);
  }

  Ledger& ledger_;
  std::vector<Seat> seats_;
  const RunOptions& options_;
  Progress progress_;
  double in_blocks_s_ = 0;
};

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) fmt::print(stderr, "{}\n", warning);
}

}  // namespace

RunSummary run_plan(const Plan& plan, const json& asked, const RunOptions& options) {
  Store store(options.directory, options.shard, options.fresh);
  const json environment = read_environment();
  const LedgerOptions ledger_options{.retry = options.retry,
                                     .prune = options.prune,
                                     .environment = environment_id(environment),
                                     .fingerprint = environment_fingerprint(environment)};
  store.write_environment(ledger_options.environment, environment);
  store.write_plans(plan, asked);
  write_mechanism_facts(options.directory, plan);
  Records records = read_records(options.directory);
  print_warnings(records.warnings);
  Ledger ledger(shard_of(plan.cells, options.shard), plan.cells, store, std::move(records),
                ledger_options);
  RunSummary summary;
  try {
    const auto start = Clock::now();
    Driver driver(ledger, make_seats(ledger.cells(), options), options);
    summary.signal = driver.run();
    summary.elapsed_s = std::chrono::duration<double>(Clock::now() - start).count();
    summary.in_blocks_s = driver.in_blocks_s();
  } catch (...) {
    try {
      write_results(
          options.directory);  // of what was recorded before, where that is still possible
    } catch (const std::exception&) {
    }
    throw;
  }
  write_results(options.directory);
  summary.planned = static_cast<int>(ledger.cells().size());
  summary.statuses = ledger.statuses();
  summary.recorded = ledger.recorded();
  if (ledger.done() == summary.planned) store.drop_blocks();
  return summary;
}

}  // namespace lavo
