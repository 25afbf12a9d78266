// SPDX-License-Identifier: MIT
#include "experiments/harness/run/mechanism_facts.h"

#include <set>

#include "baselines/table.h"
#include "lavo/core/files.h"
#include "reports/records/lines.h"
#include "reports/records/run_directory.h"

namespace lavo {

void write_mechanism_facts(const std::filesystem::path& directory, const Plan& plan) {
  make_directory(directory / "mechanisms");
  std::set<std::string> names;
  for (const Cell& cell : plan.cells) {
    const json name = cell.axes.value("mechanism", json());
    if (is_plain_name(name)) names.insert(name);
  }
  for (const std::string& name : names) {
    const Entry& entry = find_mechanism(name);
    json options = json::object();
    for (const OptionInfo& option : entry.options) options[option.name] = option.default_value;
    const json facts = {{"title", entry.title},
                        {"citation", entry.citation},
                        {"group", entry.group},
                        {"options", std::move(options)}};
    write_atomically(directory / "mechanisms" / (name + ".json"), json_text(facts, 1));
  }
}

}  // namespace lavo
