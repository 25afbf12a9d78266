// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/sweep.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "experiments/harness/sweep/limits.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/records/toml_text.h"

namespace lavo {
namespace {

constexpr size_t kMostCells = 1'000'000;
// Of a state. Real ones of about this size are made to be counted.
constexpr int64_t kFewestBytes = 4, kMostBytes = int64_t{1} << 26;

std::string kind_of(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return node.as_array()->is_array_of_tables() ? "tables" : "a list";
  if (node.is_string()) return "text";
  if (node.is_integer()) return "an integer";
  if (node.is_floating_point()) return "a number";
  if (node.is_boolean()) return "true or false";
  return "a date or time";
}

/// Throws InputError, which begins with the place, where an axis of this name has other values.
void check_match_values(const Axis& axis) {
  for (const json& value : axis.values) {
    if (axis.name == kMatchStateBytes) {
      const bool is_size =
          value.is_number_integer() && value >= kFewestBytes && value <= kMostBytes;
      require<InputError>(is_size,
                          "{}: '{}' must be an integer {} ... {}, bytes of a state, got {}",
                          axis.place, axis.name, kFewestBytes, kMostBytes, value.dump());
    } else if (axis.name == kMatchStateBy) {
      require<InputError>(value.is_string(),
                          "{}: '{}' must be text, the name of an axis or option, "
                          "got {}",
                          axis.place, axis.name, value.dump());
    }
  }
}

/// Reads the parts of one file; every message starts with the place in it.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  std::string place(const toml::source_region& source) const {
    return fmt::format("{}:{}:{}", file_, source.begin.line, source.begin.column);
  }
  std::string place(const toml::node& node) const { return place(node.source()); }

  /// The table under `key`, or null; anything else is refused.
  const toml::table* table(const toml::table& in, std::string_view key) const {
    const toml::node* node = in.get(key);
    if (!node) return nullptr;
    require<InputError>(node->is_table(), "{}: [{}] must be a table, got {}", place(*node), key,
                        kind_of(*node));
    return node->as_table();
  }
  std::vector<const toml::table*> tables(const toml::table& in, std::string_view key) const {
    std::vector<const toml::table*> found;
    const toml::node* node = in.get(key);
    if (!node) return found;
    require<InputError>(node->is_array(), "{}: [[{}]] must be tables, got {}", place(*node), key,
                        kind_of(*node));
    for (const toml::node& item : *node->as_array()) {
      require<InputError>(item.is_table(), "{}: [[{}]] must be tables, got {}", place(item), key,
                          kind_of(item));
      found.push_back(item.as_table());
    }
    return found;
  }
  std::string text(const toml::table& in, std::string_view key,
                   const std::string& otherwise) const {
    const toml::node* node = in.get(key);
    if (!node) return otherwise;
    require<InputError>(node->is_string(), "{}: '{}' must be text, got {}", place(*node), key,
                        kind_of(*node));
    return node->as_string()->get();
  }
  void known_keys(const toml::table& in, const std::string& noun,
                  const std::vector<std::string>& known) const {
    for (const auto& [key, node] : in) {
      if (std::ranges::find(known, key.str()) != known.end()) continue;
      fail<InputError>("{}: {}", place(key.source()), unknown_name(noun, key.str(), known));
    }
  }

  json value(const std::string& name, const toml::node& node) const {
    if (node.is_string()) return node.as_string()->get();
    if (node.is_integer()) return node.as_integer()->get();
    if (node.is_boolean()) return node.as_boolean()->get();
    if (node.is_floating_point()) {
      const double number = node.as_floating_point()->get();
      require<InputError>(std::isfinite(number), "{}: '{}' must be finite, got {}", place(node),
                          name, number);
      return number;
    }
    fail<InputError>("{}: '{}' must be a number, text, true or false, got {}", place(node), name,
                     kind_of(node));
  }

  /// The values of a table in the order of the file. Lists only where `lists` says so.
  std::vector<Axis> axes(const toml::table* in, const std::string& where, bool lists) const {
    std::vector<Axis> result;
    if (!in) return result;
    std::vector<std::pair<const toml::key*, const toml::node*>> entries;
    for (const auto& [key, node] : *in) entries.emplace_back(&key, &node);
    std::ranges::sort(entries, {}, [](const auto& entry) {
      const auto& at = entry.first->source().begin;
      return std::pair(at.line, at.column);
    });
    for (const auto& [key, node] : entries) result.push_back(axis(*key, *node, where, lists));
    return result;
  }

  /// Those of match_state_* that stand in the file itself, or in a profile.
  std::vector<Axis> matching(const toml::table& in) const {
    std::vector<Axis> result;
    for (const auto& [key, node] : in) {
      if (is_match_key(key.str())) result.push_back(axis(key, node, "the file", /*lists=*/true));
    }
    return result;
  }

  Expression condition(const toml::table& in, const std::string& table) const {
    const toml::node* when = in.get("when");
    require<InputError>(when, "{}: [[{}]] has no 'when'", place(in), table);
    return {text(in, "when", ""), place(*when)};
  }

  Only only(const toml::table& in) const {
    known_keys(in, "key", {"when", "keep"});
    Only result{condition(in, "only"), {}};
    const toml::node* keep = in.get("keep");
    require<InputError>(keep && keep->is_array() && !keep->as_array()->empty(),
                        "{}: [[only]] wants keep = [\"axis\", ...]", place(keep ? *keep : in));
    for (const toml::node& item : *keep->as_array()) {
      require<InputError>(item.is_string(), "{}: 'keep' must list names, got {}", place(item),
                          kind_of(item));
      const std::string name = item.as_string()->get();
      const auto& used = result.when.names();
      require<InputError>(std::ranges::find(used, name) == used.end(),
                          "{}: '{}' cannot depend on itself: 'keep' lists the axes that mean "
                          "something only where 'when' holds",
                          place(item), name);
      result.keep.push_back(name);
    }
    return result;
  }

  json limits(const toml::table* in) const {
    json result = json::object();
    if (!in) return result;
    for (const Axis& limit : axes(in, "limits", false)) {
      result[limit.name] = limit.values.front();
      try {
        read_options<Limits>("[limits]", json{{limit.name, limit.values.front()}}, "limit");
        if (limit.name == "cell_timeout") {
          parse_timeout(limit.values.front().get<std::string>(), "cell_timeout");
        }
      } catch (const OptionError& error) {
        fail<InputError>("{}: {}", limit.place, error.what());
      }
    }
    return result;
  }

 private:
  Axis axis(const toml::key& key, const toml::node& node, const std::string& where,
            bool lists) const {
    Axis axis{std::string(key.str()), {}, place(key.source())};
    require<InputError>(!is_match_key(axis.name) || (where != "fixed" && where != "axes"),
                        "{}: '{}' is no axis: it stands above the tables of the file, in "
                        "[profile.NAME] or in [[cells]], got it in [{}]",
                        axis.place, axis.name, where);
    if (const toml::array* list = node.as_array()) {
      require<InputError>(lists,
                          "{}: '{}' in [{}] must be one value, got a list: lists are for [axes]",
                          axis.place, axis.name, where);
      require<InputError>(!list->empty(), "{}: '{}' in [{}] has no values", axis.place, axis.name,
                          where);
      for (const toml::node& item : *list) axis.values.push_back(value(axis.name, item));
      axis.is_list = true;
    } else {
      // A word may stand for a list of mechanisms.
      require<InputError>(where != "axes" || (axis.name == "mechanism" && node.is_string()),
                          "{}: '{}' in [axes] must be a list, got {}", axis.place, axis.name,
                          kind_of(node));
      axis.values.push_back(value(axis.name, node));
    }
    check_match_values(axis);
    return axis;
  }

  std::string file_;
};

auto find(std::vector<Axis>& axes, const std::string& name) {
  return std::ranges::find(axes, name, &Axis::name);
}

void put(std::vector<Axis>& axes, const Axis& axis) {
  const auto found = find(axes, axis.name);
  if (found == axes.end()) {
    axes.push_back(axis);
  } else {
    *found = axis;
  }
}

void erase(std::vector<Axis>& axes, const std::string& name) {
  std::erase_if(axes, [&](const Axis& axis) { return axis.name == name; });
}

/// A list in [[cells]] is an axis too; a single value is that table's point.
void replace_lists(Sweep& sweep, const Axis& axis) {
  for (auto& table : sweep.cells) {
    const auto found = find(table, axis.name);
    if (found != table.end() && found->is_list) *found = axis;
  }
}

void apply_profile(Sweep& sweep, const Reader& reader, const toml::table& profile) {
  for (const Axis& axis : reader.matching(profile)) {
    put(sweep.match, axis);
    replace_lists(sweep, axis);
  }
  for (const Axis& axis : reader.axes(reader.table(profile, "fixed"), "fixed", false)) {
    erase(sweep.axes, axis.name);
    put(sweep.fixed, axis);
  }
  for (const Axis& axis : reader.axes(reader.table(profile, "axes"), "axes", true)) {
    sweep.has_product = sweep.has_product || sweep.cells.empty();
    if (sweep.has_product) {
      erase(sweep.fixed, axis.name);
      put(sweep.axes, axis);
    }
    replace_lists(sweep, axis);
  }
  sweep.limits.update(reader.limits(reader.table(profile, "limits")));
}

void multiply(const std::vector<Axis>& layers, int table, std::vector<Point>& points) {
  size_t count = 1;
  for (const Axis& axis : layers) {
    count *= axis.values.size();
    require<InputError>(count + points.size() <= kMostCells,
                        "{}: more than {} combinations: too many for one sweep", axis.place,
                        kMostCells);
  }
  for (size_t i = 0; i < count; ++i) {
    Point point{.table = table};
    size_t rest = i;
    for (auto axis = layers.rbegin(); axis != layers.rend(); ++axis) {
      point.axes[axis->name] = axis->values[rest % axis->values.size()];
      rest /= axis->values.size();
    }
    points.push_back(std::move(point));
  }
}

}  // namespace

void Sweep::override_axis(const Axis& axis) {
  check_match_values(axis);
  erase(fixed, axis.name);
  put(is_match_key(axis.name) ? match : axes, axis);
  for (auto& table : cells) put(table, axis);
}

void Sweep::check_match() const {
  const Axis* by = nullptr;
  const auto look = [&](const std::vector<Axis>& in, bool has_bytes) {
    for (const Axis& axis : in) {
      has_bytes = has_bytes || axis.name == kMatchStateBytes;
      if (axis.name == kMatchStateBy) by = &axis;
    }
    return has_bytes;
  };
  bool has_bytes = look(match, false);
  for (const auto& table : cells) has_bytes = look(table, has_bytes);
  require<InputError>(has_bytes || !by, "{}: '{}' stands without {}", by ? by->place : "",
                      kMatchStateBy, kMatchStateBytes);
}

std::string Sweep::place_of(const std::string& axis, int table) const {
  const auto search = [&](const std::vector<Axis>& in) -> const Axis* {
    const auto found = std::ranges::find(in, axis, &Axis::name);
    return found == in.end() ? nullptr : &*found;
  };
  if (table >= 0) {
    if (const Axis* found = search(cells[static_cast<size_t>(table)])) return found->place;
  } else if (const Axis* found = search(axes)) {
    return found->place;
  }
  const Axis* found = search(fixed);
  if (!found) found = search(match);
  return found ? found->place : "";
}

Sweep read_sweep(const std::filesystem::path& file, const std::string& profile) {
  const Reader reader(file.string());
  const toml::table root = parse_toml(read_text(file), file.string());
  reader.known_keys(root, "key",
                    {"name", "experiment", "description", kMatchStateBytes, kMatchStateBy, "fixed",
                     "axes", "cells", "only", "exclude", "limits", "profile"});
  Sweep sweep;
  sweep.file = file.string();
  sweep.name = reader.text(root, "name", file.stem().string());
  const bool is_plain = std::ranges::all_of(sweep.name, [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  });
  require<InputError>(is_plain && !sweep.name.empty() && sweep.name[0] != '.',
                      "{}: 'name' must be made of letters, digits, _, - and ., got '{}'",
                      root.contains("name") ? reader.place(*root.get("name")) : sweep.file,
                      sweep.name);
  require<InputError>(root.contains("experiment"), "{}:1:1: the file names no 'experiment'",
                      sweep.file);
  sweep.experiment = reader.text(root, "experiment", "");
  sweep.experiment_place = reader.place(*root.get("experiment"));
  sweep.description = reader.text(root, "description", "");
  sweep.match = reader.matching(root);
  sweep.fixed = reader.axes(reader.table(root, "fixed"), "fixed", false);
  sweep.axes = reader.axes(reader.table(root, "axes"), "axes", true);
  for (const Axis& axis : sweep.axes) {
    const auto twice = find(sweep.fixed, axis.name);
    require<InputError>(twice == sweep.fixed.end(), "{}: '{}' stands in [axes] and in [fixed] ({})",
                        axis.place, axis.name, twice == sweep.fixed.end() ? "" : twice->place);
  }
  for (const toml::table* table : reader.tables(root, "cells")) {
    sweep.cells.push_back(reader.axes(table, "cells", true));
  }
  sweep.has_product = sweep.cells.empty() || root.contains("axes");
  for (const toml::table* table : reader.tables(root, "only")) {
    sweep.only.push_back(reader.only(*table));
  }
  for (const toml::table* table : reader.tables(root, "exclude")) {
    reader.known_keys(*table, "key", {"when"});
    sweep.exclude.push_back(reader.condition(*table, "exclude"));
  }
  sweep.limits = reader.limits(reader.table(root, "limits"));
  if (const toml::table* profiles = reader.table(root, "profile")) {
    reader.known_keys(*profiles, "profile", kProfiles);
    for (const auto& [key, node] : *profiles) {
      require<InputError>(node.is_table(), "{}: [profile.{}] must be a table, got {}",
                          reader.place(node), key.str(), kind_of(node));
      reader.known_keys(*node.as_table(), "key",
                        {kMatchStateBytes, kMatchStateBy, "fixed", "axes", "limits"});
      // The others are read as well, so that a mistake shows whichever profile is run.
      Sweep other = sweep;
      apply_profile(key.str() == profile ? sweep : other, reader, *node.as_table());
    }
  }
  return sweep;
}

std::vector<Point> combinations(const Sweep& sweep) {
  std::vector<Point> points;
  std::vector<Axis> everywhere = sweep.match;
  everywhere.insert(everywhere.end(), sweep.fixed.begin(), sweep.fixed.end());
  if (sweep.has_product) {
    std::vector<Axis> layers = everywhere;
    layers.insert(layers.end(), sweep.axes.begin(), sweep.axes.end());
    multiply(layers, -1, points);
  }
  for (size_t i = 0; i < sweep.cells.size(); ++i) {
    std::vector<Axis> layers = everywhere;
    for (const Axis& axis : sweep.cells[i]) erase(layers, axis.name);
    layers.insert(layers.end(), sweep.cells[i].begin(), sweep.cells[i].end());
    multiply(layers, static_cast<int>(i), points);
  }
  return points;
}

}  // namespace lavo
