// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>

#include <algorithm>

#include "experiments/catalogue.h"
#include "experiments/cli/command.h"
#include "experiments/models/layer_recipe.h"
#include "lavo/core/check.h"
#include "lavo/core/entry.h"

namespace lavo {
namespace {

const std::vector<std::string> kTopics = {"mechanisms", "experiments", "data"};

std::string shown(const json& value) {
  if (value.is_null()) return "-";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Columns as wide as their widest cell; the last one is not padded.
void print_columns(const std::vector<std::vector<std::string>>& rows, const std::string& indent) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line = indent;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

void print_options(const json& options, const std::string& title) {
  std::vector<std::vector<std::string>> rows = {{title, "default", "allowed", "meaning"}};
  for (const json& option : options) {
    std::string value = shown(option["default"]);
    if (const json resolved = option.value("resolved", json()); !resolved.is_null()) {
      value = fmt::format("({})", shown(resolved));
    }
    rows.push_back({option["name"], value, option["allowed"], option["meaning"]});
  }
  print_columns(rows, "    ");
}

std::string shape_text(const json& shape) {
  std::vector<std::string> sizes;
  for (const json& size : shape) sizes.push_back(shown(size));
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

/// "conv short, expand_v 2.0"
std::string settings_text(const json& settings) {
  std::vector<std::string> texts;
  for (const auto& [name, value] : settings.items()) texts.push_back(name + " " + shown(value));
  return fmt::format("{}", fmt::join(texts, ", "));
}

void print_mechanism(const json& m) {
  fmt::print("{}: {}\n    {}\n", shown(m["name"]), shown(m["title"]), shown(m["citation"]));
  std::vector<std::string> exact, traits;
  for (const auto& [name, pattern] : m["patterns"].items()) {
    if (pattern["exact"].get<bool>()) exact.push_back(name);
  }
  traits.push_back(!m["fused"].get<bool>() ? "composed of LibTorch operators"
                                           : "fused operator: " + shown(m["fused_calls"]));
  traits.push_back(m["streaming"].get<bool>() ? "streams" : "no streaming state");
  if (m["equal_widths"].get<bool>()) traits.push_back("values as wide as keys");
  fmt::print("    {}; patterns {}\n", fmt::join(traits, "; "), fmt::join(exact, ", "));
  const json& cost = m["cost"];
  fmt::print(
      "    cost of a head of {} at {} tokens: {:.3g} flop a token, {:.2f} times that at twice "
      "the length; state {:.0f} bytes\n",
      shown(cost["head_dim"]), shown(cost["tokens"]), cost["flop_per_token"].get<double>(),
      cost["growth"].get<double>(), cost["state_bytes"].get<double>());
  if (m["patterns"]["CS"]["exact"].get<bool>()) {
    const json& reach = m["not_finite_reach"];
    fmt::print("    outside our fused kernels a NaN reaches outputs {} before it\n",
               reach.is_null() ? "at all tokens" : fmt::format("up to {} tokens", shown(reach)));
  }
  for (const auto& [name, pattern] : m["patterns"].items()) {
    if (!pattern["exact"].get<bool>()) {
      fmt::print("    {} is refused: {}\n", name, shown(pattern["reason"]));
    }
  }
  if (!m["own_layer"].empty()) {
    fmt::print("    layer own: {}\n", settings_text(m["own_layer"]));
  }
  for (const json& tensor : m["tensors"]) {
    fmt::print("    {} {} {}\n", shown(tensor["kind"]), shown(tensor["name"]),
               shape_text(tensor["shape"]));
  }
  if (!m["options"].empty()) print_options(m["options"], "option");
  fmt::print("\n");
}

void print_experiment(const json& e) {
  fmt::print("{}: {}\n", shown(e["name"]), shown(e["purpose"]));
  print_options(e["axes"], "axis");
  fmt::print("\n");
}

void print_data(const json& d) {
  fmt::print("{}: {}, {}\n    {}\n    SHA-256 {}\n", shown(d["name"]), shown(d["title"]),
             shown(d["rule"]), shown(d["source"]), shown(d["digest"]));
  std::vector<std::vector<std::string>> rows = {{"split", "bytes", "document"}};
  for (const json& document : d["documents"]) {
    rows.push_back({document["split"], shown(document["bytes"]), document["name"]});
  }
  print_columns(rows, "    ");
  for (const auto& [split, sums] : d["splits"].items()) {
    fmt::print("    {}: {} documents, {} bytes\n", split, shown(sums["documents"]),
               shown(sums["bytes"]));
  }
  for (const json& file : d["left_out"]) {
    fmt::print("    left out: {} ({})\n", shown(file["name"]), shown(file["reason"]));
  }
  for (const json& warning : d["warnings"]) fmt::print("    warning: {}\n", shown(warning));
}

/// In the order of the table's groups; others, of mechanisms that were added, behind them.
std::vector<std::string> groups_of(const json& mechanisms) {
  std::vector<std::string> groups;
  const auto add = [&](const std::string& group) {
    if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
  };
  for (const std::string& group : kGroups) {
    const auto is_of = [&](const json& m) { return m["group"] == group; };
    if (std::ranges::any_of(mechanisms, is_of)) add(group);
  }
  for (const json& m : mechanisms) add(m["group"].get<std::string>());
  return groups;
}

void print_topic(const std::string& topic, bool as_json) {
  const auto wanted = [&](const char* name) { return topic.empty() || topic == name; };
  json found = json::object();
  if (wanted("mechanisms")) found["mechanisms"] = describe_mechanisms();
  if (wanted("experiments")) found["experiments"] = describe_experiments();
  if (wanted("data")) found["data"] = describe_data();
  if (as_json) {
    fmt::print("{}\n", found.dump(2));
    return;
  }
  const json listed = found.value("mechanisms", json::array());
  for (const std::string& group : groups_of(listed)) {
    fmt::print("--- {} ---\n\n", group);
    for (const json& m : listed) {
      if (m["group"] == group) print_mechanism(m);
    }
  }
  if (wanted("mechanisms")) {
    fmt::print(
        "NS, CS: noncausal and causal self attention; NC, CC: cross attention. (value): resolved "
        "for its use.\nlayer own: what axis layer = own puts around it in a model, the plain layer "
        "otherwise; layer = equal, around all: {}.\n",
        settings_text(equal_layer()));
  }
  for (const json& e : found.value("experiments", json::array())) print_experiment(e);
  for (const json& d : found.value("data", json::array())) print_data(d);
}

}  // namespace

void add_list(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("list", "What exists: mechanisms, experiments, data");
  auto topic = std::make_shared<std::string>();
  auto as_json = std::make_shared<bool>(false);
  command->add_option("topic", *topic, "mechanisms, experiments or data; default: all");
  command->add_flag("--json", *as_json, "everything, for programs");
  command->footer("Example: lavo-bench list mechanisms --json");
  command->callback([topic, as_json, &exit_code] {
    if (!topic->empty() && std::ranges::find(kTopics, *topic) == kTopics.end()) {
      throw InputError("list: " + unknown_name("topic", *topic, kTopics));
    }
    print_topic(*topic, *as_json);
    exit_code = kSuccess;
  });
}

}  // namespace lavo
