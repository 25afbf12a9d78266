// SPDX-License-Identifier: MIT
#include "experiments/data/ngram.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace lavo;

namespace {

std::vector<Document> text_of(std::string_view text) { return {{"text", text, nullptr}}; }

}  // namespace

TEST_CASE("probabilities computed by hand") {
  // "aab": a twice, b once; after a: a once, b once.
  const NgramModel model(text_of("aab"), 1);
  const double p0_a = (2 + 2.0 / 256) / (3 + 2), p0_b = (1 + 2.0 / 256) / (3 + 2);
  CHECK(model.probability("", 'a') == Approx(p0_a));
  CHECK(model.probability("a", 'a') == Approx((1 + 2 * p0_a) / (2 + 2)));
  CHECK(model.probability("a", 'b') == Approx((1 + 2 * p0_b) / (2 + 2)));
  CHECK(model.probability("b", 'a') == Approx(p0_a));  // nothing ever followed b
  CHECK(model.probability("xa", 'b') == Approx(model.probability("a", 'b')));
  CHECK(model.bits_per_byte("aab") ==
        Approx(-(std::log2((1 + 2 * p0_a) / 4) + std::log2((1 + 2 * p0_b) / 4)) / 2));
}

TEST_CASE("the probabilities of all bytes sum to one, for every history") {
  const NgramModel model(text_of("the cat sat on the mat; the end"), 2);
  for (const char* history : {"", "t", "th", "he", "zz", "t ", "xt"}) {
    double sum = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const double p = model.probability(history, static_cast<unsigned char>(byte));
      CHECK(p > 0);
      sum += p;
    }
    CAPTURE(history);
    CHECK(sum == Approx(1).epsilon(1e-12));
  }
}

TEST_CASE("a higher order predicts real text better") {
  const auto corpus = load_corpus("");
  const std::string_view test = corpus->split(Split::kTest)[0].text.substr(0, 16384);
  double last = 8;
  for (const int64_t order : {0, 1, 2}) {
    const double bits = NgramModel(corpus->split(Split::kTrain), order).bits_per_byte(test);
    CAPTURE(order, bits);
    CHECK(bits < last - 0.3);
    last = bits;
  }
}
