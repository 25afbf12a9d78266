// SPDX-License-Identifier: MIT
// Quality against cost: which models are beaten by none in both.
#include <algorithm>

#include "reports/page/models.h"
#include "reports/page/seeds.h"

namespace lavo::report {

std::vector<Section> quality_over_time(const Results& results) {
  Section section{"pareto", "Quality over time", {}, {}};
  for (const ModelGroup& group : model_groups(results)) {
    std::vector<ScatterPoint> points;
    for (const Variant& row : group.rows) {
      const auto loss = over_seeds(row.cells, "bits_per_byte");
      const auto rate = over_seeds(row.cells, "tokens_per_second");
      if (!rate || rate->value <= 0 || group.is_untrained(row)) continue;
      points.push_back({row.label, row.mechanism, 1e6 / rate->value, loss->value, loss->interval});
    }
    if (points.size() < 2) continue;
    for (ScatterPoint& point : points) {
      point.named = std::ranges::none_of(points, [&](const ScatterPoint& other) {
        return other.x <= point.x && other.y <= point.y && (other.x < point.x || other.y < point.y);
      });
    }
    section.blocks.push_back(Figure{
        slug("pareto " + group.title), group.title + ": loss over training time per token",
        scatter_chart({"training time per token (µs)", Scale::kLog}, {"loss (bit/byte)"}, points),
        escape("Down and left is better; named are those that no other beats in both. Time per "
               "token is 1 / tokens_per_second, forward and backward, of the whole model, while "
               "another model may train on each other core; models that are not trained are left "
               "out."),
        group.origin});
    Table table{group.title + ": beaten by none in both loss and time",
                {"model", "loss", "training time per token"},
                {}};
    for (const ScatterPoint& point : points) {
      if (!point.named) continue;
      const auto row = std::ranges::find(group.rows, point.label, &Variant::label);
      const By by = row->cells.size() > 1 ? By::kSeeds : By::kRecord;
      table.rows.push_back({{marked(point.mechanism, point.label)},
                            {number(point.y, point.interval, "bit/byte", by), point.y},
                            {number(point.x, "µs", By::kReciprocal), point.x}});
    }
    section.blocks.push_back(table);
  }
  if (section.blocks.empty()) return {};
  return {section};
}

}  // namespace lavo::report
