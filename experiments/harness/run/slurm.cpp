// SPDX-License-Identifier: MIT
#include "experiments/harness/run/slurm.h"

#include <algorithm>
#include <cmath>

#include "baselines/modules.h"
#include "lavo/core/check.h"
#include "lavo/core/process.h"

namespace lavo {
namespace {

/// Hours, minutes and seconds for sbatch: twice the longest shard, and ten minutes to start up.
std::string time_limit(const Plan& plan, int64_t shards) {
  double longest = 0;
  for (int64_t i = 1; i <= shards; ++i) {
    double seconds = 0;
    for (const Cell& cell : shard_of(plan.cells, {i, shards})) seconds += cell.prediction.seconds;
    longest = std::max(longest, seconds);
  }
  const auto minutes = static_cast<int64_t>(std::ceil(2 * longest / 60)) + 10;
  return fmt::format("{:02}:{:02}:00", minutes / 60, minutes % 60);
}

int64_t most_threads(const Plan& plan) {
  int64_t threads = 1;
  for (const Cell& cell : plan.cells) {
    const auto found = cell.axes.find("threads");
    if (found != cell.axes.end() && found->is_number_integer()) {
      threads = std::max(threads, found->get<int64_t>());
    }
  }
  return threads;
}

bool uses_gpu(const Plan& plan) {
  return std::ranges::any_of(plan.cells, [](const Cell& cell) { return cell.device() != "cpu"; });
}

/// As one argument of an #SBATCH line. sbatch takes a backslash before any character; a quote, or
/// `#` even between quotes, means something to it.
std::string sbatch_quoted(const std::string& text) {
  std::string quoted;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x80 || std::isalnum(byte) ||
                       std::string_view("_-./=,:+@%").find(c) != std::string_view::npos;
    if (!plain) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

/// A folder inside a pattern of Slurm's file names, where % begins a replacement and a backslash
/// forbids them all.
std::string in_file_pattern(const std::string& folder) {
  require<InputError>(
      folder.find_first_of("\\\n\r") == std::string::npos,
      "slurm: --output: Slurm cannot write its log into '{}': a backslash or a line "
      "break in a name means something else to it",
      folder);
  std::string pattern;
  for (const char c : folder) pattern += c == '%' ? std::string("%%") : std::string(1, c);
  return pattern;
}

}  // namespace

std::string selectors_text(const Selection& selection) {
  std::string text = " --profile " + selection.profile;
  for (const std::string& axis : selection.axes) text += " --axis " + shell_quoted(axis);
  for (const std::string& setting : selection.sets) text += " --set " + shell_quoted(setting);
  for (const std::string& device : selection.devices) text += " --device " + shell_quoted(device);
  if (selection.threads) text += fmt::format(" --threads {}", *selection.threads);
  if (!selection.cell_timeout.empty()) text += " --cell-timeout " + selection.cell_timeout;
  return text;
}

std::string sbatch_script(const Plan& plan, const Selection& selection, const SlurmJob& job) {
  const std::string directory = std::filesystem::absolute(job.directory).lexically_normal();
  std::string sweeps, names, modules;
  for (const auto& file : selection.sweeps) {
    sweeps += " " + shell_quoted(std::filesystem::absolute(file).lexically_normal());
  }
  for (const PlannedSweep& sweep : plan.sweeps) names += "-" + sweep.name;
  for (const json& module : loaded_modules()) {
    modules += " --module " + shell_quoted(module.at("path").get<std::string>());
  }
  std::error_code none;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", none).string();

  std::string script = "#!/bin/bash\n";
  const auto option = [&](const std::string& text) {
    script += "#SBATCH --" + sbatch_quoted(text) + "\n";
  };
  option("job-name=lavo" + names);
  option(fmt::format("array=0-{}", job.shards - 1));
  option(fmt::format("cpus-per-task={}", most_threads(plan)));
  if (uses_gpu(plan)) option("gpus-per-task=1");
  option("ntasks=1");
  for (const std::string* text : {&job.partition, &job.time}) {
    require<InputError>(text->find_first_of("\n\r") == std::string::npos,
                        "slurm: got a line break in '{}'", *text);
  }
  if (!job.partition.empty()) option("partition=" + job.partition);
  option("time=" + (job.time.empty() ? time_limit(plan, job.shards) : job.time));
  option("output=" + in_file_pattern(directory) + "/slurm-%A_%a.log");
  option("open-mode=append");
  option("requeue");
  option("signal=B:USR1@60");
  script += fmt::format(
      "# {} cells in {} jobs. lavo-bench answers SIGUSR1 and SIGTERM with exit code 75: every\n"
      "# finished cell is on disk, and the requeued job goes on with the others. The log is "
      "opened\n"
      "# before the job starts: mkdir -p the folder of --output above, then sbatch.\n"
      "mkdir -p {}\n"
      "{}{} run{} -o {}{} --shard $((SLURM_ARRAY_TASK_ID + 1))/{} &\n"
      "child=$!\n"
      "trap 'kill -USR1 $child' USR1 TERM\n"
      "wait $child; code=$?\n"
      "while kill -0 $child 2>/dev/null; do wait $child; code=$?; done\n"
      "if [ $code -eq 75 ]; then\n"
      "  scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"\n"
      "fi\n"
      "exit $code\n",
      plan.cells.size(), job.shards, shell_quoted(directory), shell_quoted(program), modules,
      sweeps, shell_quoted(directory), selectors_text(selection), job.shards);
  return script;
}

}  // namespace lavo
