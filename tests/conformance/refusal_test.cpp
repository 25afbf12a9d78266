// SPDX-License-Identifier: MIT
#include "lavo/core/check.h"
#include "tests/support/catch.h"
#include "tests/support/variants.h"

using namespace lavo;

namespace {

std::string message(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace

TEST_CASE("wrong options are refused with their name, what was got and what is allowed") {
  for (const Entry* entry : tested_mechanisms()) {
    const Setting setting{.heads = 2, .head_dim = 8, .value_dim = 8};
    const auto resolve = [&](const json& options) {
      return message([&] { entry->resolve(options, setting); });
    };
    CHECK_THAT(resolve({{"no_such_option", 1}}), ContainsSubstring(entry->name + ": "));
    CHECK_THAT(resolve({{"no_such_option", 1}}), ContainsSubstring("no_such_option"));
    CHECK_THAT(resolve(json::array()), ContainsSubstring("must be a JSON object"));
    for (const OptionInfo& info : entry->options) {
      std::vector<json> wrong = {json::array({1}), json::object()};
      if (info.kind == "integer") wrong.insert(wrong.end(), {1.5, "four", true, -1, 1e30});
      if (info.kind == "number") wrong.insert(wrong.end(), {"four", true, -1});
      if (info.kind == "number or choice") wrong.insert(wrong.end(), {"four", true, -1});
      if (info.kind == "boolean") wrong.insert(wrong.end(), {1, "true"});
      if (info.kind == "choice") wrong.insert(wrong.end(), {1, "no_such_choice", true});
      for (const json& value : wrong) {
        const std::string said = resolve({{info.name, value}});
        CAPTURE(entry->name, info.name, value.dump(), said);
        CHECK_THAT(said, ContainsSubstring("'" + info.name + "' must be"));
        CHECK_THAT(said, ContainsSubstring("got " + value.dump()));
        CHECK(said.find('\n') == std::string::npos);
      }
    }
  }
}

TEST_CASE("options are written as they are read") {
  for (const Variant& variant : variants()) {
    const Setting setting{.heads = 2,
                          .head_dim = 8,
                          .value_dim = 8,
                          .query_length = 9,
                          .key_length = 9,
                          .causal = true};
    CAPTURE(variant.name());
    json once;
    try {
      once = variant.entry->resolve(variant.options, setting);
    } catch (const OptionError&) {
      continue;  // this choice does not go with the others
    }
    CHECK(variant.entry->resolve(once, setting) == once);
    for (const auto& [name, value] : variant.options.items()) CHECK(once.at(name) == value);
    CHECK(once.size() == variant.entry->options.size());
  }
}

TEST_CASE("wrong shapes and types are refused") {
  for (const Variant& variant : small_mechanisms()) {
    const Shape shape = small_shape(*variant.entry, 9, 9);
    const bool causal = variant.entry->patterns.include(Pattern::kCausalSelf);
    const auto mechanism = variant.create(shape, causal, false, torch::kFloat32);
    REQUIRE(mechanism);
    const Inputs good = variant.inputs(*mechanism, shape, torch::kFloat32, 1, {.causal = causal});
    const auto said = [&](const std::function<void(Inputs&)>& spoil) {
      Inputs in = good;
      spoil(in);
      const std::string text = message([&] { mechanism->forward(in); });
      CHECK_THAT(text, ContainsSubstring(variant.entry->name + ": "));
      return text;
    };
    CHECK_THAT(said([](Inputs& in) { in.query = in.query[0]; }),
               ContainsSubstring("query must be [batch, heads, length, width]"));
    CHECK_THAT(said([](Inputs& in) { in.key = in.key.narrow(3, 0, 5); }),
               ContainsSubstring("widths must agree"));
    CHECK_THAT(said([](Inputs& in) { in.value = in.value.narrow(2, 0, 5); }),
               ContainsSubstring("lengths must agree"));
    CHECK_THAT(said([](Inputs& in) { in.value = in.value.narrow(1, 0, 1); }),
               ContainsSubstring("heads and lengths must agree"));
    CHECK_THAT(said([](Inputs& in) { in.key = in.key.narrow(1, 0, 2); }),
               ContainsSubstring("batch and heads must agree, or heads divide"));
    CHECK_THAT(said([](Inputs& in) { in.query = in.query.narrow(2, 0, 0); }),
               ContainsSubstring("must not be empty"));
    CHECK_THAT(said([](Inputs& in) { in.query = in.query.to(torch::kInt64); }),
               ContainsSubstring("query must be float64"));
    CHECK_THAT(said([](Inputs& in) { in.key = in.key.to(torch::kFloat64); }),
               ContainsSubstring("key is Double"));
    CHECK_THAT(said([](Inputs& in) { in.value = in.value.to(torch::kMeta); }),
               ContainsSubstring("value is Float on meta, query is Float on cpu"));
    CHECK_THAT(
        said([](Inputs& in) {
          in.key_mask = torch::ones({2, 9}, torch::TensorOptions(torch::kBool).device("meta"));
        }),
        ContainsSubstring("key_mask is on meta, query is on cpu"));
    CHECK_THAT(said([](Inputs& in) {
                 in.extra["no_such_input"] = {in.key, "BHSD"};
               }),
               ContainsSubstring("it takes no 'no_such_input'"));
    for (const InputSpec& spec : mechanism->inputs()) {
      CHECK_THAT(said([&](Inputs& in) { in.extra.erase(spec.name); }),
                 ContainsSubstring("'" + spec.name + "'"));
      CHECK_THAT(said([&](Inputs& in) {
                   Tensor& x = in.extra.at(spec.name).tensor;
                   x = x.unsqueeze(0);
                 }),
                 ContainsSubstring("'" + spec.name + "' must be ["));
    }
    CHECK_THAT(said([](Inputs& in) {
                 in.key_mask = torch::ones({2, 4}, torch::kBool);
               }),
               ContainsSubstring("key_mask must be [2, 9]"));
    CHECK_THAT(said([](Inputs& in) {
                 in.key_mask = torch::ones({2, 9});
               }),
               ContainsSubstring("key_mask must be bool"));
  }
}
