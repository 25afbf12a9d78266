// SPDX-License-Identifier: MIT
#include "reports/page/sections.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "lavo/core/process.h"
#include "reports/page/charts/palette.h"
#include "reports/page/labels.h"
#include "reports/page/roles.h"

namespace lavo::report {

Html marked(const std::string& mechanism, const std::string& label) {
  const Ink ink = ink_of(mechanism);
  return Html{fmt::format("<span class=\"dot lap{}\" style=\"background:{}\"></span>", ink.lap,
                          ink.color)} +
         escape(label);
}

Html status_mark(const std::string& status) {
  return "<span class=status>"_html + escape(status) + "</span>"_html;
}

void Claims::add(const Html& subject, const Html& predicate) {
  const auto found =
      std::ranges::find(claims_, subject.text, [](const auto& claim) { return claim.first.text; });
  if (found == claims_.end()) {
    claims_.emplace_back(subject, predicate);
  } else {
    found->second += "; "_html + predicate;
  }
}

std::vector<Html> Claims::sentences() const {
  std::vector<Html> list;
  for (const auto& [subject, predicate] : claims_)
    list.push_back(subject + ": "_html + predicate + "."_html);
  return list;
}

std::vector<Variant> variants(const Cells& cells, const std::set<std::string>& apart) {
  const Labels labels(cells, apart);
  std::vector<Variant> result;
  for (const Cell* cell : cells) {
    const std::string label = labels(*cell);
    auto found = std::ranges::find(result, label, &Variant::label);
    if (found == result.end()) {
      found = result.insert(result.end(), {label, cell->mechanism(), {}});
    }
    found->cells.push_back(cell);
  }
  return result;
}

std::vector<Html> missing_controls(const std::vector<Variant>& rows,
                                   const std::vector<std::string>& controls) {
  const auto has = [&](const std::string& mechanism) {
    return std::ranges::find(rows, mechanism, &Variant::mechanism) != rows.end();
  };
  std::vector<std::string> missing;
  for (const std::string& control : controls) {
    if (!has(control)) missing.push_back(control);
  }
  if (!has(kSubject) || missing.empty()) return {};
  return {escape(fmt::format("Not measured here, though {} should be read against it: {}.",
                             kSubjectInWords, fmt::join(missing, ", ")))};
}

std::string machine_of(const json& environment, bool gpu) {
  const json machine = environment.value("machine", json::object());
  const json name = machine.value(gpu ? "gpu_model" : "cpu_model", json());
  if (!name.is_string()) return "a machine that the record does not name";
  if (gpu) return axis_text(name);
  return fmt::format("{}, {} cores", axis_text(name), axis_text(machine.value("cores", json())));
}

namespace {

/// Puts `--axis name=value` into a command, in place of an option that says otherwise.
void narrow(std::string& command, const std::string& axis, const json& value) {
  const std::string option = fmt::format(" --axis {}=", axis);
  if (const size_t begin = command.find(option); begin != std::string::npos) {
    command.erase(begin, command.find(" --", begin + 1) - begin);
  }
  command += " --axis " + shell_quoted(fmt::format("{}={}", axis, axis_text(value)));
}

}  // namespace

Origin origin_of(const Results& results, const Cells& cells, const std::vector<std::string>& axes) {
  const Sweep* sweep = sweep_of(results, cells);
  Origin origin;
  origin.command = sweep ? fmt::format("lavo-bench run {} -o DIR {}", sweep->file, sweep->options)
                         : fmt::format("lavo-bench run experiments/sweeps/{}.toml -o DIR",
                                       cells.front()->experiment);
  for (const std::string& axis : axes) {
    if (cells.front()->axes.contains(axis)) narrow(origin.command, axis, cells.front()->axis(axis));
  }
  std::set<std::string> machines;
  for (const Cell* cell : cells) {
    const bool gpu = axis_text(cell->axis("device")).starts_with("cuda");
    machines.insert(machine_of(results.environments.value(cell->environment, json::object()), gpu));
  }
  origin.machine = fmt::format("{}", fmt::join(machines, "; "));
  return origin;
}

std::string describe(const Cell& cell, const std::vector<std::string>& axes) {
  std::vector<std::string> words;
  for (const std::string& axis : axes) {
    if (!cell.axes.contains(axis)) continue;
    const json value = cell.axis(axis);
    if (axis == "causal") {
      words.push_back(value == json(true) ? "causal" : "noncausal");
    } else if (axis == "cross") {
      words.push_back(value == json(true) ? "cross attention" : "self attention");
    } else if (axis == "pass") {
      const std::string pass = axis_text(value);
      words.push_back(pass == "forward_backward" ? "forward + backward"
                      : pass == "decode"         ? "decoding"
                                                 : pass);
    } else if (axis == "position_encoding" && value == json("none")) {
      words.push_back("no position encoding");
    } else if (value.is_number()) {
      words.push_back(fmt::format("{} {}", axis, axis_text(value)));
    } else {
      words.push_back(axis_text(value));
    }
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string capitalised(std::string text) {
  std::ranges::replace(text, '_', ' ');
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string slug(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!result.empty() && result.back() != '-') {
      result += '-';
    }
  }
  while (!result.empty() && result.back() == '-') result.pop_back();
  return result;
}

}  // namespace lavo::report
