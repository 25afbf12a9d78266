// SPDX-License-Identifier: MIT
#include "lavo/core/state_size.h"

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

constexpr int64_t kStreamed =
    100;  ///< more than the widest of the windows holds, and their next ones

Shape one_sequence(const Entry& entry) {
  Shape shape = small_shape(entry, kStreamed, kStreamed);
  shape.B = 1;
  return shape;
}

/// Of the states after 1, 2, 3 ... tokens.
StateSize largest_seen(Mechanism& mechanism, const Inputs& in) {
  torch::NoGradGuard no_grad;
  const auto state = mechanism.new_state();
  StateSize largest;
  for (int64_t t = 0; t < kStreamed; ++t) {
    mechanism.forward(in.narrow(t, 1), *state);
    const StateSize size = size_of(*state);
    largest.numbers = std::max(largest.numbers, size.numbers);
    largest.bytes = std::max(largest.bytes, size.bytes);
  }
  return largest;
}

bool has_size(const Mechanism& mechanism) {
  return takes(mechanism, Pattern::kCausalSelf) && state_of(mechanism) && !mechanism.state_grows();
}

}  // namespace

TEST_CASE("the largest state is the largest that a stream of single tokens meets") {
  const auto type = GENERATE(torch::kFloat32, torch::kBFloat16);
  for (const Variant& variant : variants()) {
    const Shape shape = one_sequence(*variant.entry);
    const auto mechanism = variant.create(shape, true, false, type);
    if (!mechanism || !has_size(*mechanism)) continue;
    CAPTURE(variant.name(), toString(type));
    const Setting setting = variant.setting(shape, true, false);
    const json options = variant.entry->resolve(variant.options, setting);
    const StateSize expected =
        largest_seen(*mechanism, variant.inputs(*mechanism, shape, type, 4, {.causal = true}));
    const StateSize size = largest_state(*mechanism, setting, type, options);
    CHECK(size.numbers == expected.numbers);
    CHECK(size.bytes == expected.bytes);
  }
}

TEST_CASE("the option that a mechanism says sizes its state does") {
  for (const Variant& variant : small_mechanisms()) {
    const std::string option = variant.entry->facts.state_option;
    if (option.empty()) continue;
    CAPTURE(variant.name(), option);
    const auto& infos = variant.entry->options;
    const auto info = std::ranges::find(infos, option, &OptionInfo::name);
    REQUIRE(info != infos.end());
    CHECK(info->kind == "integer");
    int64_t before = 0;
    for (const int64_t value : {2, 3, 5, 9}) {
      Variant sized = variant;
      sized.options[option] = value;
      const Shape shape = one_sequence(*variant.entry);
      const auto mechanism = sized.create(shape, true, false, torch::kFloat32);
      REQUIRE(mechanism);
      const Setting setting = sized.setting(shape, true, false);
      const json options = variant.entry->resolve(sized.options, setting);
      const int64_t numbers = largest_state(*mechanism, setting, torch::kFloat32, options).numbers;
      CHECK(numbers > before);
      before = numbers;
    }
  }
}
