// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/schedule.h"

#include <algorithm>
#include <map>

#include "lavo/core/sha256.h"

namespace lavo {
namespace {

/// The places that a row's cells got stay the row's; only which cell has which changes.
void sort_rows(const std::vector<Cell>& cells, std::vector<size_t>& order) {
  std::map<std::string, std::vector<size_t>> places;
  for (size_t i = 0; i < order.size(); ++i) places[cells[order[i]].row].push_back(i);
  for (const auto& [row, mine] : places) {
    std::vector<size_t> members;
    for (const size_t i : mine) members.push_back(order[i]);
    std::ranges::stable_sort(members, {}, [&](size_t cell) { return cells[cell].length(); });
    for (size_t i = 0; i < mine.size(); ++i) order[mine[i]] = members[i];
  }
}

}  // namespace

std::vector<Turn> make_schedule(const std::vector<Cell>& cells) {
  std::vector<Turn> turns;
  int rounds = 0;
  for (const Cell& cell : cells) rounds = std::max(rounds, cell.blocks > 1 ? cell.blocks : 0);
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::pair<std::string, size_t>> drawn;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].blocks > 1 && round < cells[i].blocks) {
        drawn.emplace_back(sha256(fmt::format("{} {}", cells[i].id, round)), i);
      }
    }
    std::ranges::sort(drawn);
    std::vector<size_t> order;
    for (const auto& [key, cell] : drawn) order.push_back(cell);
    sort_rows(cells, order);
    for (const size_t cell : order) turns.push_back({cell, round});
  }
  std::vector<size_t> others;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].blocks <= 1) others.push_back(i);
  }
  sort_rows(cells, others);
  for (const size_t cell : others) turns.push_back({cell, 0});
  return turns;
}

}  // namespace lavo
