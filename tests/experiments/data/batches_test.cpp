// SPDX-License-Identifier: MIT
#include "experiments/data/batches.h"

#include <set>

#include "lavo/core/check.h"
#include "tests/support/catch.h"

using namespace lavo;

namespace {

/// Documents whose bytes say where they are: 'A' ... 'Z' upwards, 'a' ... 'z' upwards.
std::vector<TokenText> alphabets() {
  return tokenize({{"upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", nullptr},
                   {"short", "0123", nullptr},
                   {"lower", "abcdefghijklmnopqrstuvwxyz", nullptr}},
                  Tokenizer());
}

}  // namespace

TEST_CASE("a batch holds consecutive tokens of one document, and its targets are one token on") {
  const auto texts = alphabets();
  Batches batches(texts, 4, 6, /*seed=*/3, torch::kCPU);
  std::set<int64_t> first;
  for (int i = 0; i < 200; ++i) {
    const auto [input, target] = batches.next();
    REQUIRE(input.sizes() == at::IntArrayRef({4, 6}));
    CHECK(target.equal(input + 1));
    CHECK(input.narrow(1, 1, 5).equal(input.narrow(1, 0, 5) + 1));
    for (int64_t row = 0; row < 4; ++row) first.insert(input[row][0].item<int64_t>());
  }
  // 26 - 6 = 20 places in each alphabet; the short text has none.
  CHECK(first.size() == 40);
  CHECK(*first.begin() == 'A');
  CHECK(*first.rbegin() == 'a' + 19);
}

TEST_CASE("batches depend on seed and index alone") {
  const auto texts = alphabets();
  Batches a(texts, 2, 6, 1, torch::kCPU), b(texts, 2, 6, 1, torch::kCPU);
  Batches other(texts, 2, 6, 2, torch::kCPU), later(texts, 2, 6, 1, torch::kCPU, /*first=*/5);
  bool differs = false;
  for (int i = 0; i < 10; ++i) {
    const Tensor input = a.next().input;
    CHECK(input.equal(b.next().input));
    differs = differs || !input.equal(other.next().input);
    if (i >= 5) CHECK(input.equal(later.next().input));
  }
  CHECK(differs);
}

TEST_CASE("a context as long as every document is refused") {
  const auto texts = alphabets();
  CHECK_THROWS_AS(Batches(texts, 1, 26, 0, torch::kCPU), InputError);
  CHECK_NOTHROW(Batches(texts, 1, 25, 0, torch::kCPU));
}
