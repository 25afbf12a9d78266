// SPDX-License-Identifier: MIT
#include "reports/records/toml_text.h"

#include <algorithm>

#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr int kMostParts = 10;

/// Behind the text in quotes that begins at `at`; it may have three quotes and go over lines.
size_t end_of_quoted(std::string_view text, size_t at) {
  const char quote = text[at];
  const bool is_long = text.substr(at, 3) == std::string(3, quote);
  const std::string closing(is_long ? 3 : 1, quote);
  for (size_t i = at + closing.size(); i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text.substr(i, closing.size()) == closing) {
      i += closing.size();
      // Up to two quotes at the end of a long text belong to it.
      for (int more = 0; is_long && more < 2 && i < text.size() && text[i] == quote; ++more) ++i;
      return i;
    } else if (!is_long && text[i] == '\n') {
      return i;  // a mistake, which the parser refuses
    }
  }
  return text.size();
}

/// Where the first key has too many parts; npos where none has. Also counts 1.5.2 and the like,
/// which are no TOML.
size_t find_longer_key(std::string_view text) {
  int dots = 0;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = end_of_quoted(text, i);
      continue;
    }
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    const bool in_key = std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ||
                        c == ' ' || c == '\t';
    if (c == '.') {
      if (++dots >= kMostParts) return i;
    } else if (!in_key) {
      dots = 0;
    }
    ++i;
  }
  return text.npos;
}

}  // namespace

toml::table parse_toml(std::string_view text, const std::string& file) {
  if (const size_t at = find_longer_key(text); at != text.npos) {
    const std::string_view before = text.substr(0, at);
    fail<InputError>("{}:{}:{}: a key of more than {} parts", file,
                     std::ranges::count(before, '\n') + 1, at - (before.rfind('\n') + 1) + 1,
                     kMostParts);
  }
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    fail<InputError>("{}:{}:{}: not TOML: {}", file, at.line, at.column, error.description());
  }
}

}  // namespace lavo
