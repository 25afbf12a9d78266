// SPDX-License-Identifier: MIT
#include "lavo/core/temporary_directory.h"

#include <cstdlib>
#include <fstream>

#include "lavo/core/check.h"

namespace lavo {
namespace {

std::filesystem::path make_directory() {
  std::string name = std::filesystem::temp_directory_path() / "lavo-XXXXXX";
  require<InputError>(::mkdtemp(name.data()) != nullptr, "{}: cannot be created", name);
  return name;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() : path(make_directory()) {}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

std::string TemporaryDirectory::write(const std::string& name, const std::string& content) const {
  std::filesystem::create_directories((path / name).parent_path());
  std::ofstream(path / name, std::ios::binary) << content;
  return file(name);
}

}  // namespace lavo
