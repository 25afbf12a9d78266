// SPDX-License-Identifier: MIT
// Options declared once: a struct with one `visit` names each field, its range and its meaning; the
// reader, the writer and the listing all walk that declaration.
//
//   struct LinearOptions {
//     double epsilon = 1e-6;
//     void visit(OptionVisitor& v) {
//       v.number("epsilon", epsilon, above(0), "added to the normaliser");
//     }
//   };
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lavo {

using json = nlohmann::json;

/// Allowed numbers: low to high, each end included or not.
struct Range {
  double low;
  double high;
  bool low_included = true;
  bool high_included = true;
  bool contains(double x) const;
  std::string text() const;  ///< "1 ... 64", "> 0", ">= 0", "(0, 1]"
};
Range between(double low, double high);
Range above(double low);     ///< > low
Range at_least(double low);  ///< >= low

/// A number, or one of a few words ("learned").
struct NumberOrWord {
  double number = 0;
  std::string word;  ///< empty when it is a number
  bool is(std::string_view w) const { return word == w; }
};

/// What `list` says of an option.
struct OptionInfo {
  std::string name;
  std::string kind;     ///< integer, number, boolean, choice, "number or choice"
  std::string allowed;  ///< "1 ... 65536", "true, false", "relative, none"
  json default_value;   ///< null: unset, resolved by what it is used for
  std::string meaning;
  json small = {};     ///< a size for tests, where the default is large
  bool later = false;  ///< enters a cell's id only where it is not its default
};

/// A size for tests, beside an option whose default is large.
struct Small {
  std::optional<int64_t> size = {};
};
inline Small small(int64_t size) { return {size}; }

/// Walks the fields of an options struct; each visitor does one thing with them.
class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  virtual void integer(const char* name, int64_t& field, Range range, const char* meaning,
                       Small small = {}) = 0;
  virtual void integer(const char* name, std::optional<int64_t>& field, Range range,
                       const char* meaning, Small small = {}) = 0;
  virtual void number(const char* name, double& field, Range range, const char* meaning) = 0;
  virtual void number(const char* name, std::optional<double>& field, Range range,
                      const char* meaning) = 0;
  virtual void number_or_word(const char* name, NumberOrWord& field, Range range,
                              const std::vector<std::string>& words, const char* meaning) = 0;
  virtual void number_or_word(const char* name, std::optional<NumberOrWord>& field, Range range,
                              const std::vector<std::string>& words, const char* meaning) = 0;
  virtual void boolean(const char* name, bool& field, const char* meaning) = 0;
  virtual void text(const char* name, std::string& field, const char* meaning) = 0;

  /// Visits fields that a struct got after cells with it were first named by a hash of its fields.
  /// They enter that hash only where they are not at their defaults, so the older names last.
  virtual void later(const std::function<void()>& visit_fields) { visit_fields(); }

  /// An enum whose values 0, 1, 2 ... have these names, in order.
  template <class Enum>
  void choice(const char* name, Enum& field, const std::vector<std::string>& names,
              const char* meaning) {
    std::optional<int> value = static_cast<int>(field);
    choice_value(name, value, names, meaning);
    if (value) field = static_cast<Enum>(*value);
  }
  template <class Enum>
  void choice(const char* name, std::optional<Enum>& field, const std::vector<std::string>& names,
              const char* meaning) {
    std::optional<int> value;
    if (field) value = static_cast<int>(*field);
    choice_value(name, value, names, meaning);
    field.reset();
    if (value) field = static_cast<Enum>(*value);
  }

 protected:
  virtual void choice_value(const char* name, std::optional<int>& value,
                            const std::vector<std::string>& names, const char* meaning) = 0;
};

namespace detail {
using Visit = void (*)(void* options, OptionVisitor& visitor);
void read_fields(const std::string& owner, const std::string& noun, const json& given, Visit visit,
                 void* options);
json write_fields(Visit visit, void* options);
std::vector<OptionInfo> list_fields(Visit visit, void* options);
template <class Options>
constexpr Visit visit_of =
    [](void* options, OptionVisitor& v) { static_cast<Options*>(options)->visit(v); };
}  // namespace detail

/// Reads a JSON object. Refuses an unknown key, a wrong kind (1.5 for an integer) and a value out
/// of range with one line that names `owner`, the option, what was got and what is allowed. Null
/// leaves an option unset.
template <class Options>
Options read_options(const std::string& owner, const json& given,
                     const std::string& noun = "option") {
  Options options;
  detail::read_fields(owner, noun, given, detail::visit_of<Options>, &options);
  return options;
}

/// Every option with its value, unset ones as null.
template <class Options>
json write_options(Options options) {
  return detail::write_fields(detail::visit_of<Options>, &options);
}

template <class Options>
std::vector<OptionInfo> list_options() {
  Options options;
  return detail::list_fields(detail::visit_of<Options>, &options);
}

}  // namespace lavo
