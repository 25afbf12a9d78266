// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lavo {

/// A text that may quote names with line breaks, terminal codes and what else no medium takes (all
/// control characters, line separators, U+FFFE), with those shown: \n, \x1b, \u2028. What every
/// other escape (HTML, XML, Markdown) begins with.
std::string on_one_line(std::string_view text);

/// What the user can mend, on one line. The command line prints it and exits with 2.
struct Error : std::runtime_error {
  explicit Error(std::string_view text) : std::runtime_error(on_one_line(text)) {}
};
struct OptionError : Error {  ///< an option's name, kind or value
  explicit OptionError(std::string_view text, std::string_view blamed = "")
      : Error(text), option(blamed) {}
  std::string option;  ///< the one to blame, for who knows where it was written; "": not known
};
struct ShapeError : Error {  ///< a tensor's shape or type, or a pattern that a mechanism refuses
  using Error::Error;
};
struct InputError : Error {  ///< a file, or the command line
  using Error::Error;
};

template <class E = Error, class... Values>
[[noreturn]] void fail(fmt::format_string<Values...> text, Values&&... values) {
  throw E(fmt::format(text, std::forward<Values>(values)...));
}

/// Throws E with the formatted text unless `condition` holds.
template <class E = Error, class... Values>
void require(bool condition, fmt::format_string<Values...> text, Values&&... values) {
  if (!condition) throw E(fmt::format(text, std::forward<Values>(values)...));
}

/// Throws OptionError, which blames `option`, unless `condition` holds.
template <class... Values>
void require_option(bool condition, std::string_view option, fmt::format_string<Values...> text,
                    Values&&... values) {
  if (!condition) throw OptionError(fmt::format(text, std::forward<Values>(values)...), option);
}

/// ", did you mean 'x'?" for the known name nearest to `got` by edit distance, or "" when none is
/// near.
std::string did_you_mean(std::string_view got, const std::vector<std::string>& known);

/// "unknown mechanism 'perfomer', did you mean 'performer'? mechanisms: a, b, c"
std::string unknown_name(std::string_view noun, std::string_view got,
                         const std::vector<std::string>& known);

}  // namespace lavo
