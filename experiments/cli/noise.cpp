// SPDX-License-Identifier: MIT
#include "experiments/harness/measure/noise.h"

#include "experiments/cli/command.h"

namespace lavo {

void add_noise(CLI::App& program, int& exit_code) {
  auto* command =
      program.add_subcommand("noise", "Scores this machine: the same work timed against itself");
  auto seconds = std::make_shared<double>(2);
  command->add_option("--seconds", *seconds, "For each kind of work")
      ->check(number_in(0.01, 3600))
      ->capture_default_str();
  command->footer(
      "spread: of single times around their median. A/A: by how much two equal builds may seem to "
      "differ.\ndrift: from the first half of the time to the second.\n"
      "Examples:\n"
      "  lavo-bench noise\n"
      "  lavo-bench noise --seconds 30");
  command->callback([=, &exit_code] {
    fmt::print("{:24} {:>10} {:>9} {:>12} {:>8}\n", "work", "time [ms]", "spread", "A/A (95 %)",
               "drift");
    const std::vector<Noise> noises = measure_noise(*seconds);
    for (const Noise& noise : noises) {
      fmt::print("{:24} {:10.3f} {:7.2f} % {:10.2f} % {:+6.2f} %\n", noise.work, noise.median_ms,
                 noise.spread * 100, noise.floor * 100, noise.drift * 100);
    }
    fmt::print("{}\n", noise_verdict(noises));
    exit_code = kSuccess;
  });
}

}  // namespace lavo
