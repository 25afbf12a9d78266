// SPDX-License-Identifier: MIT
// Enumerations that files and people write as words.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lavo/core/check.h"

namespace lavo {

/// How a cell ended; only kOk has values.
enum class Status {
  kOk,
  kOutOfMemory,
  kTimeout,
  kNotFinite,
  kWrong,  ///< the result disagreed with the float64 reference, and was not timed
  kError,
  kCrashed,
  kSkipped
};

/// Which way is an improvement.
enum class Better { kLower, kHigher, kNone };

/// What makes a metric vary, and so what a difference means.
enum class Kind {
  kTiming,  ///< noise
  kExact,   ///< nothing: bytes, FLOPs
  kBound,   ///< an error that must stay below a tolerance
  kSeeded   ///< the seed alone
};

template <class E>
struct WordsOf;
template <>
struct WordsOf<Status> {
  static constexpr const char* noun = "status";
  static const std::vector<std::string> words;
};
template <>
struct WordsOf<Better> {
  static constexpr const char* noun = "direction";
  static const std::vector<std::string> words;
};
template <>
struct WordsOf<Kind> {
  static constexpr const char* noun = "kind";
  static const std::vector<std::string> words;
};
template <class E>
concept HasWords = requires {
  WordsOf<E>::words;
};

/// "out_of_memory"
template <HasWords E>
const std::string& word(E value) {
  return WordsOf<E>::words.at(static_cast<size_t>(value));
}

/// Throws InputError naming `place`, with the nearest word.
template <HasWords E>
E parse_word(std::string_view text, const std::string& place) {
  const auto& words = WordsOf<E>::words;
  const auto found = std::ranges::find(words, text);
  require<InputError>(found != words.end(), "{}: {}", place,
                      unknown_name(WordsOf<E>::noun, text, words));
  return static_cast<E>(found - words.begin());
}

template <HasWords E>
void to_json(nlohmann::json& to, E value) {
  to = word(value);
}
template <HasWords E>
void from_json(const nlohmann::json& from, E& value) {
  value = parse_word<E>(from.get_ref<const std::string&>(), "record");
}
template <HasWords E>
std::string_view format_as(E value) {
  return word(value);
}

}  // namespace lavo
