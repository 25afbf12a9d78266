// SPDX-License-Identifier: MIT
// results.json as `report` and as `compare` read it. What the published schema takes, the report
// takes.
#include "reports/page/results.h"

#include "lavo/core/files.h"
#include "reports/compare/compare_input.h"
#include "reports/records/check_results.h"
#include "tests/fuzz/contract.h"
#include "tests/support/scratch.h"

using namespace lavo;

int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  static const Scratch folder;
  const auto file =
      folder.write("results.json", std::string(reinterpret_cast<const char*>(data), size));
  const std::string check = refusal_of([&] { check_results(read_json(file), file.string()); });
  const std::string report = refusal_of([&] { report::load_results({folder.path()}); });
  demand(check == report, "the report reads what the schema takes, and nothing else");
  refusal_of([&] { compare::read_results(file); });
  return 0;
}
