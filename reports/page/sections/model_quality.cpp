// SPDX-License-Identifier: MIT
// Language models: the loss of each, what changing one thing does to LAVO, and the n-gram floors.
#include <fmt/ranges.h>

#include "reports/page/models.h"
#include "reports/page/roles.h"
#include "reports/page/seeds.h"

namespace lavo::report {
namespace {

TableCell estimate_cell(const Cells& cells, const std::string& metric, const std::string& unit) {
  const auto estimate = over_seeds(cells, metric);
  if (!estimate) return {escape("–")};
  return {number(estimate->value, estimate->interval, unit, way_of(*estimate)), estimate->value};
}

Html untrained_mark(const ModelGroup& group, const Variant& row) {
  if (!group.is_untrained(row)) return {};
  return " <span class=status>not trained: worse than the order-2 byte model</span>"_html;
}

/// "+0.38 [0.35, 0.41] bit/byte": signed, so that a change is seen as one.
Html change(const Estimate& difference) {
  return escape(difference.value > 0 ? "+" : "") +
         number(difference.value, difference.interval, "bit/byte", By::kDifference);
}

bool excludes_zero(const Estimate& difference) {
  return difference.interval && (difference.interval->first > 0 || difference.interval->second < 0);
}

Table quality_table(const ModelGroup& group) {
  Table table{group.title,
              {"model", "loss", "against " + kSubject, "perplexity per byte", "per word",
               "parameters", "training", "seeds"},
              {}};
  const Variant* subject = group.subject();
  for (const Variant& row : group.rows) {
    const auto difference = subject && subject != &row
                                ? paired_difference(row.cells, subject->cells, "bits_per_byte")
                                : std::nullopt;
    const auto count = static_cast<double>(row.cells.size());
    table.rows.push_back(
        {{marked(row.mechanism, row.label) + untrained_mark(group, row)},
         estimate_cell(row.cells, "bits_per_byte", "bit/byte"),
         difference ? TableCell{change(*difference), difference->value} : TableCell{escape("–")},
         estimate_cell(row.cells, "perplexity_per_byte", "1"),
         estimate_cell(row.cells, "perplexity_per_word", "1"),
         estimate_cell(row.cells, "parameters", "1"),
         estimate_cell(row.cells, "training_time", "s"),
         {number(count, "1", By::kCount), count}});
  }
  for (const auto& [name, floor] : {std::pair{"order-2 byte model (floor)", group.order2},
                                    std::pair{"order-1 byte model (floor)", group.order1}}) {
    if (floor) table.rows.push_back({{escape(name)}, {number(*floor, "bit/byte"), *floor}});
  }
  return table;
}

Figure loss_figure(const ModelGroup& group) {
  std::vector<Bar> bars;
  for (const Variant& row : group.rows) {
    const auto loss = over_seeds(row.cells, "bits_per_byte");
    bars.push_back({row.label, row.mechanism, loss->value, loss->interval,
                    group.is_untrained(row) ? "not trained" : ""});
  }
  std::vector<Rule> floors;
  if (group.order2) floors.push_back({*group.order2, "order-2 model"});
  if (group.order1) floors.push_back({*group.order1, "order-1 model"});
  return {slug("loss " + group.title), group.title + ": loss on unseen text",
          bar_chart({"loss (bit/byte), lower is better"}, bars, floors, /*dots=*/true),
          escape("Mean over seeds with its 95 % interval. Right of the order-2 byte model a "
                 "network has learned less than counting pairs of bytes does: "
                 "it is not trained, and its place says nothing about the mechanism."),
          group.origin};
}

std::optional<Figure> change_figure(const ModelGroup& group) {
  const Variant* subject = group.subject();
  if (!subject) return std::nullopt;
  std::vector<Bar> bars;
  for (const Variant& row : group.rows) {
    if (&row == subject || group.is_untrained(row)) continue;
    const auto difference = paired_difference(row.cells, subject->cells, "bits_per_byte");
    if (difference)
      bars.push_back({row.label, row.mechanism, difference->value, difference->interval});
  }
  if (bars.empty()) return std::nullopt;
  return Figure{slug("change " + group.title), group.title + ": difference to " + subject->label,
                bar_chart({"difference in loss (bit/byte), left is better"}, bars),
                escape("Mean difference at equal seed on the same text, with its 95 % interval; "
                       "models that are not trained are left out."),
                group.origin};
}

/// What changing one thing does to LAVO: what is beyond the noise of the seeds, and what is not.
void add_findings(const ModelGroup& group, Section& section) {
  const Variant* subject = group.subject();
  if (!subject || group.rows.size() < 2) return;
  std::vector<Html> real;
  std::vector<std::string> noise;
  for (const Variant& row : group.rows) {
    if (&row == subject || group.is_untrained(row)) continue;
    const auto difference = paired_difference(row.cells, subject->cells, "bits_per_byte");
    if (!difference || !difference->interval) continue;
    if (excludes_zero(*difference)) {
      real.push_back(marked(row.mechanism, row.label) + " "_html + change(*difference));
    } else {
      noise.push_back(row.label);
    }
  }
  const auto loss = over_seeds(subject->cells, "bits_per_byte");
  Html text = escape(group.title + ": ") + marked(kSubject, subject->label) + " reaches "_html +
              number(loss->value, loss->interval, "bit/byte", way_of(*loss));
  if (group.is_untrained(*subject)) text += " and is not trained by the order-2 criterion"_html;
  for (size_t i = 0; i < real.size(); ++i)
    text += (i == 0 ? "; against it "_html : ", "_html) + real[i];
  if (!noise.empty())
    text += escape(
        fmt::format("; no difference beyond the noise of the seeds: {}", fmt::join(noise, "; ")));
  section.findings.push_back(text + "."_html);
}

}  // namespace

std::vector<Section> model_quality(const Results& results) {
  Section section{"quality", "Quality of language models", {}, {}};
  for (const ModelGroup& group : model_groups(results)) {
    if (!group.description.empty()) section.blocks.push_back(escape(group.description + "."));
    section.blocks.push_back(escape("Shared by all models: " + group.settings + "."));
    for (const Html& note : missing_controls(group.rows, kControlsOfQuality)) {
      if (group.mechanisms() > 1) section.blocks.push_back(note);
    }
    section.blocks.push_back(loss_figure(group));
    section.blocks.push_back(quality_table(group));
    if (auto figure = change_figure(group)) section.blocks.push_back(std::move(*figure));
    add_findings(group, section);
  }
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
