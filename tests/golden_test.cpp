// SPDX-License-Identifier: MIT
// Outputs, gradients and final states of other projects' code (each tests/golden/**/index.json
// names project, version and function), and for lavo of a float64 computation term by term, at the
// tolerances given there.
#include <algorithm>
#include <filesystem>

#include "baselines/table.h"
#include "experiments/apply.h"
#include "lavo/core/files.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

struct GoldenCase {
  std::filesystem::path folder;
  json index, entry;
  std::string id() const { return entry.at("id"); }
};

std::vector<GoldenCase> cases() {
  std::vector<GoldenCase> result;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(source_file("tests/golden"))) {
    if (file.path().filename() != "index.json") continue;
    const json index = read_json(file.path().string());
    for (const json& entry : index) result.push_back({file.path().parent_path(), index, entry});
  }
  std::ranges::sort(result, {}, &GoldenCase::id);
  return result;
}

bool is_in_table(const std::string& mechanism) {
  return std::ranges::find(mechanisms(), mechanism, &Entry::name) != mechanisms().end();
}

void check_case(const GoldenCase& c, torch::ScalarType type, bool causal) {
  const auto file = (c.folder / (c.id() + ".safetensors")).string();
  const NamedTensors given = read_safetensors(file);
  const bool has_gradients = std::ranges::any_of(
      given, [](const auto& item) { return item.first.starts_with("expected_grad_"); });
  const ApplyRequest request{.mechanism = c.entry.at("mechanism"),
                             .options = c.entry.at("options"),
                             .causal = causal,
                             .type = type,
                             .grad = has_gradients};
  const auto made = apply(request, given, file);
  const auto agreements =
      compare_expected(made, given, golden_tolerances(c.index, c.id(), type, file), file);
  CAPTURE(c.id(), toString(type), causal);
  CHECK_FALSE(agreements.empty());
  for (const Agreement& agreement : agreements) {
    CAPTURE(agreement.name, agreement.error);
    CHECK(agreement.compared);
    CHECK(agreement.agrees());
  }
}

}  // namespace

TEST_CASE("every golden file agrees, in float64 and float32") {
  int checked = 0, absent = 0;
  for (const GoldenCase& c : cases()) {
    if (!is_in_table(c.entry.at("mechanism"))) {
      ++absent;
      continue;
    }
    const bool both = c.entry.value("pattern", "") == "NC/CC";
    for (const auto type : {torch::kFloat64, torch::kFloat32}) {
      if (type == torch::kFloat32 && !c.entry.at("tolerance").contains("f32")) continue;
      for (const bool causal : {false, true}) {
        if (both || causal == c.entry.at("causal").get<bool>()) check_case(c, type, causal);
      }
    }
    ++checked;
  }
  if (absent > 0) WARN(absent << " cases are of mechanisms that the table does not have");
  CHECK(checked >= 77);  // 28 of softmax, features and lavo, 39 of recurrences, 10 of slots
}
