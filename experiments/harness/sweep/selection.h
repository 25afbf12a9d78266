// SPDX-License-Identifier: MIT
// What the command line chooses of the sweep files: a profile, other axis values, a shard, devices.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/harness/sweep/sweep.h"

namespace lavo {

/// The index-th of `count` parts of a plan, counted from 1.
struct Shard {
  int64_t index = 1;
  int64_t count = 1;
  std::string text() const;  ///< "2/5"
};

struct Selection {
  std::vector<std::filesystem::path> sweeps;
  std::string profile = "quick";
  std::vector<std::string> axes;  ///< "length=256,512": replaces an axis, or adds one
  std::vector<std::string> sets;  ///< "bases=32", "corpus=DIR", "limits.blocks=1"
  std::string shard;              ///< "2/5", "auto"; empty: of Slurm's job array, else everything
  std::vector<std::string> devices;
  std::optional<int64_t> threads;
  std::string cell_timeout;
};

/// "length=256,512" -> integers, numbers, booleans and texts; quotes keep a comma or a number as
/// text. Throws InputError.
Axis parse_axis(const std::string& text);

/// "limits.blocks=1" -> the name and one value, commas included.
Axis parse_setting(const std::string& text);

/// From "i/n". When `text` is empty, the job's place in an array of SLURM_ARRAY_TASK_COUNT jobs.
/// "auto": that, times the tasks of SLURM_NTASKS, OMPI_COMM_WORLD_SIZE or WORLD_SIZE; only on
/// request, since a launcher may start copies for other reasons. Throws InputError.
Shard choose_shard(const std::string& text);

/// A device to run on: cells say only which type they want.
struct Device {
  std::string type = "cpu";  ///< cpu, cuda
  int index = 0;
  std::string text() const;  ///< "cpu", "cuda:1"
  bool operator==(const Device&) const = default;
};
Device parse_device(const std::string& text);

}  // namespace lavo
