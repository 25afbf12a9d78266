// SPDX-License-Identifier: MIT
#include "experiments/data/data_sets.h"

#include <algorithm>

#include "lavo/core/check.h"

namespace lavo {

const std::vector<DataSet>& data_sets() {
  static const std::vector<DataSet> table = {
      {"austen", "six novels by Jane Austen",
       "janeaustenr 1.0.0 (Project Gutenberg's texts), public domain", LAVO_DATA "/austen"},
  };
  return table;
}

std::filesystem::path find_data(const std::string& name_or_path) {
  if (name_or_path.empty()) return data_sets().front().place;
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(name_or_path, error))) {
    return name_or_path;
  }
  const auto found = std::ranges::find(data_sets(), name_or_path, &DataSet::name);
  if (found != data_sets().end()) return found->place;
  std::vector<std::string> names;
  for (const DataSet& set : data_sets()) names.push_back(set.name);
  fail<InputError>("corpus {}: there is no such file or folder, and no data set of this name{}",
                   name_or_path, did_you_mean(name_or_path, names));
}

}  // namespace lavo
