// SPDX-License-Identifier: MIT
// Machine, build and circumstance of every environment that the cells ran in.
#include "reports/page/sections.h"

namespace lavo::report {

std::vector<Section> environments(const Results& results) {
  Section section{"environment", "Environment", {}, {}};
  for (const auto& [id, environment] : results.environments.items()) {
    Table table{"Environment " + id, {"part", "name", "value"}, {}};
    for (const auto& [part, fields] : environment.items()) {
      if (!fields.is_object()) continue;
      for (const auto& [name, value] : fields.items()) {
        Html shown = escape(value.is_null() ? "–" : axis_text(value));
        if (value.is_number()) {
          shown = number(value, name.ends_with("_bytes") ? "B" : "1");
        }
        table.rows.push_back({{escape(part)}, {escape(name)}, {shown}});
      }
    }
    section.blocks.push_back(table);
  }
  return {section};
}

}  // namespace lavo::report
