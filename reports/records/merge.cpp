// SPDX-License-Identifier: MIT
#include "reports/records/merge.h"

#include "reports/records/words.h"

namespace lavo {
namespace {

constexpr size_t kNamed = 3;  ///< dropped results that are named in the line

bool is_ok(const json& record) { return record.at("status").get<Status>() == Status::kOk; }

/// In the order of time.
std::pair<int64_t, std::string> when(const json& record) {
  return {record.at("attempt").get<int64_t>(), record.at("started").get<std::string>()};
}

/// Puts the record in the place of an older one.
void keep_later(std::map<std::string, json>& records, const std::string& id, const json& record) {
  const auto [at, is_first] = records.try_emplace(id, record);
  if (!is_first && when(record) >= when(at->second)) at->second = record;
}

}  // namespace

void Merger::add(const json& record) {
  const std::string id = record.at("id");
  int& attempts = attempts_[id];
  attempts = std::max(attempts, record.at("attempt").get<int>());
  const auto kept = records_.find(id);
  if (kept != records_.end() && is_ok(kept->second) != is_ok(record)) {
    if (!is_ok(record)) {
      keep_later(dropped_, id, record);
      return;
    }
    keep_later(dropped_, id, kept->second);
    records_.erase(kept);
  }
  keep_later(records_, id, record);
}

std::string Merger::dropped() const {
  std::string names;
  size_t count = 0;
  for (const auto& [id, failure] : dropped_) {
    if (when(failure) < when(records_.at(id))) continue;  // an earlier one
    if (++count <= kNamed) {
      names += fmt::format("{}{} {}", count == 1 ? "" : ", ", id,
                           failure.at("status").get_ref<const std::string&>());
    }
  }
  if (count == 0) return "";
  return fmt::format("{} result{} not ok dropped for one that is ok: {}{}", count,
                     count == 1 ? " that is" : "s that are", names, count > kNamed ? ", ..." : "");
}

}  // namespace lavo
