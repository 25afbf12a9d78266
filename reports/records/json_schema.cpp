// SPDX-License-Identifier: MIT
#include "reports/records/json_schema.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <regex>
#include <set>

#include "lavo/core/check.h"
#include "reports/records/schema_text.h"

namespace lavo {
namespace {

const std::set<std::string> kAnnotations = {"$schema", "$id", "$defs", "title", "description"};
const std::set<std::string> kKeywords = {"$ref",
                                         "type",
                                         "const",
                                         "enum",
                                         "required",
                                         "properties",
                                         "additionalProperties",
                                         "items",
                                         "minItems",
                                         "maxItems",
                                         "minProperties",
                                         "minLength",
                                         "pattern",
                                         "minimum",
                                         "if",
                                         "then",
                                         "else"};

void refuse_unknown_keywords(const json& schema) {
  if (!schema.is_object()) return;
  for (const auto& [key, part] : schema.items()) {
    require(kKeywords.contains(key) || kAnnotations.contains(key),
            "schema keyword '{}' is not supported", key);
    if (key == "properties" || key == "$defs") {
      for (const json& each : part) refuse_unknown_keywords(each);
    } else if (key == "items" || key == "additionalProperties" || key == "if" || key == "then" ||
               key == "else") {
      refuse_unknown_keywords(part);
    }
  }
}

std::string shorten(const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

bool has_type(const json& value, const std::string& type) {
  // 2.0 is an integer in JSON Schema. Ours are read into 64 bits: what these do not hold is none.
  if (type == "integer") {
    if (value.is_number_unsigned())
      return value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()};
    return value.is_number_integer() ||
           (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()) &&
            std::abs(value.get<double>()) < 0x1p63);
  }
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  return value.is_null();
}

std::string with_article(const std::string& type) {
  if (type == "null") return type;
  return (std::string("aeiou").find(type[0]) == std::string::npos ? "a " : "an ") + type;
}

/// One walk over a value; throws Fault at the first thing that does not fit.
class Walk {
 public:
  Walk(const std::map<std::string, json>& schemas, const json& root)
      : schemas_(schemas), root_(&root) {}

  void check(const json& value, const json& schema, const std::string& path) {
    if (const auto ref = schema.find("$ref"); ref != schema.end()) follow(value, *ref, path);
    check_kind(value, schema, path);
    if (value.is_object()) check_object(value, schema, path);
    if (value.is_array()) check_array(value, schema, path);
    if (const auto condition = schema.find("if"); condition != schema.end()) {
      const auto branch = schema.find(fits(value, *condition, path) ? "then" : "else");
      if (branch != schema.end()) check(value, *branch, path);
    }
  }

 private:
  template <class... Values>
  [[noreturn]] static void stop(const std::string& path, fmt::format_string<Values...> text,
                                Values&&... values) {
    throw Fault{path, fmt::format(text, std::forward<Values>(values)...)};
  }

  bool fits(const json& value, const json& schema, const std::string& path) {
    try {
      check(value, schema, path);
      return true;
    } catch (const Fault&) {
      return false;
    }
  }

  void follow(const json& value, const std::string& ref, const std::string& path) {
    if (ref.starts_with('#')) {
      check(value, root_->at(json::json_pointer(ref.substr(1))), path);
    } else {
      const json& root = schemas_.at(ref);
      Walk(schemas_, root).check(value, root, path);
    }
  }

  static void check_kind(const json& value, const json& schema, const std::string& path) {
    if (const auto type = schema.find("type"); type != schema.end()) {
      const json types = type->is_array() ? *type : json::array({*type});
      std::string wanted;
      bool fits = false;
      for (const json& each : types) {
        fits = fits || has_type(value, each);
        wanted += (wanted.empty() ? "" : " or ") + with_article(each);
      }
      if (!fits) stop(path, "got {}, wanted {}", shorten(value), wanted);
    }
    if (const auto wanted = schema.find("const"); wanted != schema.end() && value != *wanted) {
      stop(path, "got {}, wanted {}", shorten(value), wanted->dump());
    }
    if (const auto list = schema.find("enum"); list != schema.end()) {
      if (std::ranges::find(*list, value) == list->end()) {
        const std::vector<std::string> known = *list;
        stop(path, "got {}{}; wanted one of {}", shorten(value),
             value.is_string() ? did_you_mean(value.get<std::string>(), known) : "",
             fmt::join(known, ", "));
      }
    }
    if (const auto low = schema.find("minimum");
        low != schema.end() && value.is_number() && value < *low) {
      stop(path, "got {}, wanted at least {}", shorten(value), low->dump());
    }
    if (!value.is_string()) return;
    if (const auto low = schema.find("minLength");
        low != schema.end() && value.get_ref<const std::string&>().size() < *low) {
      stop(path, "got an empty string");
    }
    if (const auto pattern = schema.find("pattern"); pattern != schema.end()) {
      const auto& text = value.get_ref<const std::string&>();
      if (!std::regex_search(text, std::regex(pattern->get<std::string>()))) {
        stop(path, "got {}, wanted a text like {}", shorten(value), pattern->get<std::string>());
      }
    }
  }

  void check_object(const json& value, const json& schema, const std::string& path) {
    static const json none = json::object();
    const auto declared = schema.find("properties");
    const json& properties = declared == schema.end() ? none : *declared;
    const auto other = schema.find("additionalProperties");
    for (const auto& [key, part] : value.items()) {
      const std::string here = path + "." + key;
      if (const auto property = properties.find(key); property != properties.end()) {
        check(part, *property, here);
      } else if (other != schema.end() && other->is_boolean() && !other->get<bool>()) {
        std::vector<std::string> known;
        for (const auto& [name, unused] : properties.items()) known.push_back(name);
        stop(here, "{}", unknown_name("key", key, known));
      } else if (other != schema.end() && other->is_object()) {
        check(part, *other, here);
      }
    }
    if (const auto required = schema.find("required"); required != schema.end()) {
      for (const std::string key : *required) {
        if (!value.contains(key)) stop(path, "'{}' is missing", key);
      }
    }
    if (const auto low = schema.find("minProperties");
        low != schema.end() && value.size() < low->get<size_t>()) {
      stop(path, "is empty, wanted at least {}", low->dump());
    }
  }

  void check_array(const json& value, const json& schema, const std::string& path) {
    if (const auto low = schema.find("minItems");
        low != schema.end() && value.size() < low->get<size_t>()) {
      stop(path, "has {} items, wanted at least {}", value.size(), low->dump());
    }
    if (const auto high = schema.find("maxItems");
        high != schema.end() && value.size() > high->get<size_t>()) {
      stop(path, "has {} items, wanted at most {}", value.size(), high->dump());
    }
    if (const auto items = schema.find("items"); items != schema.end()) {
      for (size_t i = 0; i < value.size(); ++i) {
        check(value[i], *items, fmt::format("{}[{}]", path, i));
      }
    }
  }

  const std::map<std::string, json>& schemas_;
  const json* root_;
};

}  // namespace

SchemaSet::SchemaSet(std::vector<json> schemas) {
  for (json& schema : schemas) {
    refuse_unknown_keywords(schema);
    const std::string id = schema.at("$id");
    schemas_.emplace(id, std::move(schema));
  }
}

std::optional<Fault> SchemaSet::check(const json& value, const std::string& id) const {
  try {
    const json& root = schemas_.at(id);
    Walk(schemas_, root).check(value, root, "$");
    return std::nullopt;
  } catch (const Fault& fault) {
    return fault;
  }
}

const SchemaSet& published_schemas() {
  static const SchemaSet set({json::parse(schema_text("cell.json")),
                              json::parse(schema_text("results.json")),
                              json::parse(schema_text("sweep.json"))});
  return set;
}

}  // namespace lavo
