// SPDX-License-Identifier: MIT
#include "reports/targets/targets.h"

#include "reports/page/crossing.h"
#include "reports/page/html.h"
#include "reports/page/sections.h"

namespace lavo::report {
namespace {

/// "mechanism=lavo length=4096"; the axes that a reader would name first.
std::string selector_in_words(const json& selector) {
  std::string text;
  for (const char* axis : {"mechanism", "memory", "implementation", "pass", "length", "heads"}) {
    const auto found = selector.find(axis);
    if (found != selector.end()) text += fmt::format(" {}={}", axis, axis_text(*found));
  }
  return text.substr(1);
}

bool has_axes(const Cell& cell, const json& selector) {
  for (const auto& [name, value] : selector.items()) {
    if (cell.axis(name) != value) return false;
  }
  return cell.experiment == "efficiency";
}

/// The one measured cell that fits, or why there is none.
struct Found {
  const Cell* cell = nullptr;
  const Metric* metric = nullptr;
  std::string reason;
};
Found find_cell(const Results& results, const json& selector, const Target& target) {
  const Cells cells = select(results, [&](const Cell& cell) { return has_axes(cell, selector); });
  const std::string which = selector_in_words(selector);
  if (cells.empty()) {
    return {.reason = target.otherwise.empty() ? "no cell " + which : target.otherwise};
  }
  if (cells.size() > 1) {
    return {.reason = fmt::format("{} cells are {}, wanted one", cells.size(), which)};
  }
  const Cell& cell = *cells.front();
  if (!cell.ok()) return {.reason = lavo::word(cell.status) + ": " + cell.reason};
  const Metric* metric = cell.metric(target.metric);
  if (!metric) return {.reason = fmt::format("{} has no {}", which, target.metric)};
  return {&cell, metric, ""};
}

bool are_of_one_setup(const Results& results, const Cell& a, const Cell& b) {
  const json &x = results.environments.at(a.environment),
             &y = results.environments.at(b.environment);
  return x.at("machine") == y.at("machine") && x.value("build", json()) == y.value("build", json());
}

/// What the allowance comes to for the cell's output, as a metric without noise.
Metric allowed_bytes(const Allowance& allowance, const Cell& cell) {
  double bytes = cell.axis("dtype") == "float64" ? 8 : cell.axis("dtype") == "float32" ? 4 : 2;
  for (const char* axis : {"batch", "heads", "length", "head_dim"}) {
    bytes *= cell.axis(axis).get<double>();
  }
  return {.value = allowance.factor * allowance.tensors * bytes + allowance.extra_bytes,
          .unit = "B",
          .better = Better::kNone,
          .kind = Kind::kExact};
}

std::string word(const Judgement& judgement) {
  switch (judgement.verdict) {
    case Judgement::Verdict::kReached:
      return "reached";
    case Judgement::Verdict::kMissed:
      return "missed";
    default:
      return "not measured";
  }
}

std::string plain_number(double value) { return format_quantity(value, "1"); }

std::string bound_text(const Target& target) {
  return (target.at_least ? ">= " : "<= ") + plain_number(target.limit);
}

std::string ratio_text(const Judgement& judgement) {
  if (!judgement.ratio) return "-";
  std::string text = plain_number(judgement.ratio->value);
  if (const auto& interval = judgement.ratio->interval) {
    text += fmt::format(" [{}, {}]", plain_number(interval->first), plain_number(interval->second));
  }
  return text;
}

}  // namespace

bool Judgement::within_noise() const {
  return ratio && ratio->interval && ratio->interval->first <= target.limit &&
         target.limit <= ratio->interval->second;
}

Judgement judge(const Target& target, const Estimate& ratio) {
  const bool reached = target.at_least ? ratio.value >= target.limit : ratio.value <= target.limit;
  return {.target = target,
          .verdict = reached ? Judgement::Verdict::kReached : Judgement::Verdict::kMissed,
          .ratio = ratio};
}

Judgement judge(const Target& target, const Results& results) {
  const auto not_measured = [&](const std::string& reason) {
    return Judgement{.target = target, .reason = reason};
  };
  const Found above = find_cell(results, target.above, target);
  if (!above.cell) return not_measured(above.reason);
  Metric allowed;
  const Metric* denominator = &allowed;
  if (target.allowance) {
    allowed = allowed_bytes(*target.allowance, *above.cell);
  } else {
    const Found below = find_cell(results, target.below, target);
    if (!below.cell) return not_measured(below.reason);
    if (!are_of_one_setup(results, *above.cell, *below.cell)) {
      return not_measured("the two cells are of different machines or builds");
    }
    denominator = below.metric;
  }
  if (denominator->unit != above.metric->unit) return not_measured("the units differ");
  if (denominator->value <= 0) return not_measured("the denominator is 0");
  Estimate quotient = ratio(*above.metric, *denominator);
  quotient.value *= target.scale;
  if (quotient.interval) {
    quotient.interval->first *= target.scale;
    quotient.interval->second *= target.scale;
  }
  return judge(target, quotient);
}

std::string as_table(const std::vector<Judgement>& judgements) {
  size_t widest = 0;
  for (const Judgement& each : judgements) widest = std::max(widest, each.target.what.size());
  std::string text =
      fmt::format("{:{}}  {:>8}  {:24}  {}\n", "what", widest, "target", "ratio (95 %)", "verdict");
  std::map<std::string, int> counts;
  for (const Judgement& each : judgements) {
    ++counts[word(each)];
    text += fmt::format("{:{}}  {:>8}  {:24}  {}{}{}\n", each.target.what, widest,
                        bound_text(each.target), ratio_text(each), word(each),
                        each.within_noise() ? ", within noise" : "",
                        each.reason.empty() ? "" : ": " + each.reason);
  }
  return text + fmt::format(
                    "T: time of LibTorch's fused attention at the same length, same pass\n"
                    "{} targets: {} reached, {} missed, {} not measured\n",
                    judgements.size(), counts["reached"], counts["missed"], counts["not measured"]);
}

json as_json(const std::vector<Judgement>& judgements, const json& environments) {
  json rows = json::array();
  for (const Judgement& each : judgements) {
    const auto& ratio = each.ratio;
    const bool has_interval = ratio && ratio->interval;
    rows.push_back({{"what", each.target.what},
                    {"metric", each.target.metric},
                    {"above", each.target.above},
                    {"below", each.target.below},
                    {"bound", each.target.at_least ? "at_least" : "at_most"},
                    {"limit", each.target.limit},
                    {"ratio", ratio ? json(ratio->value) : json()},
                    {"ci95", has_interval ? json(*ratio->interval) : json()},
                    {"verdict", word(each)},
                    {"within_noise", each.within_noise()},
                    {"reason", each.reason.empty() ? json() : json(each.reason)}});
  }
  return {
      {"schema", "lavo.targets/1"}, {"environments", environments}, {"targets", std::move(rows)}};
}

std::string describe(const json& environments) {
  std::set<std::string> lines;
  for (const json& environment : environments) {
    const json machine = environment.value("machine", json::object());
    const json build = environment.value("build", json::object());
    const json now = environment.value("circumstance", json::object());
    lines.insert(fmt::format(
        "machine: {}, {}, {}; LibTorch {}, commit {}{}\n", machine_of(environment, false),
        format_quantity(machine.value("memory_bytes", 0.0), "B"),
        axis_text(now.value("instructions", json())), axis_text(build.value("libtorch", json())),
        axis_text(build.value("commit", json())).substr(0, 12),
        build.value("dirty", false) ? " with changes" : ""));
  }
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

}  // namespace lavo::report
