// SPDX-License-Identifier: MIT
#include "experiments/data/tokenizer.h"

#include <algorithm>
#include <map>
#include <set>

#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr size_t kMergeBytes = size_t{16} << 20;
using Word = std::vector<uint16_t>;

uint32_t pair_key(uint16_t left, uint16_t right) {
  return static_cast<uint32_t>(left) << 16 | right;
}

enum class Kind { kSpace, kLetter, kDigit, kMark };

Kind kind_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == ' ' || (c >= '\t' && c <= '\r')) return Kind::kSpace;
  if (byte > 127 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::kLetter;
  return c >= '0' && c <= '9' ? Kind::kDigit : Kind::kMark;
}

template <class Use>
void for_each_piece(std::string_view text, Use use) {
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    const auto run = [&] {
      const Kind kind = kind_of(text[end]);
      while (end < text.size() && kind_of(text[end]) == kind) ++end;
    };
    run();
    if (kind_of(text[begin]) == Kind::kSpace && end < text.size()) {
      if (end - begin == 1) {
        run();
      } else {
        --end;  // the last white space goes with the word after it
      }
    }
    use(text.substr(begin, end - begin));
    begin = end;
  }
}

Word spell(std::string_view piece) {
  Word word;
  for (const char c : piece) word.push_back(static_cast<unsigned char>(c));
  return word;
}

void merge_in(Word& word, uint16_t left, uint16_t right, uint16_t token) {
  size_t to = 0;
  for (size_t from = 0; from < word.size(); ++from) {
    const bool found = from + 1 < word.size() && word[from] == left && word[from + 1] == right;
    word[to++] = found ? token : word[from];
    if (found) ++from;
  }
  word.resize(to);
}

/// How often each pair of neighbours occurs, and in which words; kept up to date merge by merge.
class PairCounts {
 public:
  explicit PairCounts(const std::map<std::string, int64_t>& pieces) {
    for (const auto& [piece, count] : pieces) words_.emplace_back(spell(piece), count);
    for (size_t i = 0; i < words_.size(); ++i) add(i, 1);
  }

  /// The most frequent pair, and how often it occurs.
  std::pair<uint32_t, int64_t> best() const {
    std::pair<uint32_t, int64_t> result{0, 0};
    for (const auto& [pair, entry] : pairs_) {
      const int64_t count = entry.count;
      if (count > result.second || (count == result.second && pair < result.first)) {
        result = {pair, count};
      }
    }
    return result;
  }

  void merge(uint32_t pair, uint16_t token) {
    const std::set<size_t> words = pairs_[pair].words;
    for (const size_t i : words) {
      add(i, -1);
      merge_in(words_[i].first, static_cast<uint16_t>(pair >> 16), static_cast<uint16_t>(pair),
               token);
      add(i, 1);
    }
    pairs_.erase(pair);
  }

 private:
  struct Pair {
    int64_t count = 0;
    std::set<size_t> words;  ///< that have, or had, the pair
  };
  void add(size_t i, int64_t sign) {
    const auto& [word, count] = words_[i];
    for (size_t at = 0; at + 1 < word.size(); ++at) {
      Pair& pair = pairs_[pair_key(word[at], word[at + 1])];
      pair.count += sign * count;
      if (sign > 0) pair.words.insert(i);
    }
  }

  std::vector<std::pair<Word, int64_t>> words_;
  std::unordered_map<uint32_t, Pair> pairs_;
};

}  // namespace

Tokenizer::Tokenizer(std::vector<Merge> merges) : merges_(std::move(merges)) {
  require<InputError>(merges_.size() <= 65536 - 256, "tokenizer: {} merges, at most {} fit",
                      merges_.size(), 65536 - 256);
  const auto spelling = [this](uint16_t token) {
    return token < 256 ? std::string(1, static_cast<char>(token)) : spelling_.at(token - 256U);
  };
  for (size_t i = 0; i < merges_.size(); ++i) {
    const auto [left, right] = merges_[i];
    require<InputError>(std::max(left, right) < 256 + i, "tokenizer: merge {} of {} and {}", i,
                        left, right);
    rank_[pair_key(left, right)] = i;
    spelling_.push_back(spelling(left) + spelling(right));
  }
}

Tokenizer Tokenizer::train(const std::vector<Document>& documents, int64_t vocabulary) {
  require<OptionError>(vocabulary >= 256 && vocabulary <= 65536,
                       "tokenizer: vocabulary must be 256 ... 65536, got {}", vocabulary);
  std::map<std::string, int64_t> pieces;
  size_t left = kMergeBytes;
  for (const Document& d : documents) {
    const std::string_view text = d.text.substr(0, left);
    for_each_piece(text, [&](std::string_view piece) { ++pieces[std::string(piece)]; });
    left -= text.size();
  }
  PairCounts counts(pieces);
  std::vector<Merge> merges;
  while (256 + static_cast<int64_t>(merges.size()) < vocabulary) {
    const auto [pair, count] = counts.best();
    if (count < 2) break;
    counts.merge(pair, static_cast<uint16_t>(256 + merges.size()));
    merges.emplace_back(static_cast<uint16_t>(pair >> 16), static_cast<uint16_t>(pair));
  }
  return Tokenizer(std::move(merges));
}

std::vector<uint16_t> Tokenizer::encode_piece(std::string_view piece) const {
  Word word = spell(piece);
  while (true) {
    size_t best = merges_.size();
    for (size_t at = 0; at + 1 < word.size(); ++at) {
      const auto found = rank_.find(pair_key(word[at], word[at + 1]));
      if (found != rank_.end()) best = std::min(best, found->second);
    }
    if (best == merges_.size()) return word;
    merge_in(word, merges_[best].first, merges_[best].second, static_cast<uint16_t>(256 + best));
  }
}

std::vector<uint16_t> Tokenizer::encode(std::string_view text) const {
  if (is_bytes()) return spell(text);
  std::unordered_map<std::string_view, Word> known;
  std::vector<uint16_t> tokens;
  for_each_piece(text, [&](std::string_view piece) {
    auto [entry, is_new] = known.try_emplace(piece);
    if (is_new) entry->second = encode_piece(piece);
    tokens.insert(tokens.end(), entry->second.begin(), entry->second.end());
  });
  return tokens;
}

std::string Tokenizer::decode(const std::vector<int64_t>& tokens) const {
  std::string text;
  for (const int64_t token : tokens) {
    require(token >= 0 && token < vocabulary(), "tokenizer: token {} of {}", token, vocabulary());
    if (token < 256) {
      text += static_cast<char>(token);
    } else {
      text += spelling_[static_cast<size_t>(token - 256)];
    }
  }
  return text;
}

TokenText::TokenText(Document document, const Tokenizer& tokenizer)
    : document_(std::move(document)), is_bytes_(tokenizer.is_bytes()) {
  if (!is_bytes_) tokens_ = tokenizer.encode(document_.text);
}

int64_t TokenText::size() const {
  return static_cast<int64_t>(is_bytes_ ? document_.text.size() : tokens_.size());
}

void TokenText::copy(int64_t begin, int64_t count, int64_t* out) const {
  for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(begin + count); ++i) {
    *out++ = is_bytes_ ? static_cast<unsigned char>(document_.text[i]) : tokens_[i];
  }
}

std::vector<TokenText> tokenize(const std::vector<Document>& documents,
                                const Tokenizer& tokenizer) {
  std::vector<TokenText> texts;
  for (const Document& d : documents) texts.emplace_back(d, tokenizer);
  return texts;
}

}  // namespace lavo
