// SPDX-License-Identifier: MIT
#include "experiments/catalogue.h"

#include <algorithm>
#include <cmath>

#include "baselines/table.h"
#include "experiments/data/corpus.h"
#include "experiments/data/data_sets.h"
#include "experiments/registry.h"
#include "lavo/core/check.h"
#include "lavo/core/mechanism.h"

namespace lavo {
namespace {

json describe(const OptionInfo& info) {
  return {{"name", info.name},
          {"kind", info.kind},
          {"allowed", info.allowed},
          {"default", info.default_value},
          {"meaning", info.meaning}};
}

/// The options with every default for a use with these heads; causal self attention where the
/// mechanism and its defaults allow it.
struct Use {
  Setting setting;
  json options;
};

Use typical_use(const Entry& entry, int64_t heads, int64_t head_dim) {
  Use use{{.heads = heads, .head_dim = head_dim, .value_dim = head_dim, .causal = true}, {}};
  try {
    require<OptionError>(entry.patterns.include(Pattern::kCausalSelf), "refused");
    use.options = entry.resolve(json::object(), use.setting);
  } catch (const OptionError&) {
    use.setting.causal = false;
    use.options = entry.resolve(json::object(), use.setting);
  }
  return use;
}

/// Sizes that are no default of any option tell where a tensor's size comes from.
constexpr int64_t kSomeHeads = 7, kSomeWidth = 29;

json size_name(int64_t size, const json& options) {
  if (size == kSomeHeads) return "heads";
  if (size == kSomeWidth) return "head_dim";
  for (const auto& [name, value] : options.items()) {
    if (value.is_number_integer() && value == size && size > 1) return name;
  }
  return size;
}

json describe_tensors(const Mechanism& mechanism, const json& options) {
  json tensors = json::array();
  const auto add = [&](const std::string& name, const char* kind, const Tensor& x) {
    json shape = json::array();
    for (const int64_t size : x.sizes()) shape.push_back(size_name(size, options));
    tensors.push_back({{"name", name}, {"kind", kind}, {"shape", shape}});
  };
  for (const auto& x : mechanism.named_parameters()) add(x.key(), "parameter", x.value());
  for (const auto& x : mechanism.named_buffers()) add(x.key(), "buffer", x.value());
  return tensors;
}

/// What it takes beside query, key and value at its default options.
json describe_inputs(const Mechanism& mechanism) {
  json inputs = json::array();
  for (const InputSpec& spec : mechanism.inputs()) {
    inputs.push_back({{"name", spec.name},
                      {"shape", spec.letters},
                      {"per_token", spec.is_per_token()},
                      {"neutral", std::isfinite(spec.neutral) ? json(spec.neutral) : json("-inf")},
                      {"meaning", spec.meaning}});
  }
  return inputs;
}

/// Of a forward call of one head, counted.
json describe_cost(const Entry& entry) {
  constexpr int64_t width = 64, tokens = 4096;
  const Use use = typical_use(entry, 1, width);
  const auto mechanism = entry.create(use.options, use.setting, /*seed=*/0);
  const auto of = [&](int64_t T) {
    return mechanism->cost({.B = 1, .H = 1, .T = T, .S = T, .D = width, .E = width},
                           pattern_of(use.setting.causal, false));
  };
  const double flop = of(tokens).flop / tokens, twice = of(2 * tokens).flop / (2 * tokens);
  return {{"head_dim", width},
          {"tokens", tokens},
          {"flop_per_token", flop},
          {"growth", flop > 0 ? twice / flop : 1.0},
          {"state_bytes", of(tokens).state_bytes}};
}

/// Tokens before a NaN whose outputs it may reach in a composed causal call, at most; null: all.
json not_finite_reach(const Mechanism& mechanism) {
  constexpr int64_t tokens = 4096;
  int64_t most = 0;
  for (int64_t t = 0; t < tokens; ++t) most = std::max(most, t - mechanism.first_not_finite(t));
  return most == tokens - 1 ? json() : json(most);
}

json describe_patterns(const Patterns& patterns) {
  json described = json::object();
  for (const Pattern pattern : kPatterns) {
    const std::string& reason = patterns.refusal[static_cast<size_t>(pattern)];
    described[pattern_name(pattern)] = {{"exact", reason.empty()},
                                        {"reason", reason.empty() ? json() : json(reason)}};
  }
  return described;
}

}  // namespace

json describe_mechanisms() {
  json described = json::array();
  for (const Entry& entry : mechanisms()) {
    const json resolved = typical_use(entry, 4, 64).options;
    const Use use = typical_use(entry, kSomeHeads, kSomeWidth);
    const auto mechanism = entry.create(use.options, use.setting, /*seed=*/0);
    json options = json::array();
    for (const OptionInfo& info : entry.options) {
      options.push_back(describe(info));
      if (info.default_value.is_null()) options.back()["resolved"] = resolved.at(info.name);
    }
    described.push_back({{"name", entry.name},
                         {"kind", "mechanism"},
                         {"group", entry.group},
                         {"title", entry.title},
                         {"citation", entry.citation},
                         {"patterns", describe_patterns(entry.patterns)},
                         {"streaming", entry.facts.has_state},
                         {"equal_widths", entry.facts.equal_widths},
                         {"fused", entry.is_fused()},
                         {"fused_calls", entry.is_fused() ? entry.facts.fused_calls : "none"},
                         {"not_finite_reach", not_finite_reach(*mechanism)},
                         {"inputs", describe_inputs(*mechanism)},
                         {"options", options},
                         {"cost", describe_cost(entry)},
                         {"own_layer", entry.layer},
                         {"tensors", describe_tensors(*mechanism, use.options)}});
  }
  return described;
}

json describe_experiments() {
  json described = json::array();
  for (const auto& experiment : experiments()) {
    json axes = json::array();
    for (const OptionInfo& info : experiment->axes()) axes.push_back(describe(info));
    described.push_back({{"name", experiment->name()},
                         {"purpose", experiment->purpose()},
                         {"spec_version", experiment->spec_version()},
                         {"axes", axes}});
  }
  return described;
}

json describe_data() {
  json described = json::array();
  for (const DataSet& set : data_sets()) {
    const auto corpus = load_corpus(set.place);
    json documents = json::array();
    for (size_t split = 0; split < kSplits.size(); ++split) {
      for (const Document& document : corpus->documents[split]) {
        documents.push_back(
            {{"split", kSplits[split]}, {"name", document.name}, {"bytes", document.text.size()}});
      }
    }
    json row = describe_corpus(*corpus);
    row.update({{"title", set.title}, {"source", set.source}, {"documents", documents}});
    described.push_back(row);
  }
  return described;
}

}  // namespace lavo
