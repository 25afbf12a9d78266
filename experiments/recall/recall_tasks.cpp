// SPDX-License-Identifier: MIT
#include "experiments/recall/recall_tasks.h"

#include <numeric>
#include <utility>

#include "lavo/core/random.h"

namespace lavo {
namespace {

/// A stream of numbers below a limit, by counting on from a seed.
class Draws {
 public:
  explicit Draws(uint64_t seed) : place_(mix(seed)) {}
  int64_t below(int64_t limit) {
    return static_cast<int64_t>(mix(place_++) % static_cast<uint64_t>(limit));
  }

 private:
  uint64_t place_;
};

/// `count` different numbers below `limit` in random order: the first ones of a shuffle.
std::vector<int64_t> different(int64_t count, int64_t limit, Draws& draws) {
  std::vector<int64_t> all(static_cast<size_t>(limit));
  std::iota(all.begin(), all.end(), 0);
  for (int64_t i = 0; i < count; ++i) {
    std::swap(all[static_cast<size_t>(i)], all[static_cast<size_t>(i + draws.below(limit - i))]);
  }
  all.resize(static_cast<size_t>(count));
  return all;
}

int64_t pairs_and_questions(const RecallSizes& sizes) { return 2 * sizes.pairs; }

/// N pairs, then their keys in random order.
std::vector<RecallPosition> stacked_mqar(const RecallSizes& sizes, uint64_t seed) {
  Draws draws(seed);
  std::vector<RecallPosition> sequence;
  for (const int64_t key : different(sizes.pairs, sizes.keys, draws)) {
    sequence.push_back({.key = key, .value = draws.below(sizes.values)});
  }
  for (const int64_t pair : different(sizes.pairs, sizes.pairs, draws)) {
    const RecallPosition& given = sequence[static_cast<size_t>(pair)];
    sequence.push_back({.key = given.key, .answer = given.value});
  }
  return sequence;
}

}  // namespace

const std::vector<RecallTask>& recall_tasks() {
  static const std::vector<RecallTask> table = {
      {"stacked_mqar", pairs_and_questions, stacked_mqar},
  };
  return table;
}

std::vector<std::string> recall_task_names() {
  std::vector<std::string> names;
  for (const RecallTask& task : recall_tasks()) names.push_back(task.name);
  return names;
}

}  // namespace lavo
