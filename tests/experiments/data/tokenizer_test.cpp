// SPDX-License-Identifier: MIT
#include "experiments/data/tokenizer.h"

#include <random>

#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

std::string round_trip(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int64_t> tokens;
  for (const uint16_t token : tokenizer.encode(text)) tokens.push_back(token);
  return tokenizer.decode(tokens);
}

std::vector<Document> documents(std::string_view text) { return {{"text", text, nullptr}}; }

}  // namespace

TEST_CASE("bytes are their own tokens") {
  const Tokenizer bytes;
  CHECK(bytes.vocabulary() == 256);
  CHECK(bytes.encode("A\xff") == std::vector<uint16_t>{65, 255});
}

TEST_CASE("the most frequent pair is merged first, and merges build on each other") {
  // "ab" occurs 5 times, then ("ab", "c") 4 times and (" ", "ab") 3 times.
  const Tokenizer tokenizer = Tokenizer::train(documents("abc abc abc abcab"), 258);
  CHECK(tokenizer.merges() == std::vector<Tokenizer::Merge>{{'a', 'b'}, {256, 'c'}});
  CHECK(tokenizer.encode("abcab") == std::vector<uint16_t>{257, 256});
}

TEST_CASE("training stops where no pair occurs twice") {
  CHECK(Tokenizer::train(documents("abcdefg"), 1000).vocabulary() == 256);
}

TEST_CASE("any text comes back from its tokens") {
  const auto corpus = load_corpus("");
  std::vector<Document> part = {corpus->split(Split::kTrain)[0]};
  part[0].text = part[0].text.substr(0, 100000);
  const Tokenizer tokenizer = Tokenizer::train(part, 600);
  CHECK(tokenizer.vocabulary() == 600);

  const std::string unseen(corpus->split(Split::kTest)[0].text.substr(0, 20000));
  CHECK(round_trip(tokenizer, unseen) == unseen);
  const double bytes_per_token =
      static_cast<double>(unseen.size()) / static_cast<double>(tokenizer.encode(unseen).size());
  CHECK(bytes_per_token > 1.5);

  for (const char* text :
       {"", " ", "  \n\n  x", "a  b", "caf\xc3\xa9 na\xefve \x80\xff", "1st, 2nd!"}) {
    CHECK(round_trip(tokenizer, text) == text);
  }
  std::mt19937 random(1);
  std::string noise;
  for (int i = 0; i < 5000; ++i) noise += static_cast<char>(random() & 0xff);
  CHECK(round_trip(tokenizer, noise) == noise);
}

TEST_CASE("training is deterministic, and merges make the same tokenizer again") {
  const std::string_view text = load_corpus("")->split(Split::kTrain)[0].text.substr(0, 50000);
  const Tokenizer a = Tokenizer::train(documents(text), 400);
  const Tokenizer b = Tokenizer::train(documents(text), 400);
  CHECK(a.merges() == b.merges());
  CHECK(Tokenizer(a.merges()).encode(text) == a.encode(text));
}

TEST_CASE("impossible merges and vocabularies are refused") {
  CHECK_THROWS_AS(Tokenizer({{300, 'a'}}), InputError);
  CHECK_THROWS_AS(Tokenizer::train(documents("text"), 255), OptionError);
  CHECK_THROWS_AS(Tokenizer::train(documents("text"), 70000), OptionError);
}
