// SPDX-License-Identifier: MIT
// Tolerances: by type, or from an index of golden files.
#include <algorithm>

#include "experiments/apply.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

/// float32 tolerances of the older cases go by these names.
std::string short_name(const std::string& tensor) {
  static const std::map<std::string, std::string> names = {
      {"output", "out"}, {"grad_query", "dq"}, {"grad_key", "dk"}, {"grad_value", "dv"}};
  const auto found = names.find(tensor);
  return found == names.end() ? tensor : found->second;
}

Tolerance read_tolerance(const json& from, const std::string& source) {
  const json rtol = from.value("rtol", json()), atol = from.value("atol", json());
  require<InputError>(rtol.is_number() && atol.is_number(),
                      "{}: a tolerance must be {{\"rtol\": x, \"atol\": y}}, got {}", source,
                      from.dump());
  return {rtol.get<double>(), atol.get<double>()};
}

}  // namespace

Tolerance default_tolerance(torch::ScalarType type) {
  switch (type) {
    case torch::kFloat64:
      return {1e-9, 1e-10};
    case torch::kFloat32:
      return {1e-4, 1e-5};
    case torch::kFloat16:
      return {4e-3, 4e-3};
    default:
      return {3e-2, 3e-2};
  }
}

ToleranceOf golden_tolerances(const json& index, const std::string& case_id, torch::ScalarType type,
                              const std::string& source) {
  require<InputError>(index.is_array(), "{}: an index is a list of cases", source);
  std::vector<std::string> ids;
  const json* found = nullptr;
  for (const json& entry : index) {
    require<InputError>(entry.is_object() && entry.value("id", json()).is_string() &&
                            entry.value("tolerance", json()).is_object(),
                        "{}: a case must have 'id' and 'tolerance', got {}", source,
                        entry.dump().substr(0, 80));
    ids.push_back(entry.at("id"));
    if (ids.back() == case_id) found = &entry;
  }
  if (!found) throw InputError(fmt::format("{}: {}", source, unknown_name("case", case_id, ids)));
  const json tolerances = found->at("tolerance");
  const std::string kind = type == torch::kFloat64 ? "f64" : type == torch::kFloat32 ? "f32" : "";
  if (kind.empty() || !tolerances.contains(kind)) {
    return [type](const std::string&) { return default_tolerance(type); };
  }
  return [of_type = tolerances.at(kind), case_id, kind, source](const std::string& tensor) {
    if (of_type.contains("rtol")) return read_tolerance(of_type, source);
    for (const std::string& name : {tensor, short_name(tensor)}) {
      if (of_type.contains(name)) return read_tolerance(of_type.at(name), source);
    }
    fail<InputError>("{}: case '{}' has no {} tolerance for '{}'", source, case_id, kind, tensor);
  };
}

}  // namespace lavo
