// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "experiments/data/corpus.h"

namespace lavo {

/// Order-k byte model, k = 0, 1, 2: the floor that a trained language model must beat. The next
/// byte given the k bytes before it, mixed with the lower orders by Witten and Bell's rule:
///
///   p_k(c | h) = (n(h c) + t(h) p_{k-1}(c | h')) / (n(h) + t(h))
///
/// n counts in the training text, t(h) how many different bytes follow h, h' is h without its first
/// byte; a context never seen takes p_{k-1}; p_{-1} = 1/256. Counts use at most the first 16 MiB.
/// Source: Witten and Bell 1991, IEEE Transactions on Information Theory 37(4), method C.
class NgramModel {
 public:
  NgramModel(const std::vector<Document>& documents, int64_t order);

  /// p(next | history); of a history longer than the order its last bytes count.
  double probability(std::string_view history, unsigned char next) const;

  /// Of text[1], text[2], ... given what stands before them: bits a byte.
  double bits_per_byte(std::string_view text) const;

 private:
  struct Row {
    std::array<uint32_t, 256> count = {};
    uint32_t total = 0, kinds = 0;
  };
  using Rows = std::vector<std::unique_ptr<Row>>;  ///< by context; null where it was never seen
  std::vector<Rows> rows_;                         ///< by order
};

}  // namespace lavo
