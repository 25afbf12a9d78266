// SPDX-License-Identifier: MIT
// Feeds files to a fuzz target, for compilers without libFuzzer: REPLAY FILE|FOLDER...
// Prints each input's name before it runs, so that the last one is to blame where a target ends.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "lavo/core/files.h"
#include "tests/fuzz/contract.h"

namespace fs = std::filesystem;

int main(int argc, char** argv) {
  std::vector<fs::path> inputs;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) inputs.emplace_back(argv[i]);
    if (!fs::is_directory(argv[i])) continue;
    for (const auto& entry : fs::directory_iterator(argv[i])) inputs.push_back(entry.path());
  }
  std::ranges::sort(inputs);
  for (const fs::path& input : inputs) {
    std::printf("%s\n", input.c_str());
    std::fflush(stdout);
    const std::string bytes = lavo::read_text(input);
    LLVMFuzzerTestOneInput(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  }
  std::printf("%zu inputs\n", inputs.size());
  return inputs.empty() ? 1 : 0;
}
