// SPDX-License-Identifier: MIT
// What is to be recalled: which key and value each position of a sequence shows, and where a value
// is asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lavo {

struct RecallSizes {
  int64_t pairs = 64;   ///< N, given in a sequence before they are asked for
  int64_t keys = 1024;  ///< that there are; at least as many as pairs
  int64_t values = 256;
};

constexpr int64_t kNothing = -1;

/// A position shows the embeddings of a key and a value side by side, zeros for kNothing. The
/// answer is the value that is asked for there, or kNothing.
struct RecallPosition {
  int64_t key = kNothing, value = kNothing, answer = kNothing;
};

struct RecallTask {
  std::string name;
  /// Tokens of a sequence.
  int64_t (*length)(const RecallSizes& sizes);
  /// The sequence of a seed, the same on every machine.
  std::vector<RecallPosition> (*draw)(const RecallSizes& sizes, uint64_t seed);
};

/// The table; the order is that of the axis `task`.
const std::vector<RecallTask>& recall_tasks();
std::vector<std::string> recall_task_names();

}  // namespace lavo
