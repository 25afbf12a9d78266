// SPDX-License-Identifier: MIT
// Where a block of a cell runs: in this process, or in a worker that may crash and be killed.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "experiments/harness/sweep/plan.h"
#include "reports/records/record.h"

namespace lavo {

enum class Isolation { kNone, kWorker, kCell };
inline const std::vector<std::string> kIsolations = {"none", "worker", "cell"};

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A block to run.
struct Job {
  const Experiment* experiment = nullptr;
  Case input;
  double memory_fraction = 1;  ///< of the available memory that it may take
};

/// Runs one block at a time.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void start(const Job& job) = 0;
  /// The result once it is there. Does not wait.
  virtual std::optional<BlockResult> poll() = 0;
  /// Readable when poll() may have news; -1 where start() does all the work.
  virtual int descriptor() const { return -1; }
  /// Ends the block; its result has this status.
  virtual BlockResult stop(Status status, const std::string& reason) = 0;
  /// The last word of the running block for the terminal.
  virtual std::string progress() const { return ""; }
};

/// `log` gets what workers print.
std::unique_ptr<Executor> make_executor(Isolation isolation, const Device& device,
                                        const std::filesystem::path& log);

/// The other side of a worker: reads jobs from standard input until it is closed, answers on
/// descriptor 3.
int worker_main();

}  // namespace lavo
