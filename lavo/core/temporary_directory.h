// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

namespace lavo {

/// An empty directory, gone with the object. Throws InputError where none can be made.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string file(const std::string& name) const { return path / name; }
  /// Writes a file, and the folders that it lies in; returns its path.
  std::string write(const std::string& name, const std::string& content) const;

  const std::filesystem::path path;
};

}  // namespace lavo
