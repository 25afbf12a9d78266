// SPDX-License-Identifier: MIT
// The table of data sets: texts that come with the project, each by a name.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lavo {

struct DataSet {
  std::string name;
  std::string title;
  std::string source;  ///< where it is from, and its licence
  std::filesystem::path place;
};

const std::vector<DataSet>& data_sets();

/// A name of the table, or a file or folder of the user's, which goes before a name; "" is the
/// first of the table. Throws InputError where it is neither, with the nearest name.
std::filesystem::path find_data(const std::string& name_or_path);

}  // namespace lavo
