// SPDX-License-Identifier: MIT
#include "experiments/harness/run/worker.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <iostream>
#include <mutex>

#include "baselines/modules.h"
#include "experiments/harness/machine/resources.h"
#include "experiments/harness/measure/memory.h"
#include "experiments/harness/run/process.h"
#include "experiments/harness/run/run_block.h"
#include "experiments/registry.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

/// Writes lines to the driver, from whatever thread.
class Replies {
 public:
  void send(const json& message) {
    const std::string text = message.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    const std::lock_guard lock(mutex_);
    for (size_t written = 0; written < text.size();) {
      const ssize_t count = ::write(kReplies, text.data() + written, text.size() - written);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) ::_exit(1);  // the driver is gone
      written += static_cast<size_t>(count);
    }
  }

  /// What comes faster than anybody reads is left out.
  void send_progress(const std::string& text) {
    const auto now = Clock::now();
    {
      const std::lock_guard lock(mutex_);
      if (now - last_ < std::chrono::milliseconds(100)) return;
      last_ = now;
    }
    send({{"progress", text}});
  }

 private:
  std::mutex mutex_;
  Clock::time_point last_;
};

/// Caps what the cell may take: tensors by the allocator, which says so in its own words, and on
/// the CPU everything else by the system. CUDA reserves address space that it never uses.
void cap_memory(double fraction, bool cuda) {
  const double allowed = available_memory() * fraction;
  limit_cpu_memory(allocated_bytes(c10::kCPU) + static_cast<int64_t>(allowed));
  if (cuda) return;
  rlimit data{};
  ::getrlimit(RLIMIT_DATA, &data);
  data.rlim_cur = std::min<rlim_t>(data.rlim_max, static_cast<rlim_t>(data_segment() + allowed));
  ::setrlimit(RLIMIT_DATA, &data);
}

}  // namespace

json job_to_json(const Job& job) {
  return {{"experiment", job.experiment->name()},
          {"axes", job.input.axes},
          {"limits", job.input.limits},
          {"block", job.input.block},
          {"directory", job.input.directory.string()},
          {"corpus", job.input.corpus},
          {"data_digest", job.input.data_digest},
          {"memory_fraction", job.memory_fraction},
          {"modules", loaded_modules()}};
}

Job job_from_json(const json& from) {
  load_modules(from.at("modules"));
  Job job;
  job.experiment = &find_experiment(from.at("experiment").get<std::string>());
  job.input.axes = from.at("axes");
  job.input.limits = from.at("limits");
  job.input.block = from.at("block");
  job.input.directory = from.at("directory").get<std::string>();
  job.input.corpus = from.at("corpus");
  job.input.data_digest = from.at("data_digest");
  job.memory_fraction = from.at("memory_fraction");
  return job;
}

int worker_main() {
  // The driver decides what a signal to the whole job means, and kills when it wants an end.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) ::signal(number, SIG_IGN);
  count_cpu_memory();
  Replies replies;
  for (std::string line; std::getline(std::cin, line);) {
    Job job;
    try {
      job = job_from_json(json::parse(line));
    } catch (const Error& error) {  // a module that is not there any more
      replies.send({{"result", to_json(BlockResult{Status::kError, error.what(), {}})}});
      continue;
    }
    job.input.progress = [&](const std::string& text) { replies.send_progress(text); };
    cap_memory(job.memory_fraction, job.input.axes.value("device", "cpu") != "cpu");
    const BlockResult block = run_block(*job.experiment, job.input);
    limit_cpu_memory(0);
    replies.send({{"result", to_json(block)}});
  }
  return 0;
}

}  // namespace lavo
