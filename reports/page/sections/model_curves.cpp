// SPDX-License-Identifier: MIT
// Curves of language models: beyond the trained context, inside a block, over a window, while
// training.
#include <algorithm>

#include "reports/page/models.h"
#include "reports/page/roles.h"
#include "reports/page/seeds.h"

namespace lavo::report {
namespace {

constexpr size_t kMost = 8;  ///< curves that can be told apart in one chart

/// The best rows; LAVO, and the best of what it must be read against, whatever their place.
std::vector<const Variant*> shown(const ModelGroup& group, bool trained_only) {
  std::vector<const Variant*> rows;
  std::set<std::string> controls(kControlsOfQuality.begin(), kControlsOfQuality.end());
  size_t others = 0;
  for (const Variant& row : group.rows) {
    if (trained_only && group.is_untrained(row)) continue;
    const bool control = controls.erase(row.mechanism) > 0;
    if (control || &row == group.subject() || others++ < kMost - 3) rows.push_back(&row);
  }
  return rows;
}

std::vector<Curve> series_curves(const std::vector<const Variant*>& rows,
                                 const std::string& series) {
  std::vector<Curve> curves;
  for (const Variant* row : rows) {
    auto points = mean_curve(row->cells, series);
    if (points.size() > 1) curves.push_back({row->label, row->mechanism, std::move(points)});
  }
  return curves;
}

void add_extrapolation(const ModelGroup& group, Section& section) {
  const auto rows = shown(group, true);
  const auto curves = series_curves(rows, "perplexity");
  if (curves.empty()) return;
  std::vector<Rule> trained;
  if (group.context > 0) trained.push_back({group.context, "trained here"});
  section.blocks.push_back(Figure{slug("context " + group.title),
                                  group.title + ": perplexity over context",
                                  line_chart({"context at test (tokens)", Scale::kTokens},
                                             {"perplexity per byte"}, curves, trained),
                                  escape("The same text in longer pieces, no further training; "
                                         "mean over seeds with its 95 % interval. Flat is what a "
                                         "mechanism that ignores the distant past looks like too: "
                                         "read it beside local attention."),
                                  group.origin});
  Claims claims;
  Table table{group.title + ": perplexity per byte over context", {"model"}, {}};
  std::set<double> contexts;
  for (const Curve& curve : curves) {
    for (const ChartPoint& point : curve.points) contexts.insert(point.x);
  }
  for (const double context : contexts) table.columns.push_back(format_length(context));
  for (const Variant* row : rows) {
    const auto points = mean_curve(row->cells, "perplexity");
    std::vector<TableCell> line = {{marked(row->mechanism, row->label)}};
    for (const double context : contexts) {
      TableCell cell{escape("–")};
      for (const ChartPoint& point : points) {
        if (point.x == context)
          cell = {number(point.y, point.interval, "1",
                         row->cells.size() > 1 ? By::kSeeds : By::kRecord),
                  point.y};
      }
      line.push_back(cell);
    }
    table.rows.push_back(line);
    if (points.size() > 1 &&
        (row == group.subject() ||
         std::ranges::find(kControlsOfQuality, row->mechanism) != kControlsOfQuality.end())) {
      const By by = row->cells.size() > 1 ? By::kSeeds : By::kRecord;
      claims.add(escape(group.title + ", beyond the trained context: perplexity per byte from ") +
                     tokens(points.front().x) + " to "_html + tokens(points.back().x) +
                     " tokens"_html,
                 marked(row->mechanism, row->label) + " "_html +
                     number(points.front().y, points.front().interval, "1", by) + " to "_html +
                     number(points.back().y, points.back().interval, "1", by));
    }
  }
  for (const Html& sentence : claims.sentences()) section.findings.push_back(sentence);
  section.blocks.push_back(table);
}

struct CurveFigure {
  const char *series, *title;
  AxisSpec x;
  const char* caption;
  bool trained_only;
};
const CurveFigure kFigures[] = {
    {"loss_by_offset",
     "loss by offset in the block",
     {"offset in the block (tokens)"},
     "A token at offset 0 of a block sees nothing of the past through block attention alone.",
     true},
    {"loss_by_position",
     "loss by position in the window",
     {"position in the window (tokens)", Scale::kTokens},
     "Falls as long as more past helps. Each point stands for the positions from there to "
     "the next; the first token, which sees no past, is left out.",
     true},
    {"training_loss",
     "training loss",
     {"step"},
     "Mean over seeds; models that are not trained are shown too.",
     false},
};

}  // namespace

std::vector<Section> model_curves(const Results& results) {
  Section section{"curves", "Context, position and training", {}, {}};
  for (const ModelGroup& group : model_groups(results)) {
    if (group.mechanisms() < 2) continue;  // a grid of one mechanism has a figure of its own
    add_extrapolation(group, section);
    for (const CurveFigure& figure : kFigures) {
      const auto curves = series_curves(shown(group, figure.trained_only), figure.series);
      if (curves.empty()) continue;
      const bool dots = curves.front().points.size() <= 20;
      section.blocks.push_back(Figure{slug(std::string(figure.series) + " " + group.title),
                                      fmt::format("{}: {}", group.title, figure.title),
                                      line_chart(figure.x, {"loss (bit/byte)"}, curves, {}, dots),
                                      escape(figure.caption), group.origin});
    }
  }
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
