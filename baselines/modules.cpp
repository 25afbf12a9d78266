// SPDX-License-Identifier: MIT
#include "baselines/modules.h"

#include <dlfcn.h>

#include <algorithm>

#include "baselines/table.h"
#include "lavo/core/check.h"
#include "lavo/core/sha256.h"

namespace lavo {
namespace {

void load_library(const std::filesystem::path& file) {
  if (!::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    fail<InputError>("{}: cannot be loaded: {}", file.string(), ::dlerror());
  }
}

json& modules() {
  static json loaded = json::array();
  return loaded;
}

}  // namespace

void load_module(const std::filesystem::path& file, const std::string& sha256) {
  const std::filesystem::path path = std::filesystem::absolute(file).lexically_normal();
  require<InputError>(std::filesystem::is_regular_file(path), "module '{}': no such file",
                      file.string());
  const json module = {{"path", path.string()}, {"sha256", sha256_file(path)}};
  require<InputError>(sha256.empty() || module["sha256"] == sha256,
                      "module '{}': its digest is {}, wanted {}: it was changed meanwhile",
                      file.string(), module["sha256"].get<std::string>(), sha256);
  if (std::ranges::find(modules(), module) != modules().end()) return;
  require<InputError>(path.extension() == ".so", "module '{}': wanted a shared library, .so",
                      file.string());
  const size_t before = mechanisms().size();
  {
    const ModuleScope scope(module);
    load_library(path);
  }
  require<InputError>(mechanisms().size() > before, "module '{}': it adds no mechanism",
                      file.string());
  modules().push_back(module);
}

json loaded_modules() { return modules(); }

void load_modules(const json& listed) {
  for (const json& module : listed) {
    load_module(module.at("path").get<std::string>(), module.at("sha256").get<std::string>());
  }
}

}  // namespace lavo
