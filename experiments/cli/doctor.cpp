// SPDX-License-Identifier: MIT
#include "experiments/cli/command.h"
#include "experiments/harness/machine/environment.h"

namespace lavo {
namespace {

void print_object(const json& object, const std::string& indent) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_object() || (value.is_array() && !value.empty() && value[0].is_object())) {
      if (value.empty()) continue;
      fmt::print("{}{}:\n", indent, name);
      for (const json& part : value.is_array() ? value : json::array({value})) {
        print_object(part, indent + "  ");
      }
    } else {
      const std::string text = value.is_null()     ? "-"
                               : value.is_string() ? value.get<std::string>()
                                                   : value.dump();
      fmt::print("{}{:24} {}\n", indent, name, text);
    }
  }
}

}  // namespace

void add_doctor(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand(
      "doctor", "This machine, this build, and what makes measurements here unreliable");
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "The environment record and the troubles as JSON");
  command->footer(
      "Exits with 0 whatever it finds; each trouble is a line that begins with !.\n"
      "Examples:\n"
      "  lavo-bench doctor\n"
      "  lavo-bench doctor --json | jq .troubles");
  command->callback([=, &exit_code] {
    json environment = read_environment();
    const std::vector<std::string> troubles = find_troubles(environment);
    if (*as_json) {
      environment["troubles"] = troubles;
      fmt::print("{}\n", environment.dump(1, ' ', false, json::error_handler_t::replace));
    } else {
      for (const char* part : {"machine", "build", "circumstance"}) {
        fmt::print("{}\n", part);
        print_object(environment[part], "  ");
      }
      for (const std::string& trouble : troubles) fmt::print("! {}\n", trouble);
      if (troubles.empty()) fmt::print("nothing here speaks against measuring\n");
    }
    exit_code = kSuccess;
  });
}

}  // namespace lavo
