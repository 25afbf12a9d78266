// SPDX-License-Identifier: MIT
#include "experiments/data/ngram.h"

#include <algorithm>
#include <cmath>

#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr size_t kCountedBytes = size_t{16} << 20;

/// The last `length` bytes as a number.
size_t context_key(std::string_view history, size_t length) {
  size_t key = 0;
  for (const char c : history.substr(history.size() - length)) {
    key = key << 8 | static_cast<unsigned char>(c);
  }
  return key;
}

}  // namespace

NgramModel::NgramModel(const std::vector<Document>& documents, int64_t order) {
  require<OptionError>(order >= 0 && order <= 2, "n-gram model: order must be 0 ... 2, got {}",
                       order);
  for (int64_t k = 0; k <= order; ++k) rows_.emplace_back(size_t{1} << (8 * k));
  size_t left = kCountedBytes;
  for (const Document& d : documents) {
    const std::string_view text = d.text.substr(0, left);
    left -= text.size();
    for (size_t i = 0; i < text.size(); ++i) {
      for (size_t k = 0; k < rows_.size() && k <= i; ++k) {
        auto& row = rows_[k][context_key(text.substr(0, i), k)];
        if (!row) row = std::make_unique<Row>();
        uint32_t& count = row->count[static_cast<unsigned char>(text[i])];
        row->kinds += count == 0;
        ++count, ++row->total;
      }
    }
  }
}

double NgramModel::probability(std::string_view history, unsigned char next) const {
  double p = 1.0 / 256;
  for (size_t k = 0; k < rows_.size() && k <= history.size(); ++k) {
    const auto& row = rows_[k][context_key(history, k)];
    if (!row) break;
    p = (row->count[next] + row->kinds * p) / (static_cast<double>(row->total) + row->kinds);
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
