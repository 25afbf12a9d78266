// SPDX-License-Identifier: MIT
#include "tests/support/variants.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "lavo/core/check.h"
#include "lavo/core/condition.h"
#include "tests/support/combinations.h"

namespace lavo {
namespace {

json small_options(const Entry& entry) {
  json options = json::object();
  for (const OptionInfo& info : entry.options) {
    if (!info.small.is_null()) options[info.name] = info.small;
  }
  return options;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::stringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    word.erase(0, word.find_first_not_of(' '));
    words.push_back(word);
  }
  return words;
}

/// Other values that an option may take.
std::vector<json> other_values(const OptionInfo& info, const json& now) {
  std::vector<json> values;
  if (info.kind == "boolean") values.push_back(!now.get<bool>());
  if (info.kind == "choice") {
    for (const std::string& word : split(info.allowed)) {
      if (json(word) != now) values.push_back(word);
    }
  }
  if (info.kind == "number or choice") {
    const size_t words = info.allowed.find(", or ");
    for (const std::string& word : split(info.allowed.substr(words + 5))) values.push_back(word);
    values.push_back(now.is_number() ? now.get<double>() / 2 : 0.5);
    values.push_back(1.0);
  }
  if (info.kind == "number")
    values.push_back(now.is_number() ? now.get<double>() / 2 + 1e-3 : 0.01);
  if (info.kind == "integer") {
    const int64_t n = now.is_number() ? now.get<int64_t>() : 3;
    values.push_back(n + 1);
    values.push_back(3 * n + 2);  // for bases and landmarks: more than the width
  }
  return values;
}

}  // namespace

std::string Variant::name() const {
  return entry->name + " " + kImplementations[static_cast<size_t>(implementation)] + " " +
         options.dump();
}

Setting Variant::setting(const Shape& shape, bool causal, bool cross) const {
  return {.heads = shape.H,
          .head_dim = shape.D,
          .value_dim = shape.E,
          .model_dim = 0,
          .query_length = shape.T,
          .key_length = shape.S,
          .longest = 2 * std::max(shape.T, shape.S),
          .causal = causal,
          .cross = cross || shape.T != shape.S};
}

std::shared_ptr<Mechanism> Variant::create(const Shape& shape, bool causal, bool cross,
                                           torch::ScalarType type, uint64_t seed) const {
  try {
    auto mechanism = entry->create(options, setting(shape, causal, cross), seed);
    disturb_parameters(*mechanism, seed);
    mechanism->to(type);
    mechanism->eval();
    mechanism->use(implementation);
    return mechanism;
  } catch (const OptionError&) {
    return nullptr;
  }
}

Inputs Variant::inputs(const Mechanism& mechanism, const Shape& shape, torch::ScalarType type,
                       uint64_t seed, const ProblemOptions& problem) const {
  const json counts = entry->resolve(options, setting(shape, problem.causal, problem.cross));
  return random_inputs(mechanism, shape, type, seed, problem, counts);
}

std::vector<const Entry*> tested_mechanisms() {
  if (const char* name = std::getenv("LAVO_TEST_MECHANISM")) return {&find_mechanism(name)};
  std::vector<const Entry*> result;
  for (const Entry& entry : mechanisms()) result.push_back(&entry);
  return result;
}

bool any_is_causal(bool streams) {
  return std::ranges::any_of(tested_mechanisms(), [&](const Entry* entry) {
    return entry->patterns.include(Pattern::kCausalSelf) && (!streams || entry->facts.has_state);
  });
}

std::vector<Variant> small_mechanisms() {
  std::vector<Variant> result;
  for (const Entry* entry : tested_mechanisms()) {
    const bool two = entry->is_fused() && entry->facts.composed;
    const json options = small_options(*entry);
    result.push_back({entry, options});
    if (two) result.push_back({entry, options, Implementation::kComposed});
    if (entry->facts.naive) result.push_back({entry, options, Implementation::kNaive});
  }
  return result;
}

std::vector<Variant> variants() {
  std::vector<Variant> result;
  for (const Variant& small : small_mechanisms()) {
    result.push_back(small);
    for (const OptionInfo& info : small.entry->options) {
      const json now = small.options.value(info.name, info.default_value);
      for (const json& value : other_values(info, now)) {
        Variant changed = small;
        changed.options[info.name] = value;
        result.push_back(changed);
      }
    }
    const auto together = kCombinations.find(small.entry->name);
    if (together == kCombinations.end()) continue;
    for (const json& options : together->second) {
      Variant changed = small;
      changed.options.update(options);
      result.push_back(changed);
    }
  }
  return result;
}

bool takes(const Mechanism& mechanism, Pattern pattern) {
  return mechanism.patterns().include(pattern);
}

std::unique_ptr<State> state_of(const Mechanism& mechanism) {
  try {
    return mechanism.new_state();
  } catch (const OptionError&) {
    return nullptr;
  }
}

double moved_by(double error, Mechanism& mechanism, const Inputs& in) {
  mechanism.to(torch::kFloat64);
  return moved_by(error, mechanism, in, all_rows(in.query.size(2)));
}

void disturb_parameters(Mechanism& mechanism, uint64_t seed) {
  torch::NoGradGuard no_grad;
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed + 100);
  for (Tensor& parameter : mechanism.parameters()) {
    if (parameter.count_nonzero().item<int64_t>() > 0) continue;
    parameter.copy_(torch::randn(parameter.sizes(), generator, parameter.options()));
  }
}

}  // namespace lavo
