// SPDX-License-Identifier: MIT
#include "reports/compare/verdict.h"

#include <array>

#include "lavo/core/check.h"

namespace lavo::compare {
namespace {

constexpr std::array<std::string_view, 11> kWords = {
    "broke", "slower", "worse",  "missing", "incomparable", "inconclusive",
    "new",   "fixed",  "faster", "better",  "same"};

}  // namespace

std::string_view word(Verdict verdict) { return kWords.at(static_cast<size_t>(verdict)); }

Verdict parse_verdict(std::string_view text, const std::string& place) {
  for (size_t i = 0; i < kWords.size(); ++i) {
    if (kWords[i] == text) return static_cast<Verdict>(i);
  }
  fail<InputError>("{}: {}", place, unknown_name("verdict", text, {kWords.begin(), kWords.end()}));
}

}  // namespace lavo::compare
