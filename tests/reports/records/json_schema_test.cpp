// SPDX-License-Identifier: MIT
#include "reports/records/json_schema.h"

#include <toml++/toml.h>

#include <fstream>
#include <random>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/process.h"
#include "reports/page/python.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/skip.h"

using namespace lavo;

namespace {

/// Another implementation's verdicts on the documents: [true, false, ...].
constexpr auto kJudge = R"(
import json, pathlib, sys
import jsonschema, referencing
schemas = [json.loads(p.read_text()) for p in sorted(pathlib.Path(sys.argv[1]).glob("*.json"))]
registry = referencing.Registry().with_resources([(s["$id"], referencing.Resource.from_contents(s)) for s in schemas])
by_id = {s["$id"]: jsonschema.Draft202012Validator(s, registry=registry) for s in schemas}
for schema in schemas: jsonschema.Draft202012Validator.check_schema(schema)
documents = json.loads(pathlib.Path(sys.argv[2]).read_text())
print(json.dumps([by_id[d["id"]].is_valid(d["value"]) for d in documents]))
)";

/// Every path to a value inside.
void collect(const json& value, const json::json_pointer& at,
             std::vector<json::json_pointer>& all) {
  all.push_back(at);
  if (value.is_object()) {
    for (const auto& [key, part] : value.items()) collect(part, at / key, all);
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) collect(value[i], at / i, all);
  }
}

json to_json(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = to_json(value);
    return object;
  }
  if (const auto* array = node.as_array()) {
    json list = json::array();
    for (const toml::node& value : *array) list.push_back(to_json(value));
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  return json::binary({});  // a date: no kind that a sweep knows
}

}  // namespace

TEST_CASE("the sweep files that come with the project fit the published schema") {
  for (const auto& entry : std::filesystem::directory_iterator(source_file("experiments/sweeps"))) {
    CAPTURE(entry.path());
    const json sweep = to_json(toml::parse_file(entry.path().string()));
    const auto fault = published_schemas().check(sweep, "urn:lavo.sweep:1");
    CHECK((fault ? fault->path + ": " + fault->text : "") == "");
  }
}

TEST_CASE("a schema keyword that the checker does not know is refused, not passed over") {
  const json schema = json::parse(R"({"$id": "a", "properties": {"x": {"multipleOf": 3}}})");
  CHECK_THROWS_WITH(SchemaSet(std::vector<json>{schema}), ContainsSubstring("multipleOf"));
  CHECK_NOTHROW(published_schemas());
}

TEST_CASE("every field of the published schemas says what it means") {
  for (const char* name : {"cell", "results", "sweep"}) {
    const json schema = read_json(std::filesystem::path(source_file("reports/records/schema")) /
                                  (std::string(name) + ".json"));
    for (const auto& [key, field] : schema.at("properties").items()) {
      CAPTURE(name, key);
      CHECK((field.contains("description") || field.contains("const") ||
             field.value("items", json()).contains("$ref")));
    }
  }
}

TEST_CASE("the checker agrees with python's jsonschema on mutated documents") {
  const auto python = report::find_python("jsonschema, referencing");
  if (!python) {
    skip("no Python with jsonschema");
    return;
  }
  const TemporaryDirectory directory;
  REQUIRE(run_and_wait({"python3", source_file("tests/reports/page/made_up_run.py"),
                        directory.path.string()})
              .code == 0);
  json results = read_json(directory.file("results.json"));
  results["cells"].erase(results["cells"].begin() + 12, results["cells"].end());
  const std::vector<json> replacements = {nullptr,
                                          true,
                                          0,
                                          -1,
                                          1.5,
                                          2.0,
                                          "",
                                          "ok",
                                          "skipped",
                                          json::array(),
                                          json::array({1, 2}),
                                          json::object(),
                                          {{"a", 1}}};
  std::vector<json::json_pointer> places;
  collect(results, json::json_pointer(), places);
  std::mt19937 random(3);
  json documents = json::array({{{"id", "urn:lavo.results:1"}, {"value", results}}});
  for (int i = 0; i < 400; ++i) {
    json mutated = results;
    for (int changes = 0; changes < 1 + i % 2; ++changes) {
      const auto& place = places[random() % places.size()];
      if (!mutated.contains(place)) continue;
      if (random() % 3 == 0 && !place.empty() && mutated[place.parent_pointer()].is_object()) {
        mutated[place.parent_pointer()].erase(place.back());
      } else {
        mutated[place] = replacements[random() % replacements.size()];
      }
    }
    documents.push_back({{"id", "urn:lavo.results:1"}, {"value", mutated}});
  }
  std::ofstream(directory.file("documents.json")) << documents.dump();
  const auto judged =
      run_and_wait({python->string(), "-c", kJudge, source_file("reports/records/schema"),
                    directory.file("documents.json")});
  REQUIRE(judged.code == 0);
  const json verdicts = json::parse(judged.output);
  size_t invalid = 0;
  for (size_t i = 0; i < documents.size(); ++i) {
    const auto fault = published_schemas().check(documents[i]["value"], "urn:lavo.results:1");
    CAPTURE(i, fault ? fault->path + ": " + fault->text : "valid");
    CHECK(!fault == verdicts[i].get<bool>());
    invalid += fault ? 1 : 0;
  }
  CHECK(invalid > 200);
  CHECK(invalid < documents.size());
}
