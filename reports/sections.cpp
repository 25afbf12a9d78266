// SPDX-License-Identifier: MIT
#include "reports/sections.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace lavo::report {

Html marked(const std::string& mechanism, const std::string& label) {
  return Html{fmt::format("<span class=dot style=\"background:{}\"></span>", color_of(mechanism))} +
         escape(label);
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

std::string run_command(const Results& results, const Cells& cells,
                        const std::vector<std::string>& axes) {
  const Sweep* sweep = sweep_of(results, cells);
  std::string command =
      sweep ? fmt::format("lavo-bench run {} -o DIR {}", sweep->file, sweep->options)
            : fmt::format("lavo-bench run experiments/sweeps/{}.toml -o DIR",
                          cells.front()->experiment);
  for (const std::string& axis : axes) {
    const std::string option = fmt::format(" --axis {}=", axis);
    if (command.find(option) != std::string::npos)
      command.erase(command.find(option),
                    command.find(" --", command.find(option) + 1) - command.find(option));
    command += option + text_of(cells.front()->axis(axis));
  }
  return command;
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
      const std::string pass = text_of(value);
      words.push_back(pass == "forward_backward" ? "forward + backward"
                      : pass == "decode"         ? "decoding"
                                                 : pass);
    } else if (value.is_number()) {
      words.push_back(fmt::format("{} {}", axis, text_of(value)));
    } else {
      words.push_back(text_of(value));
    }
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string capitalised(std::string text) {
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
