// SPDX-License-Identifier: MIT
#include "experiments/models/scoring.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr int64_t kTokensAtOnce = 4096;

/// Losses [rows, length] of the windows that begin at `begin`, one after the other.
Tensor window_losses(Model& model, const Tensor& tokens, int64_t begin, int64_t rows,
                     int64_t length) {
  const auto windows = [&](int64_t from) {
    return tokens.narrow(0, from, rows * length).view({rows, length}).to(model.device());
  };
  const Tensor logits = model.forward(windows(begin));
  return at::cross_entropy_loss(logits.flatten(0, 1), windows(begin + 1).flatten(), {},
                                at::Reduction::None)
      .view({rows, length})
      .to(torch::kCPU, torch::kFloat32);
}

void score_text(Model& model, const Tensor& tokens, TextLosses& losses) {
  const int64_t context = losses.context, scored = tokens.size(0) - 1;
  for (int64_t begin = 0; begin < scored;) {
    const int64_t whole = (scored - begin) / context;
    const int64_t rows = std::min(whole, std::max<int64_t>(1, kTokensAtOnce / context));
    const int64_t length = rows > 0 ? context : scored - begin;
    const Tensor nats =
        window_losses(model, tokens, begin, std::max<int64_t>(1, rows), length).contiguous();
    const auto* value = nats.data_ptr<float>();
    for (int64_t i = 0; i < nats.numel(); ++i) {
      const auto position = static_cast<size_t>(i % length);
      losses.nats.push_back(value[i]);
      losses.nats_by_position[position] += static_cast<double>(value[i]);
      ++losses.tokens_by_position[position];
    }
    begin += nats.numel();
  }
}

}  // namespace

TextLosses score_texts(Model& model, const Tokenizer& tokenizer,
                       const std::vector<std::string_view>& texts, int64_t context) {
  require<OptionError>(context >= 1, "context must be at least 1, got {}", context);
  torch::NoGradGuard no_grad;
  model.eval();
  TextLosses losses;
  losses.context = context;
  losses.nats_by_position.resize(static_cast<size_t>(context));
  losses.tokens_by_position.resize(static_cast<size_t>(context));
  for (const std::string_view text : texts) {
    const std::vector<uint16_t> encoded = tokenizer.encode(text);
    if (encoded.size() < 2) continue;
    Tensor tokens = torch::empty({static_cast<int64_t>(encoded.size())}, torch::kLong);
    std::ranges::copy(encoded, tokens.data_ptr<int64_t>());
    score_text(model, tokens, losses);
    losses.bytes += static_cast<int64_t>(text.size() - tokenizer.decode({encoded[0]}).size());
    losses.words += count_words(text);
  }
  require<InputError>(!losses.nats.empty(), "there is no text to score");
  return losses;
}

double TextLosses::total() const { return std::accumulate(nats.begin(), nats.end(), 0.0); }

double TextLosses::bits_per_byte() const { return to_bits(total()) / static_cast<double>(bytes); }

double TextLosses::perplexity_per(int64_t units) const {
  return std::exp(total() / static_cast<double>(units));
}

namespace {

/// Means over groups of positions; `group` maps a position to the first one of its group.
template <class Group>
Points grouped(const TextLosses& losses, Group group) {
  std::map<int64_t, std::pair<double, int64_t>> sums;
  for (int64_t t = 0; t < losses.context; ++t) {
    auto& [nats, tokens] = sums[group(t)];
    nats += losses.nats_by_position[static_cast<size_t>(t)];
    tokens += losses.tokens_by_position[static_cast<size_t>(t)];
  }
  Points points;
  for (const auto& [first, sum] : sums) {
    if (sum.second == 0) continue;
    points.emplace_back(static_cast<double>(first),
                        to_bits(sum.first / static_cast<double>(sum.second)));
  }
  return points;
}

}  // namespace

Points TextLosses::by_position() const {
  return grouped(*this, [](int64_t t) {
    return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(t)));
  });
}

Points TextLosses::by_offset(int64_t block) const {
  return grouped(*this, [block](int64_t t) { return t % block; });
}

Points TextLosses::by_chunk(int64_t chunks) const {
  Points points;
  const auto tokens = static_cast<int64_t>(nats.size());
  for (int64_t i = 0; i < std::min(chunks, tokens); ++i) {
    const auto begin = nats.begin() + i * tokens / chunks;
    const auto end = nats.begin() + (i + 1) * tokens / chunks;
    points.emplace_back(static_cast<double>(i), to_bits(std::accumulate(begin, end, 0.0) /
                                                        static_cast<double>(end - begin)));
  }
  return points;
}

std::vector<std::string_view> first_bytes(const std::vector<Document>& documents, int64_t bytes) {
  std::vector<std::string_view> texts;
  auto left = static_cast<size_t>(bytes);
  for (const Document& d : documents) {
    if (left == 0) break;
    texts.push_back(d.text.substr(0, left));
    left -= texts.back().size();
  }
  return texts;
}

}  // namespace lavo
