// SPDX-License-Identifier: MIT
#include "lavo/core/check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace lavo {
namespace {

/// Levenshtein distance, with a swap of two neighbours counted as one edit.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] =
          std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string on_one_line(std::string_view text) {
  // In UTF-8: U+2028, U+2029; U+FFFE, U+FFFF.
  constexpr std::pair<std::string_view, std::string_view> kNamed[] = {{"\xe2\x80\xa8", "\\u2028"},
                                                                      {"\xe2\x80\xa9", "\\u2029"},
                                                                      {"\xef\xbf\xbe", "\\ufffe"},
                                                                      {"\xef\xbf\xbf", "\\uffff"},
                                                                      {"\n", "\\n"}};
  std::string line;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto code = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const auto named = std::ranges::find_if(
        kNamed, [&](const auto& each) { return text.substr(i).starts_with(each.first); });
    if (named != std::end(kNamed)) {
      line += named->second;
      i += named->first.size() - 1;
    } else if (code < 0x20 || code == 0x7f) {
      line += fmt::format("\\x{:02x}", code);
    } else if (code == 0xc2 && next >= 0x80 && next < 0xa0) {  // U+0080 to U+009F
      line += fmt::format("\\x{:02x}", next);
      ++i;
    } else {
      line += text[i];
    }
  }
  return line;
}

std::string did_you_mean(std::string_view got, const std::vector<std::string>& known) {
  const auto nearest = std::min_element(known.begin(), known.end(), [&](auto& x, auto& y) {
    return edit_distance(got, x) < edit_distance(got, y);
  });
  if (nearest == known.end()) return "";
  const size_t limit = std::max<size_t>(2, std::max(got.size(), nearest->size()) * 2 / 5);
  if (edit_distance(got, *nearest) > limit) return "";
  return fmt::format(", did you mean '{}'?", *nearest);
}

std::string unknown_name(std::string_view noun, std::string_view got,
                         const std::vector<std::string>& known) {
  const std::string hint = did_you_mean(got, known);
  const std::string all = noun == "axis" ? "axes" : fmt::format("{}s", noun);
  return fmt::format("unknown {} '{}'{} {}: {}", noun, got, hint.empty() ? "," : hint, all,
                     fmt::join(known, ", "));
}

}  // namespace lavo
