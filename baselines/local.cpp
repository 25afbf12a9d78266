// SPDX-License-Identifier: MIT
#include "baselines/local.h"

#include "lavo/parts/fused_stream.h"

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

Tensor Local::attend_fused(const Inputs& in, State* state) {
  const auto options = in.query.options().dtype(compute_type(in.query.scalar_type()));
  AttendInputs call{.query = in.query,
                    .key = in.key,
                    .value = in.value,
                    .weights = torch::ones({2, in.query.size(1)}, options),
                    .key_mask = in.key_mask,
                    .window = options_.window,
                    .look_back = options_.look_back,
                    .causal = in.causal};
  if (relative_bias_.defined()) call.bias = to_compute(relative_bias_);
  if (!can_attend(call)) return {};
  if (!state) return lavo::attend(call);
  if (!can_stream(call)) return {};
  AttendStream stream;
  return attend_piece(call, stream, static_cast<KeyValueCache&>(*state), state->position);
}

std::string Local::not_fused(const CallFacts& call) const {
  if (call.streaming && !call.device.is_cpu()) return "streams are fused on the CPU alone";
  AttendFacts facts = facts_of(call);
  facts.window = options_.window;
  facts.look_back = options_.look_back;
  return attend_refusal(facts);
}

Tensor Local::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  return window_attention_rows(in, relative_bias_, windows(in.causal), rows);
}

int64_t Local::first_not_finite(int64_t t) const { return t / options_.window * options_.window; }

Cost Local::cost(const Shape& shape, Pattern pattern) const {
  Cost cost = window_cost(shape, windows(is_causal(pattern)));
  if (implementation() != Implementation::kFused) return cost;
  cost.memory_bytes = shape.output_bytes();
  cost.backward_memory_bytes = shape.output_bytes() + shape.input_bytes();
  return cost;
}

}  // namespace lavo
