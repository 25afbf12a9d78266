// SPDX-License-Identifier: MIT
#include "experiments/harness/run/executor.h"

#include <algorithm>
#include <cstdlib>

#include "experiments/harness/machine/resources.h"
#include "experiments/harness/measure/memory.h"
#include "experiments/harness/run/process.h"
#include "experiments/harness/run/run_block.h"
#include "experiments/harness/run/worker.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

class InProcess final : public Executor {
 public:
  void start(const Job& job) override {
    count_cpu_memory();
    result_ = run_block(*job.experiment, job.input);
  }
  std::optional<BlockResult> poll() override { return std::exchange(result_, std::nullopt); }
  BlockResult stop(Status status, const std::string& reason) override {
    return {.status = status, .reason = reason, .outcome = {}};
  }

 private:
  std::optional<BlockResult> result_;
};

/// CUDA_VISIBLE_DEVICES for the index-th of the devices that this process may see.
std::string visible_device(int index) {
  const char* listed = std::getenv("CUDA_VISIBLE_DEVICES");
  if (!listed) return std::to_string(index);
  std::string rest = listed;
  for (int i = 0; i < index && !rest.empty(); ++i) {
    const size_t comma = rest.find(',');
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
  }
  const std::string name = rest.substr(0, rest.find(','));
  require<InputError>(!name.empty(), "--device: got cuda:{}, CUDA_VISIBLE_DEVICES is '{}'", index,
                      listed);
  return name;
}

class InWorker final : public Executor {
 public:
  InWorker(bool renew, const Device& device, std::filesystem::path log)
      : renew_(renew), log_(std::move(log)) {
    command_ = {"lavo-bench", "worker"};
    if (device.type == "cuda") {
      variables_.push_back("CUDA_VISIBLE_DEVICES=" + visible_device(device.index));
    }
  }

  void start(const Job& job) override {
    if (renew_) process_.reset();
    const std::string line = job_to_json(job).dump(-1, ' ', false, json::error_handler_t::replace);
    progress_.clear();
    ready_.reset();
    // A worker may have died since its last answer: the job then goes to a new one.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (!process_) process_ = std::make_unique<Process>(command_, variables_, log_);
      process_->mark_log();
      kills_before_ = out_of_memory_kills();
      start_ = Clock::now();
      if (process_->write_line(line)) return;
      process_.reset();
    }
    ready_ = ended(Status::kError, "no worker takes jobs; see " + log_.string());
  }

  std::optional<BlockResult> poll() override {
    if (ready_) return std::exchange(ready_, std::nullopt);
    bool ended_now = false;
    std::optional<BlockResult> result;
    for (const std::string& text : process_->read_lines(ended_now)) {
      const json line = json::parse(text, nullptr, false);
      if (line.is_object() && line.contains("result")) {
        result = block_from_json(line["result"]);
      } else if (line.is_object() && line.contains("progress")) {
        progress_ = line["progress"].get<std::string>();
      }
    }
    if (!result && ended_now) return crashed();
    if (result && may_be_broken(*result)) process_.reset();
    return result;
  }

  int descriptor() const override { return ready_ ? -1 : process_->descriptor(); }

  BlockResult stop(Status status, const std::string& reason) override {
    process_.reset();
    return ended(status, reason);
  }

  std::string progress() const override { return progress_; }

 private:
  BlockResult ended(Status status, const std::string& reason) const {
    return {.status = status, .reason = reason, .outcome = {}, .elapsed_s = seconds_since(start_)};
  }

  BlockResult crashed() {
    const std::string how = process_->end();
    const std::string said = process_->last_log_line();
    process_.reset();
    if (how == "killed by SIGKILL" && out_of_memory_kills() > kills_before_) {
      return ended(Status::kOutOfMemory, "killed by the system, which had no memory left");
    }
    return ended(Status::kCrashed, said.empty() ? how : how + ": " + said);
  }

  /// A CUDA error sticks to its process.
  static bool may_be_broken(const BlockResult& result) {
    return result.status == Status::kError && result.reason.find("CUDA") != std::string::npos;
  }

  bool renew_;
  std::filesystem::path log_;
  std::vector<std::string> command_, variables_;
  std::unique_ptr<Process> process_;
  std::optional<BlockResult> ready_;
  std::string progress_;
  Clock::time_point start_;
  int64_t kills_before_ = 0;
};

}  // namespace

std::unique_ptr<Executor> make_executor(Isolation isolation, const Device& device,
                                        const std::filesystem::path& log) {
  if (isolation == Isolation::kNone) return std::make_unique<InProcess>();
  return std::make_unique<InWorker>(isolation == Isolation::kCell, device, log);
}

}  // namespace lavo
