// SPDX-License-Identifier: MIT
#include "baselines/local.h"

#include <algorithm>

namespace lavo {

Patterns Local::supported() {
  const std::string reason = "a query has no window among the keys of another sequence";
  return {{"", "", reason, reason}};
}

Local::Local(const Options& options, const Setting& setting, at::Generator&) : options_(options) {
  if (options.position == WindowPosition::kRelative) {
    relative_bias_ = register_parameter(
        "relative_bias",
        torch::zeros({setting.heads, windows(false).bias_length()}, torch::kFloat64));
  }
}

Tensor Local::attend(const Inputs& in, State* state) {
  if (!state) return window_attention_tiles(in, relative_bias_, windows(in.causal));
  auto& cache = static_cast<KeyValueCache&>(*state);
  const WindowKeys keys = stream_keys(cache, in, cache.position);
  Tensor out = window_attention(in.query, cache.position, keys, relative_bias_, windows(true));
  cache.keep_last(windows(true).kept(cache.position + in.query.size(2)));
  return out;
}

Tensor Local::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  return window_attention_rows(in, relative_bias_, windows(in.causal), rows);
}

Cost Local::cost(const Shape& s, bool) const {
  const double tokens = static_cast<double>(s.B * s.H * s.T);
  const double span =
      static_cast<double>(std::min(s.S, (options_.look_back + 1) * options_.window));
  const double widths = static_cast<double>(s.D + s.E);
  const double logits = s.compute_bytes() * tokens * span;
  return {.flop = 2 * tokens * span * widths,
          .bytes = s.traffic_bytes(),
          .memory_bytes = s.output_bytes() + 2 * logits,
          .backward_memory_bytes = s.output_bytes() + s.input_bytes() + 3 * logits,
          .state_bytes = static_cast<double>(s.element_bytes * s.B * s.H) * span * widths};
}

}  // namespace lavo
