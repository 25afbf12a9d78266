// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "experiments/data/tokenizer.h"
#include "experiments/models/task.h"

namespace lavo {

using Points = std::vector<std::pair<double, double>>;

/// The loss of every token of some texts but the first of each.
struct TextLosses {
  int64_t context = 0;
  std::vector<float> nats;               ///< -ln p, text after text
  std::vector<double> nats_by_position;  ///< summed over windows, by position in the window
  std::vector<int64_t> tokens_by_position;
  int64_t bytes = 0;  ///< what the scored tokens spell
  int64_t words = 0;  ///< white-space separated words of the texts

  double total() const;                        ///< nats
  double bits_per_byte() const;                ///< total / ln 2 / bytes
  double perplexity_per(int64_t units) const;  ///< exp(total / units)
  /// Mean bits a token for positions 0, 1, 2-3, 4-7, ...; the query at position t has seen t + 1
  /// tokens. x is the first position of a group.
  Points by_position() const;
  /// Mean bits a token by position mod `block`.
  Points by_offset(int64_t block) const;
  /// Mean bits a token of `chunks` equal parts: for comparing models on the same text piece by
  /// piece.
  Points by_chunk(int64_t chunks) const;
};

/// Scores windows of `context` tokens that neither overlap nor cross texts: token i + 1 is
/// predicted from what its window holds up to i; the last window of a text may be short. The same
/// tokens are scored for every context, in the same order, in float32.
TextLosses score_texts(Model& model, const Tokenizer& tokenizer,
                       const std::vector<std::string_view>& texts, int64_t context);

/// The first `bytes` bytes of the documents, cut into texts.
std::vector<std::string_view> first_bytes(const std::vector<Document>& documents, int64_t bytes);

}  // namespace lavo
