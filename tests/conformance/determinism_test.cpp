// SPDX-License-Identifier: MIT
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

/// Parameters and buffers by name.
std::vector<std::pair<std::string, Tensor>> tensors_of(const Mechanism& mechanism) {
  std::vector<std::pair<std::string, Tensor>> result;
  for (const auto& item : mechanism.named_parameters())
    result.emplace_back(item.key(), item.value());
  for (const auto& item : mechanism.named_buffers()) result.emplace_back(item.key(), item.value());
  return result;
}

}  // namespace

TEST_CASE("the same seed gives the same bits, another seed other random parameters and buffers") {
  for (const Variant& variant : variants()) {
    const Shape shape = small_shape(*variant.entry, 40, 40);
    const bool causal = variant.entry->patterns.include(Pattern::kCausalSelf);
    const auto one = variant.create(shape, causal, false, torch::kFloat32, 1);
    const auto two = variant.create(shape, causal, false, torch::kFloat32, 1);
    const auto other = variant.create(shape, causal, false, torch::kFloat32, 2);
    if (!one) continue;
    CAPTURE(variant.name());
    const Inputs in = variant.inputs(*one, shape, torch::kFloat32, 6, {.causal = causal});
    Inputs again = variant.inputs(*two, shape, torch::kFloat32, 6, {.causal = causal});
    Inputs(in).each([&](const std::string& name, Tensor& x, const std::string&) {
      const Tensor same = name == "query"   ? again.query
                          : name == "key"   ? again.key
                          : name == "value" ? again.value
                                            : again[name];
      CHECK(torch::equal(x, same));
    });
    const Tensor out = one->forward(in);
    CHECK(torch::equal(out, one->forward(in)));
    CHECK(torch::equal(out, two->forward(in)));
    const auto first = tensors_of(*one), second = tensors_of(*two), third = tensors_of(*other);
    for (size_t i = 0; i < first.size(); ++i) {
      CAPTURE(first[i].first);
      CHECK(torch::equal(first[i].second, second[i].second));
      // What nobody draws stays: the first block of a DCT, a temperature at its first value.
      const bool is_dct =
          first[i].first == "bases" && variant.options.value("bases_init", "") == "dct";
      if (!is_dct && first[i].first != "temperature") {
        CHECK_FALSE(torch::equal(first[i].second, third[i].second));
      }
    }
  }
}
