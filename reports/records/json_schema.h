// SPDX-License-Identifier: MIT
// JSON Schema (draft 2020-12), the part that the published schemas use, with messages for people: a
// general validator says that "no subschema matched", this one which key was meant.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace lavo {

using json = nlohmann::json;

/// The first place, in the document's order, where a value does not fit.
struct Fault {
  std::string path;  ///< "$.cells[3].metrics.time.unit"
  std::string text;  ///< "got 3, wanted a string"
};

/// A set of schemas that may refer to each other by "$id".
class SchemaSet {
 public:
  /// Throws Error when a schema uses a keyword that is not supported: nothing is passed over.
  explicit SchemaSet(std::vector<json> schemas);

  /// Checks against the schema with this "$id". nullopt: valid.
  std::optional<Fault> check(const json& value, const std::string& id) const;

 private:
  std::map<std::string, json> schemas_;
};

/// The schemas of reports/schema.
const SchemaSet& published_schemas();

}  // namespace lavo
