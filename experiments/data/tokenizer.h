// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "experiments/data/corpus.h"

namespace lavo {

/// Byte pair encoding over bytes: token 0 ... 255 is a byte, token 256 + i is merge i. Without
/// merges it is the identity: bytes are the tokenizer with nothing learned. Any text comes back
/// from its tokens, bytes that are not UTF-8 too.
///
/// Merges stay inside pieces: a run of letters (and bytes above 127), of digits, of other marks,
/// each with at most one white space before it, or a run of white space.
/// Source: Sennrich et al. 2016, arXiv:1508.07909; on bytes as in GPT-2.
class Tokenizer {
 public:
  using Merge = std::pair<uint16_t, uint16_t>;

  Tokenizer() = default;
  /// Throws InputError where a merge names a token that comes after it.
  explicit Tokenizer(std::vector<Merge> merges);

  /// Learns merges, the most frequent pair first (of equally frequent ones the lower numbers),
  /// until there are `vocabulary` tokens or no pair occurs twice. Reads at most the first 16 MiB.
  static Tokenizer train(const std::vector<Document>& documents, int64_t vocabulary);

  bool is_bytes() const { return merges_.empty(); }
  int64_t vocabulary() const { return 256 + static_cast<int64_t>(merges_.size()); }
  const std::vector<Merge>& merges() const { return merges_; }

  std::vector<uint16_t> encode(std::string_view text) const;
  std::string decode(const std::vector<int64_t>& tokens) const;

 private:
  std::vector<uint16_t> encode_piece(std::string_view piece) const;

  std::vector<Merge> merges_;
  std::unordered_map<uint32_t, size_t> rank_;  ///< of a pair
  std::vector<std::string> spelling_;          ///< of a merge's token
};

/// A document as tokens: bytes stay where they are mapped, BPE tokens are stored (2 B each).
class TokenText {
 public:
  TokenText(Document document, const Tokenizer& tokenizer);
  int64_t size() const;
  /// Tokens begin ... begin + count - 1 to `out`.
  void copy(int64_t begin, int64_t count, int64_t* out) const;
  std::string_view text() const { return document_.text; }

 private:
  Document document_;
  bool is_bytes_;
  std::vector<uint16_t> tokens_;
};

std::vector<TokenText> tokenize(const std::vector<Document>& documents, const Tokenizer& tokenizer);

}  // namespace lavo
