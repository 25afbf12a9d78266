// SPDX-License-Identifier: MIT
#include "experiments/cli/selectors.h"

#include "experiments/cli/command.h"

namespace lavo {

std::shared_ptr<Selection> add_selectors(CLI::App& command) {
  auto selection = std::make_shared<Selection>();
  command.add_option("SWEEP", selection->sweeps, "Sweep files (TOML)")->required();
  command.add_option("--profile", selection->profile, "smoke, quick, mid or paper")
      ->capture_default_str();
  command
      .add_option("--axis", selection->axes,
                  "NAME=VALUE,VALUE: replaces an axis or adds one; may be repeated")
      ->allow_extra_args(false);
  command
      .add_option("--set", selection->sets,
                  "NAME=VALUE: one value of an axis, corpus=DIR|FILE, or limits.NAME=VALUE")
      ->allow_extra_args(false);
  command
      .add_option(
          "--shard", selection->shard,
          "i/n: only the i-th of n parts; by default the job's of a Slurm array; auto: from "
          "Slurm's, Open MPI's or torchrun's variables")
      ->check(not_empty());
  command
      .add_option("--device", selection->devices, "cpu, cuda or cuda:0; several spread the cells")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--threads", selection->threads, "CPU threads of every cell")
      ->check(CLI::Range(1, 4096));
  command
      .add_option("--cell-timeout", selection->cell_timeout,
                  "120s, 5m, 2h, or 10x: times what a cell was expected to take")
      ->check(not_empty());
  return selection;
}

json selectors_as_json(const Selection& selection) {
  json given = {{"profile", selection.profile}};
  if (!selection.axes.empty()) given["axis"] = selection.axes;
  if (!selection.sets.empty()) given["set"] = selection.sets;
  if (!selection.devices.empty()) given["device"] = selection.devices;
  if (selection.threads) given["threads"] = *selection.threads;
  if (!selection.cell_timeout.empty()) given["cell-timeout"] = selection.cell_timeout;
  return given;
}

}  // namespace lavo
