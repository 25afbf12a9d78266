// SPDX-License-Identifier: MIT
#include "experiments/models/scoring.h"

#include <cmath>

#include "experiments/models/transformer.h"
#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

Transformer scored_model(const std::string& mechanism = "vanilla") {
  return {{.mechanism = mechanism, .width = 16, .context = 8}, json::object(), 2};
}

std::string some_text(size_t length) {
  std::string text;
  for (size_t i = 0; i < length; ++i) text += static_cast<char>('a' + i * i % 23);
  return text;
}

}  // namespace

TEST_CASE("every token but the first is scored once, from what its window holds before it") {
  Transformer model = scored_model();
  const std::string text = some_text(46);  // 45 scored: five windows of 8 and one of 5
  const TextLosses losses = score_texts(model, Tokenizer(), {text}, 8);
  REQUIRE(losses.nats.size() == 45);
  CHECK(losses.bytes == 45);
  torch::NoGradGuard no_grad;
  for (size_t i = 0; i < 45; ++i) {
    // Token i + 1 from tokens of its own window only, one sequence at a time.
    const size_t begin = i / 8 * 8;
    Tensor tokens = torch::empty({1, static_cast<int64_t>(i - begin + 1)}, torch::kLong);
    for (size_t j = begin; j <= i; ++j) {
      tokens[0][static_cast<int64_t>(j - begin)] = static_cast<int64_t>(text[j]);
    }
    const Tensor logits = model.forward(tokens)[0][static_cast<int64_t>(i - begin)];
    const double nats = -logits.log_softmax(0)[text[i + 1]].item<double>();
    CHECK(losses.nats[i] == Approx(nats).epsilon(1e-4));
  }
}

TEST_CASE("means by position, offset and chunk are means of the same losses") {
  Transformer model = scored_model();
  const TextLosses losses = score_texts(model, Tokenizer(), {some_text(33)}, 8);  // 4 windows
  const auto mean_at = [&](auto take) {
    double sum = 0;
    int64_t count = 0;
    for (size_t i = 0; i < losses.nats.size(); ++i) {
      if (!take(i)) continue;
      sum += losses.nats[i] / std::log(2.0);
      ++count;
    }
    return sum / static_cast<double>(count);
  };
  const Points position = losses.by_position();
  REQUIRE(position.size() == 4);
  CHECK(position[3].first == 4);
  CHECK(position[3].second == Approx(mean_at([](size_t i) { return i % 8 >= 4; })));
  CHECK(position[0].second == Approx(mean_at([](size_t i) { return i % 8 == 0; })));
  const Points offset = losses.by_offset(4);
  REQUIRE(offset.size() == 4);
  CHECK(offset[1].second == Approx(mean_at([](size_t i) { return i % 4 == 1; })));
  const Points chunk = losses.by_chunk(2);
  REQUIRE(chunk.size() == 2);
  CHECK(chunk[1].second == Approx(mean_at([](size_t i) { return i >= 16; })));
  CHECK(losses.bits_per_byte() == Approx(mean_at([](size_t) { return true; })));
  CHECK(losses.perplexity_per(losses.bytes) == Approx(std::exp2(losses.bits_per_byte())));
}

TEST_CASE("texts are scored apart, and their bytes and words are counted") {
  Transformer model = scored_model();
  const std::string a = "one two three", b = "four five";
  const TextLosses both = score_texts(model, Tokenizer(), {a, b}, 4);
  const TextLosses first = score_texts(model, Tokenizer(), {a}, 4);
  const TextLosses second = score_texts(model, Tokenizer(), {b}, 4);
  CHECK(both.total() == Approx(first.total() + second.total()));
  CHECK(both.words == 5);
  CHECK(both.bytes == static_cast<int64_t>(a.size() + b.size()) - 2);
  CHECK_THROWS_AS(score_texts(model, Tokenizer(), {"x"}, 4), InputError);
  CHECK_THROWS_AS(score_texts(model, Tokenizer(), {a}, 0), OptionError);
}

TEST_CASE("a scored text is the first bytes of the documents") {
  const std::vector<Document> documents = {{"a", "12345", nullptr}, {"b", "678", nullptr}};
  CHECK(first_bytes(documents, 3) == std::vector<std::string_view>{"123"});
  CHECK(first_bytes(documents, 5) == std::vector<std::string_view>{"12345"});
  CHECK(first_bytes(documents, 7) == std::vector<std::string_view>{"12345", "67"});
  CHECK(first_bytes(documents, 100) == std::vector<std::string_view>{"12345", "678"});
}
