// SPDX-License-Identifier: MIT
#include "lavo/core/options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string shown(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

class Lister final : public OptionVisitor {
 public:
  std::vector<OptionInfo> infos;

  void integer(const char* name, int64_t& field, Range range, const char* meaning,
               Small small) override {
    infos.push_back({name, "integer", range.text(), field, meaning});
    if (small.size) infos.back().small = *small.size;
  }
  void integer(const char* name, std::optional<int64_t>& field, Range range, const char* meaning,
               Small small) override {
    infos.push_back({name, "integer", range.text(), field ? json(*field) : json(), meaning});
    if (small.size) infos.back().small = *small.size;
  }
  void number(const char* name, double& field, Range range, const char* meaning) override {
    infos.push_back({name, "number", range.text(), field, meaning});
  }
  void number(const char* name, std::optional<double>& field, Range range,
              const char* meaning) override {
    infos.push_back({name, "number", range.text(), field ? json(*field) : json(), meaning});
  }
  void number_or_word(const char* name, NumberOrWord& field, Range range,
                      const std::vector<std::string>& words, const char* meaning) override {
    std::optional<NumberOrWord> given = field;
    number_or_word(name, given, range, words, meaning);
  }
  void number_or_word(const char* name, std::optional<NumberOrWord>& field, Range range,
                      const std::vector<std::string>& words, const char* meaning) override {
    infos.push_back({name, "number or choice",
                     fmt::format("{}, or {}", range.text(), fmt::join(words, ", ")), json(),
                     meaning});
    if (field)
      infos.back().default_value = field->word.empty() ? json(field->number) : json(field->word);
  }
  void boolean(const char* name, bool& field, const char* meaning) override {
    infos.push_back({name, "boolean", "true, false", field, meaning});
  }
  void text(const char* name, std::string& field, const char* meaning) override {
    infos.push_back({name, "text", "any text", field, meaning});
  }
  void later(const std::function<void()>& visit_fields) override {
    const size_t first = infos.size();
    visit_fields();
    for (size_t i = first; i < infos.size(); ++i) infos[i].later = true;
  }

 protected:
  void choice_value(const char* name, std::optional<int>& value,
                    const std::vector<std::string>& names, const char* meaning) override {
    infos.push_back({name, "choice", fmt::format("{}", fmt::join(names, ", ")),
                     value ? json(names.at(static_cast<size_t>(*value))) : json(), meaning});
  }
};

class Reader final : public OptionVisitor {
 public:
  Reader(const std::string& owner, const std::string& noun, const json& given)
      : owner_(owner), noun_(noun), given_(given) {}

  void integer(const char* name, int64_t& field, Range range, const char*, Small) override {
    if (const json* value = find(name)) field = to_integer(name, *value, range);
  }
  void integer(const char* name, std::optional<int64_t>& field, Range range, const char*,
               Small) override {
    if (const json* value = find(name)) field = to_integer(name, *value, range);
  }
  void number(const char* name, double& field, Range range, const char*) override {
    if (const json* value = find(name)) field = to_number(name, *value, range);
  }
  void number(const char* name, std::optional<double>& field, Range range, const char*) override {
    if (const json* value = find(name)) field = to_number(name, *value, range);
  }
  void number_or_word(const char* name, NumberOrWord& field, Range range,
                      const std::vector<std::string>& words, const char*) override {
    if (const json* value = find(name))
      field = to_number_or_word(name, *value, range, words, field.number);
  }
  void number_or_word(const char* name, std::optional<NumberOrWord>& field, Range range,
                      const std::vector<std::string>& words, const char*) override {
    if (const json* value = find(name)) field = to_number_or_word(name, *value, range, words, 0);
  }
  void boolean(const char* name, bool& field, const char*) override {
    if (const json* value = find(name)) {
      if (!value->is_boolean()) refuse(name, *value, "true or false");
      field = value->get<bool>();
    }
  }
  void text(const char* name, std::string& field, const char*) override {
    if (const json* value = find(name)) {
      if (!value->is_string()) refuse(name, *value, "text");
      field = value->get<std::string>();
    }
  }

 protected:
  void choice_value(const char* name, std::optional<int>& value,
                    const std::vector<std::string>& names, const char*) override {
    const json* got = find(name);
    if (!got) return;
    const std::string word = got->is_string() ? got->get<std::string>() : "";
    const auto found = std::find(names.begin(), names.end(), word);
    if (!got->is_string() || found == names.end()) {
      refuse(name, *got,
             fmt::format("one of {}{}", fmt::join(names, ", "), did_you_mean(word, names)));
    }
    value = static_cast<int>(found - names.begin());
  }

 private:
  const json* find(const char* name) const {
    const auto it = given_.find(name);
    return it == given_.end() || it->is_null() ? nullptr : &*it;
  }
  [[noreturn]] void refuse(const char* name, const json& got, const std::string& wanted) const {
    throw OptionError(
        fmt::format("{}: {} '{}' must be {}, got {}", owner_, noun_, name, wanted, shown(got)),
        name);
  }
  int64_t to_integer(const char* name, const json& value, Range range) const {
    const bool fits =
        value.is_number_integer() &&
        !(value.is_number_unsigned() &&
          value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
    if (!fits || !range.contains(static_cast<double>(value.get<int64_t>()))) {
      refuse(name, value, fmt::format("an integer {}", range.text()));
    }
    return value.get<int64_t>();
  }
  double to_number(const char* name, const json& value, Range range) const {
    if (!value.is_number() || !range.contains(value.get<double>())) {
      refuse(name, value, fmt::format("a number {}", range.text()));
    }
    return value.get<double>() + 0.0;  // -0.0 is 0.0: one number has one spelling
  }

  NumberOrWord to_number_or_word(const char* name, const json& value, Range range,
                                 const std::vector<std::string>& words, double otherwise) const {
    if (!value.is_string()) return {.number = to_number(name, value, range), .word = ""};
    const auto word = value.get<std::string>();
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      refuse(name, value,
             fmt::format("a number {}, or {}{}", range.text(), fmt::join(words, ", "),
                         did_you_mean(word, words)));
    }
    return {.number = otherwise, .word = word};
  }

  const std::string& owner_;
  const std::string& noun_;
  const json& given_;
};

}  // namespace

bool Range::contains(double x) const {
  return std::isfinite(x) && (low_included ? x >= low : x > low) &&
         (high_included ? x <= high : x < high);
}

std::string Range::text() const {
  if (high == kInfinity && low == -kInfinity) return "any";
  if (high == kInfinity) return fmt::format("{} {}", low_included ? ">=" : ">", low);
  if (low_included && high_included) return fmt::format("{} ... {}", low, high);
  return fmt::format("{}{}, {}{}", low_included ? '[' : '(', low, high, high_included ? ']' : ')');
}

Range between(double low, double high) { return {low, high}; }
Range above(double low) { return {low, kInfinity, false, false}; }
Range at_least(double low) { return {low, kInfinity, true, false}; }

namespace detail {

void read_fields(const std::string& owner, const std::string& noun, const json& given, Visit visit,
                 void* options) {
  require<OptionError>(given.is_object(), "{}: {}s must be a JSON object, got {}", owner, noun,
                       shown(given));
  std::vector<std::string> names;
  for (const OptionInfo& info : list_fields(visit, options)) names.push_back(info.name);
  for (const auto& [key, value] : given.items()) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    require_option(!names.empty(), key, "{}: unknown {} '{}', it has none", owner, noun, key);
    throw OptionError(fmt::format("{}: {}", owner, unknown_name(noun, key, names)), key);
  }
  Reader reader(owner, noun, given);
  visit(options, reader);
}

json write_fields(Visit visit, void* options) {
  json result = json::object();
  for (const OptionInfo& info : list_fields(visit, options)) {
    result[info.name] = info.default_value;
  }
  return result;
}

std::vector<OptionInfo> list_fields(Visit visit, void* options) {
  Lister lister;
  visit(options, lister);
  return lister.infos;
}

}  // namespace detail
}  // namespace lavo
