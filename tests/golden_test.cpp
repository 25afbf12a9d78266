// SPDX-License-Identifier: MIT
// Outputs and gradients of other projects' code (tests/golden/index.json names project, version and
// function), and for lavo of a float64 computation term by term, at the tolerances given there.
#include <limits>

#include "experiments/apply.h"
#include "lavo/core/files.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

const std::string kFolder = source_file("tests/golden/");

/// max |a - b| / (atol + rtol |b|); NaN is infinite.
double excess(const Tensor& actual, const Tensor& expected, const json& tolerance) {
  const Tensor b = expected.to(torch::kFloat64);
  const Tensor allowed =
      tolerance.at("atol").get<double>() + tolerance.at("rtol").get<double>() * b.abs();
  const Tensor ratio = (actual.to(torch::kFloat64) - b).abs() / allowed;
  return ratio.nan_to_num(std::numeric_limits<double>::infinity()).max().item<double>();
}

/// The name that index.json's float32 tolerances have for it.
std::string short_name(const std::string& made) {
  static const std::map<std::string, std::string> names = {
      {"output", "out"}, {"grad_query", "dq"}, {"grad_key", "dk"}, {"grad_value", "dv"}};
  return names.at(made);
}

}  // namespace

TEST_CASE("every golden file agrees, in float64 and float32") {
  const json index = read_json(kFolder + "index.json");
  REQUIRE(index.size() >= 28);
  size_t compared = 0;
  for (const json& entry : index) {
    const auto id = entry.at("id").get<std::string>();
    const NamedTensors given = read_safetensors(kFolder + id + ".safetensors");
    const bool both = entry.at("pattern") == "NC/CC";
    for (const auto type : {torch::kFloat64, torch::kFloat32}) {
      const json& tolerances = entry.at("tolerance");
      if (type == torch::kFloat32 && !tolerances.contains("f32")) continue;
      for (const bool causal : {false, true}) {
        if (!both && causal != entry.at("causal").get<bool>()) continue;
        const ApplyRequest request{.mechanism = entry.at("mechanism"),
                                   .options = entry.at("options"),
                                   .causal = causal,
                                   .type = type,
                                   .grad = given.contains("expected_grad_query")};
        for (const auto& [name, actual] : apply(request, given, id)) {
          const auto expected = given.find("expected_" + name);
          if (expected == given.end()) continue;
          const json& tolerance = type == torch::kFloat64
                                      ? tolerances.at("f64")
                                      : tolerances.at("f32").at(short_name(name));
          CAPTURE(id, type, causal, name);
          CHECK(excess(actual, expected->second, tolerance) <= 1);
          ++compared;
        }
      }
    }
  }
  // 24 files with gradients: four tensors in two types, for some in two patterns; and lavo's four.
  CHECK(compared >= 24 * 4 * 2 + 4);
}
