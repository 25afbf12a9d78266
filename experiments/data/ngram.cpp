// SPDX-License-Identifier: MIT
#include "experiments/data/ngram.h"

#include <algorithm>
#include <cmath>

#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr size_t kTrainingBytes = size_t{16} << 20;

/// The last `length` bytes as a number.
uint64_t context_key(std::string_view history, int64_t length) {
  uint64_t key = 0;
  for (const char c : history.substr(history.size() - static_cast<size_t>(length))) {
    key = key << 8 | static_cast<unsigned char>(c);
  }
  return key;
}

}  // namespace

NgramModel::NgramModel(const std::vector<Document>& documents, int64_t order)
    : order_(order), rows_(static_cast<size_t>(order + 1)) {
  require<OptionError>(order >= 0 && order <= 8, "n-gram model: order must be 0 ... 8, got {}",
                       order);
  size_t left = kTrainingBytes;
  for (const Document& d : documents) {
    const std::string_view text = d.text.substr(0, left);
    left -= text.size();
    for (size_t i = 0; i < text.size(); ++i) {
      for (int64_t k = 0; k <= std::min(order, static_cast<int64_t>(i)); ++k) {
        Row& row = rows_[static_cast<size_t>(k)][context_key(text.substr(0, i), k)];
        uint32_t& count = row.count[static_cast<unsigned char>(text[i])];
        row.kinds += count == 0;
        ++count, ++row.total;
      }
    }
  }
}

double NgramModel::probability(std::string_view history, unsigned char next) const {
  double p = 1.0 / 256;
  for (int64_t k = 0; k <= std::min(order_, static_cast<int64_t>(history.size())); ++k) {
    const auto& rows = rows_[static_cast<size_t>(k)];
    const auto found = rows.find(context_key(history, k));
    if (found == rows.end()) break;
    const Row& row = found->second;
    p = (row.count[next] + row.kinds * p) / (static_cast<double>(row.total) + row.kinds);
  }
  return p;
}

double NgramModel::bits_per_byte(std::string_view text) const {
  require(text.size() > 1, "n-gram model: no byte to score");
  double bits = 0;
  for (size_t i = 1; i < text.size(); ++i) {
    bits -= std::log2(probability(text.substr(0, i), static_cast<unsigned char>(text[i])));
  }
  return bits / static_cast<double>(text.size() - 1);
}

}  // namespace lavo
