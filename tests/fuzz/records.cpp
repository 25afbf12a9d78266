// SPDX-License-Identifier: MIT
// The files of lines in a run's directory, cells.jsonl and blocks.jsonl. Opening them to go on cuts
// off what is torn and must lose no record.
#include "experiments/harness/store.h"
#include "reports/records/run_directory.h"
#include "tests/fuzz/contract.h"
#include "tests/support/scratch.h"

using namespace lavo;

int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  static const Scratch folder;
  const std::string text(reinterpret_cast<const char*>(data), size);
  folder.write("environments/e.json", R"({"machine": {}, "build": {}, "circumstance": {}})");
  folder.write("cells.jsonl", text);
  folder.write("blocks.jsonl", text);
  std::vector<std::string> warnings;
  json before;
  const std::string refusal =
      refusal_of([&] { before = merge_results({folder.path()}, warnings); });
  for (const std::string& warning : warnings) {
    demand(warning.find('\n') == std::string::npos, "a warning is one line");
  }
  if (!refusal.empty()) return 0;
  refusal_of([&] {
    const Store store(folder.path(), {});
    store.read_blocks("a fingerprint");
  });
  demand(before == merge_results({folder.path()}, warnings), "mending a file loses no record");
  return 0;
}
