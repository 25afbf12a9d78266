// SPDX-License-Identifier: MIT
// The targets as data: each line is a cell, what it is compared with, and the bound.
#include "reports/page/html.h"
#include "reports/targets/targets.h"

namespace lavo::report {
namespace {

constexpr int64_t k1K = 1024, k4K = 4 * k1K, k16K = 16 * k1K, k64K = 64 * k1K, k1M = k1K * k1K;
constexpr double kMiB = 1 << 20;

/// The axes of a cell of `mechanism`; `more` sets further axes, and replaces what is usual here.
json measured(const std::string& mechanism, const std::string& pass, int64_t length,
              const json& more = json::object()) {
  json axes = {{"mechanism", mechanism}, {"pass", pass},  {"length", length}, {"device", "cpu"},
               {"threads", 2},           {"batch", 1},    {"heads", 4},       {"head_dim", 64},
               {"dtype", "float32"},     {"causal", true}};
  axes.update(more);
  return axes;
}
json lavo_measured(const std::string& memory, const std::string& implementation,
                   const std::string& pass, int64_t length) {
  return measured("lavo", pass, length, {{"memory", memory}, {"implementation", implementation}});
}
json baseline(const std::string& mechanism, const std::string& implementation,
              const std::string& pass, int64_t length) {
  return measured(mechanism, pass, length, {{"implementation", implementation}});
}

std::string title(const json& axes, bool with_length = true) {
  std::string text = axes.at("mechanism");
  if (axes.contains("memory")) text += " " + axes.at("memory").get<std::string>();
  if (axes.contains("implementation")) text += ", " + axes.at("implementation").get<std::string>();
  const std::string pass = axes.at("pass");
  text += ", " + (pass == "forward_backward" ? "forward + backward" : pass);
  if (with_length) text += ", " + format_length(axes.at("length"));
  return text;
}

/// T: LibTorch's fused attention at the same length and pass.
json vanilla_beside(const json& axes) { return measured("vanilla", axes["pass"], axes["length"]); }

Target faster_than_vanilla(const json& axes, double times) {
  return {.what = title(axes) + ": T over its time",
          .metric = "time",
          .above = vanilla_beside(axes),
          .below = axes,
          .at_least = true,
          .limit = times};
}
Target share_of_vanilla(const json& axes, double share) {
  return {.what = title(axes) + ": its time over T",
          .metric = "time",
          .above = axes,
          .below = vanilla_beside(axes),
          .limit = share};
}
Target faster_than(const json& other, const std::string& whose, const json& axes, double times) {
  return {.what = title(axes) + ": time of " + whose + " over its own",
          .metric = "time",
          .above = other,
          .below = axes,
          .at_least = true,
          .limit = times};
}
/// One head, so that a million tokens take a gigabyte and not four.
Target steady_time(json axes, double limit) {
  axes["heads"] = 1;
  json shorter = axes;
  axes["length"] = k1M;
  return {.what = title(axes, false) + ", 1 head: time of a token at 1M over 4K",
          .metric = "time",
          .above = axes,
          .below = shorter,
          .scale = static_cast<double>(k4K) / k1M,
          .limit = limit};
}
/// In decode `time` is that of a token already.
Target steady_decode(const json& which, const std::string& metric, const std::string& words,
                     double limit) {
  json axes = which, earlier = which;
  axes["length"] = k1M;
  earlier["length"] = k1K;
  return {.what = title(axes, false) + ", 1 head: " + words + " at position 1M over 1K",
          .metric = metric,
          .above = axes,
          .below = earlier,
          .limit = limit};
}
Target memory_within(const json& axes, const std::string& words, Allowance allowance) {
  return {.what = title(axes) + ": peak memory over " + words,
          .metric = "peak_memory",
          .above = axes,
          .allowance = allowance};
}

void add_lavo(std::vector<Target>& all) {
  for (const auto& [length, shared, key_value] :
       {std::tuple{k4K, 15, 12}, std::tuple{k16K, 50, 40}, std::tuple{k64K, 140, 110}}) {
    all.push_back(faster_than_vanilla(lavo_measured("shared", "fused", "forward", length), shared));
    all.push_back(
        faster_than_vanilla(lavo_measured("key_value", "fused", "forward", length), key_value));
  }
  all.push_back(faster_than_vanilla(lavo_measured("shared", "fused", "forward", 128), 1));
  all.push_back(faster_than_vanilla(lavo_measured("shared", "composed", "forward", k4K), 5));
  all.push_back(faster_than_vanilla(lavo_measured("key_value", "composed", "forward", k4K), 4));
  all.push_back(faster_than_vanilla(lavo_measured("shared", "fused", "forward_backward", k4K), 12));
  all.push_back(
      faster_than_vanilla(lavo_measured("shared", "fused", "forward_backward", k16K), 40));
  const json fused = lavo_measured("shared", "fused", "forward", k16K);
  const json composed = lavo_measured("shared", "composed", "forward", k16K);
  const json naive = lavo_measured("shared", "naive", "forward", k16K);
  all.push_back(faster_than(composed, "the composed form", fused, 2.5));
  all.push_back(faster_than(naive, "the n x r x d form", fused, 36));
  all.push_back(faster_than(naive, "the n x r x d form", composed, 10));
  for (const char* kind : {"shared", "key_value"}) {
    all.push_back(memory_within(lavo_measured(kind, "fused", "forward", k16K), "output + 1 MiB",
                                {.tensors = 1, .extra_bytes = kMiB}));
    all.push_back(memory_within(lavo_measured(kind, "fused", "forward_backward", k16K),
                                "output and 3 input gradients + 5 %",
                                {.tensors = 4, .factor = 1.05}));
  }
}

void add_baselines(std::vector<Target>& all) {
  const auto forward = [](const char* mechanism, const char* implementation) {
    return baseline(mechanism, implementation, "forward", k4K);
  };
  const auto both = [](const char* mechanism, const char* implementation) {
    return baseline(mechanism, implementation, "forward_backward", k4K);
  };
  all.push_back(share_of_vanilla(forward("linear", "composed"), 0.26));
  all.push_back(share_of_vanilla(both("linear", "composed"), 0.19));
  all.push_back(share_of_vanilla(forward("linear", "fused"), 0.12));
  all.push_back(share_of_vanilla(both("linear", "fused"), 0.10));
  all.push_back(share_of_vanilla(forward("performer", "composed"), 1.6));
  all.push_back(share_of_vanilla(both("performer", "composed"), 1.0));
  all.push_back(share_of_vanilla(forward("performer", "fused"), 0.6));
  all.push_back(share_of_vanilla(both("performer", "fused"), 0.5));
  all.push_back(share_of_vanilla(forward("local", "composed"), 0.063));
  all.push_back(share_of_vanilla(forward("local", "fused"), 0.032));
  all.push_back(share_of_vanilla(both("local", "fused"), 0.045));
}

/// Each baseline against the package that people install for it: a slower one would make LAVO look
/// good.
void add_peers(std::vector<Target>& all) {
  struct Pair {
    const char *peer, *own;
    bool causal;
    double times;
  };
  constexpr Pair kPairs[] = {{"fast-transformers", "linear", true, 1},
                             {"performer-pytorch", "performer", true, 1},
                             {"local-attention", "local", true, 1},
                             {"nystrom-attention", "nystromformer", false, 1.1}};
  for (const auto& [peer, own, causal, times] : kPairs) {
    for (const char* pass : {"forward", "forward_backward"}) {
      const json axes = measured(own, pass, k4K, {{"causal", causal}});
      Target target =
          faster_than(measured(peer, pass, k4K, {{"causal", causal}}), peer, axes, times);
      target.otherwise = "experiments/peers measures both; give its directory too";
      all.push_back(target);
    }
  }
}

/// Whatever has a state of constant size.
void add_long_sequences(std::vector<Target>& all) {
  for (const char* kind : {"shared", "key_value"}) {
    all.push_back(steady_time(lavo_measured(kind, "fused", "forward", k4K), 1.2));
    all.push_back(steady_time(lavo_measured(kind, "composed", "forward", k4K), 1.3));
  }
  for (const char* mechanism : {"linear", "performer", "cosformer", "local"}) {
    all.push_back(steady_time(baseline(mechanism, "fused", "forward", k4K), 1.2));
    all.push_back(steady_time(baseline(mechanism, "composed", "forward", k4K), 1.3));
  }
  const json one_head = {{"heads", 1}};
  std::vector<json> decoders;
  for (const char* kind : {"shared", "key_value"}) {
    decoders.push_back(measured("lavo", "decode", k1K, {{"heads", 1}, {"memory", kind}}));
  }
  for (const char* mechanism : {"linear", "performer", "cosformer", "local"}) {
    decoders.push_back(measured(mechanism, "decode", k1K, one_head));
  }
  for (const json& axes : decoders) {
    all.push_back(steady_decode(axes, "time", "time of a token", 1.1));
    all.push_back(steady_decode(axes, "state_bytes", "state", 1));
  }
}

}  // namespace

std::vector<Target> cpu_targets() {
  std::vector<Target> all;
  add_lavo(all);
  add_baselines(all);
  add_peers(all);
  add_long_sequences(all);
  return all;
}

Target overhead_target() {
  return {.what = "the harness beside a cell, over one second",
          .metric = "time",
          .above = {},
          .limit = 0.02};
}

}  // namespace lavo::report
