// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/compare/gate.h"
#include "reports/records/toml_text.h"

namespace lavo::compare {
namespace {

constexpr int kDeepestInclude = 8;

class Reader {
 public:
  Reader(std::filesystem::path file, int depth) : file_(std::move(file)), depth_(depth) {}

  /// Sets what the file says, and leaves the rest as it is.
  void read(std::string_view text, Policy& policy) const {
    const toml::table top = parse_toml(text, file_.string());
    check_keys(top, "key",
               {"include", "fail_on", "strict", "false_discovery_rate", "warn_above_noise",
                "calibrated_on", "rule"});
    if (const auto* node = top.get("include")) include(*node, policy);
    if (const auto* node = top.get("fail_on")) policy.fail_on = verdicts(*node);
    if (const auto* node = top.get("strict")) policy.strict = boolean(*node);
    if (const auto* node = top.get("false_discovery_rate")) {
      policy.false_discovery_rate = number(*node);
      require<InputError>(policy.false_discovery_rate > 0 && policy.false_discovery_rate < 1,
                          "{}: false_discovery_rate: got {}, wanted a number between 0 and 1",
                          place(*node), policy.false_discovery_rate);
    }
    if (const auto* node = top.get("warn_above_noise")) policy.warn_above_noise = number(*node);
    if (const auto* node = top.get("calibrated_on")) policy.calibrated_on.push_back(text_of(*node));
    if (const auto* node = top.get("rule")) {
      const toml::array* rules = node->as_array();
      require<InputError>(rules != nullptr && !rules->empty() && rules->is_array_of_tables(),
                          "{}: rule: got {}, wanted [[rule]]", place(*node), kind_of(*node));
      for (const toml::node& each : *rules) policy.rules.push_back(rule(*each.as_table()));
    }
  }

 private:
  std::string place(const toml::source_region& at) const {
    return fmt::format("{}:{}:{}", file_.string(), at.begin.line, at.begin.column);
  }
  std::string place(const toml::node& node) const { return place(node.source()); }

  static std::string kind_of(const toml::node& node) {
    if (node.is_table()) return "a table";
    if (node.is_array()) return "a list";
    if (node.is_string()) return fmt::format("\"{}\"", node.as_string()->get());
    if (node.is_boolean()) return node.as_boolean()->get() ? "true" : "false";
    if (node.is_integer()) return fmt::format("{}", node.as_integer()->get());
    if (node.is_floating_point()) return fmt::format("{}", node.as_floating_point()->get());
    return "a date";
  }

  [[noreturn]] void wrong(const toml::node& node, const char* wanted) const {
    fail<InputError>("{}: got {}, wanted {}", place(node), kind_of(node), wanted);
  }

  void check_keys(const toml::table& table, const char* noun,
                  const std::vector<std::string>& known) const {
    for (const auto& [key, value] : table) {
      const std::string name(key.str());
      require<InputError>(std::ranges::find(known, name) != known.end(), "{}: {}",
                          place(key.source()), unknown_name(noun, name, known));
    }
  }

  double number(const toml::node& node) const {
    double value = std::nan("");
    if (node.is_integer()) value = static_cast<double>(node.as_integer()->get());
    if (node.is_floating_point()) value = node.as_floating_point()->get();
    if (!std::isfinite(value) || value < 0) wrong(node, "a number >= 0");
    return value;
  }
  bool boolean(const toml::node& node) const {
    if (!node.is_boolean()) wrong(node, "true or false");
    return node.as_boolean()->get();
  }
  std::string text_of(const toml::node& node) const {
    if (!node.is_string()) wrong(node, "a text");
    return node.as_string()->get();
  }

  /// One value or a list of them.
  std::vector<const toml::node*> list(const toml::node& node) const {
    std::vector<const toml::node*> items;
    if (const toml::array* array = node.as_array()) {
      for (const toml::node& item : *array) items.push_back(&item);
    } else {
      items.push_back(&node);
    }
    return items;
  }

  std::set<Verdict> verdicts(const toml::node& node) const {
    std::set<Verdict> result;
    for (const toml::node* item : list(node))
      result.insert(parse_verdict(text_of(*item), place(*item)));
    return result;
  }

  nlohmann::json axis_values(const toml::node& node) const {
    nlohmann::json values = nlohmann::json::array();
    for (const toml::node* item : list(node)) {
      if (item->is_string()) {
        values.push_back(item->as_string()->get());
      } else if (item->is_boolean()) {
        values.push_back(item->as_boolean()->get());
      } else if (item->is_integer()) {
        values.push_back(item->as_integer()->get());
      } else if (item->is_floating_point()) {
        values.push_back(item->as_floating_point()->get());
      } else {
        wrong(*item, "a text, a number, true or false");
      }
    }
    return values;
  }

  Rule rule(const toml::table& table) const {
    check_keys(table, "key",
               {"cells", "axes", "metric", "kind", "margin", "noise", "floor", "tolerance",
                "fail_on", "ignore"});
    Rule rule{.place = place(table)};
    if (const auto* node = table.get("cells")) {
      for (const toml::node* item : list(*node)) rule.cells.push_back(text_of(*item));
    }
    if (const auto* node = table.get("axes")) {
      if (!node->is_table()) wrong(*node, "a table of axes");
      for (const auto& [key, value] : *node->as_table())
        rule.axes.emplace_back(key.str(), axis_values(value));
    }
    if (const auto* node = table.get("metric")) rule.metric = text_of(*node);
    if (const auto* node = table.get("kind"))
      rule.kind = parse_word<Kind>(text_of(*node), place(*node));
    if (const auto* node = table.get("margin")) rule.margin = number(*node);
    if (const auto* node = table.get("noise")) rule.noise = number(*node);
    if (const auto* node = table.get("floor")) rule.floor = number(*node);
    if (const auto* node = table.get("tolerance")) rule.tolerance = number(*node);
    if (const auto* node = table.get("fail_on")) rule.fail_on = verdicts(*node);
    if (const auto* node = table.get("ignore")) rule.ignore = boolean(*node);
    return rule;
  }

  void include(const toml::node& node, Policy& policy) const {
    for (const toml::node* item : list(node)) {
      require<InputError>(depth_ < kDeepestInclude, "{}: include: files include each other",
                          place(*item));
      const auto path = file_.parent_path() / text_of(*item);
      require<InputError>(std::filesystem::exists(path), "{}: include: there is no {}",
                          place(*item), path.string());
      Reader(path, depth_ + 1).read(read_text(path), policy);
    }
  }

  std::filesystem::path file_;
  int depth_;
};

}  // namespace

Policy parse_policy(std::string_view text, const std::filesystem::path& source) {
  Policy policy;
  Reader(source, 0).read(text, policy);
  return policy;
}

Policy read_policy(const std::filesystem::path& path) {
  return parse_policy(read_text(path), path);
}

}  // namespace lavo::compare
