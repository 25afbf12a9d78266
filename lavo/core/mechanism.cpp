// SPDX-License-Identifier: MIT
#include "lavo/core/mechanism.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "lavo/core/check.h"
#include "lavo/core/packed.h"

namespace lavo {
namespace {

std::string sizes(const Tensor& x) { return fmt::format("[{}]", fmt::join(x.sizes(), ", ")); }

bool is_supported_type(torch::ScalarType type) {
  return type == torch::kFloat64 || type == torch::kFloat32 || type == torch::kBFloat16 ||
         type == torch::kFloat16;
}

Inputs hide_padding(Inputs in) {
  if (!in.key_mask.defined()) return in;
  in.key = hide_rows(in.key, in.key_mask, 2);
  in.value = hide_rows(in.value, in.key_mask, 2);
  if (in.context) in.context->tokens_BSM = hide_rows(in.context->tokens_BSM, in.key_mask, 1);
  return in;
}

/// Keys and values with a head for each of the queries'.
Inputs with_all_heads(Inputs in) {
  const int64_t H = in.query.size(1), G = in.key.size(1);
  if (H == G) return in;
  for (Tensor* x : {&in.key, &in.value}) *x = x->repeat_interleave(H / G, 1, H);
  return in;
}

}  // namespace

Tensor hide_rows(const Tensor& x, const Tensor& mask_BS, int64_t length_dim) {
  std::vector<int64_t> view(static_cast<size_t>(x.dim()), 1);
  view[0] = mask_BS.size(0);
  view[static_cast<size_t>(length_dim)] = mask_BS.size(1);
  return x.masked_fill(mask_BS.logical_not().view(view), 0);
}

const char* pattern_name(Pattern pattern) {
  static constexpr std::array names = {"NS", "CS", "NC", "CC"};
  return names.at(static_cast<size_t>(pattern));
}

const char* pattern_text(Pattern pattern) {
  static constexpr std::array names = {"noncausal self", "causal self", "noncausal cross",
                                       "causal cross"};
  return names.at(static_cast<size_t>(pattern));
}

Shape Inputs::shape() const {
  return {.B = query.size(0),
          .H = query.size(1),
          .T = query.size(2),
          .S = key.size(2),
          .D = query.size(3),
          .E = value.size(3),
          .element_bytes = static_cast<int64_t>(query.element_size())};
}

Pattern Inputs::pattern() const {
  return static_cast<Pattern>((is_cross() ? 2 : 0) + (causal ? 1 : 0));
}

int64_t State::bytes() const {
  int64_t total = 0;
  for (const Tensor& x : tensors()) {
    if (x.defined()) total += x.numel() * x.element_size();
  }
  return total;
}

void Mechanism::check_inputs(const Inputs& in, const State* state) const {
  const std::pair<const char*, const Tensor*> named[] = {
      {"query", &in.query}, {"key", &in.key}, {"value", &in.value}};
  for (const auto& [name, x] : named) {
    require<ShapeError>(x->defined() && x->dim() == 4,
                        "{}: {} must be [batch, heads, length, width], got {}", kind(), name,
                        x->defined() ? sizes(*x) : "nothing");
    require<ShapeError>(std::ranges::all_of(x->sizes(), [](int64_t n) { return n > 0; }),
                        "{}: {} must not be empty, got {}", kind(), name, sizes(*x));
    require<ShapeError>(is_supported_type(x->scalar_type()),
                        "{}: {} must be float64, float32, bfloat16 or float16, got {}", kind(),
                        name, toString(x->scalar_type()));
    require<ShapeError>(
        x->scalar_type() == in.query.scalar_type() && x->device() == in.query.device(),
        "{}: {} is {} on {}, query is {} on {}", kind(), name, toString(x->scalar_type()),
        x->device().str(), toString(in.query.scalar_type()), in.query.device().str());
    require<ShapeError>(x->size(0) == in.query.size(0) && in.query.size(1) % x->size(1) == 0,
                        "{}: {} is {}, query is {}: batch and heads must agree, or heads divide "
                        "those of the query",
                        kind(), name, sizes(*x), sizes(in.query));
  }
  require<ShapeError>(in.key.size(3) == in.query.size(3),
                      "{}: key is {}, query is {}: widths must agree", kind(), sizes(in.key),
                      sizes(in.query));
  require<ShapeError>(in.value.size(2) == in.key.size(2) && in.value.size(1) == in.key.size(1),
                      "{}: value is {}, key is {}: heads and lengths must agree", kind(),
                      sizes(in.value), sizes(in.key));
  if (in.key_mask.defined()) {
    const bool fits = in.key_mask.dim() == 2 && in.key_mask.size(0) == in.key.size(0) &&
                      in.key_mask.size(1) == in.key.size(2);
    require<ShapeError>(fits, "{}: key_mask must be [{}, {}], got {}", kind(), in.key.size(0),
                        in.key.size(2), sizes(in.key_mask));
    require<ShapeError>(
        in.key_mask.scalar_type() == torch::kBool || in.key_mask.scalar_type() == torch::kByte,
        "{}: key_mask must be bool or uint8, got {}", kind(), toString(in.key_mask.scalar_type()));
  }
  const Pattern pattern = in.pattern();
  const std::string refusal = patterns().refusal[static_cast<size_t>(pattern)];
  require<ShapeError>(refusal.empty(), "{}: {} attention is refused: {}", kind(),
                      pattern_text(pattern), refusal);
  require<ShapeError>(!state || pattern == Pattern::kCausalSelf,
                      "{}: streaming is causal self attention, got {}", kind(),
                      pattern_text(pattern));
  require<ShapeError>(!state || !in.cu_seqlens.defined(),
                      "{}: cu_seqlens is for whole sequences, a stream is of one document", kind());
  check(in, state);
}

// Sums are kept in float32 or wider, also inside an autocast region: it would turn their matrix
// products back into 16 bits.
using WithoutAutocast = c10::impl::ExcludeDispatchKeyGuard;

Tensor Mechanism::attend_either(const Inputs& given, State* state) {
  check_inputs(given, state);
  const WithoutAutocast guard(c10::autocast_dispatch_keyset);
  Inputs in = with_all_heads(given);
  if (in.key_mask.defined()) in.key_mask = in.key_mask.to(torch::kBool);
  const Tensor fused =
      implementation_ == Implementation::kFused ? attend_fused(in, state) : Tensor();
  fused_call_ = fused.defined();
  if (fused_call_) return fused;
  return attend(hide_padding(in), state).to(in.query.scalar_type());
}

Tensor Mechanism::forward(const Inputs& in) {
  if (!in.cu_seqlens.defined()) return attend_either(in, nullptr);
  check_inputs(in, nullptr);
  Pieces outputs(in.query.size(2));
  for (const Inputs& document : documents(kind(), in)) {
    outputs.add(attend_either(document, nullptr));
  }
  return outputs.result();
}

Tensor Mechanism::forward(const Inputs& in, State& state) {
  const Tensor out = attend_either(in, &state);
  state.position += in.query.size(2);
  return out;
}

Tensor Mechanism::reference(const Inputs& in, const std::vector<int64_t>& rows) {
  check_inputs(in, nullptr);
  const bool differentiable =
      in.query.requires_grad() || in.key.requires_grad() || in.value.requires_grad();
  const c10::AutoGradMode mode(differentiable && c10::GradMode::is_enabled());
  Inputs wide = with_all_heads(in);
  for (Tensor* x : {&wide.query, &wide.key, &wide.value}) *x = x->to(torch::kFloat64);
  if (wide.key_mask.defined()) wide.key_mask = wide.key_mask.to(torch::kBool);
  if (wide.context) {
    for (Tensor* x : {&wide.context->tokens_BSM, &wide.context->key_weight_HMD,
                      &wide.context->value_weight_HME}) {
      *x = x->to(torch::kFloat64);
    }
  }
  return wide.cu_seqlens.defined() ? attend_rows_packed(wide, rows) : attend_rows(wide, rows);
}

Tensor Mechanism::attend_rows_packed(const Inputs& in, const std::vector<int64_t>& rows) {
  std::vector<Tensor> outputs(rows.size());
  int64_t begin = 0;
  for (const Inputs& document : documents(kind(), in)) {
    const int64_t end = begin + document.query.size(2);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (begin <= rows[i] && rows[i] < end) {
        outputs[i] = attend_rows(document, {rows[i] - begin});
      }
    }
    begin = end;
  }
  return torch::cat(outputs, 2);
}

torch::ScalarType compute_type(torch::ScalarType type) {
  return type == torch::kFloat16 || type == torch::kBFloat16 ? torch::kFloat32 : type;
}

int64_t tile_length(double bytes_per_token, int64_t multiple_of, torch::Device device) {
  // Half of a common core's second-level cache; of a data-centre GPU's.
  const double cache_bytes = device.is_cpu() ? 1 << 20 : 24 << 20;
  const int64_t longest = device.is_cpu() ? 4096 : 65536;
  int64_t tile = 64;
  while (tile < longest && static_cast<double>(2 * tile) * bytes_per_token <= cache_bytes)
    tile *= 2;
  return (tile + multiple_of - 1) / multiple_of * multiple_of;
}

void Pieces::add(const Tensor& piece) {
  if (piece.requires_grad() || (written_ == 0 && piece.size(dim_) == length_)) {
    parts_.push_back(piece);
    return;
  }
  if (!whole_.defined()) {
    std::vector<int64_t> sizes = piece.sizes().vec();
    sizes[static_cast<size_t>(dim_)] = length_;
    whole_ = torch::empty(sizes, piece.options());
  }
  whole_.narrow(dim_, written_, piece.size(dim_)).copy_(piece);
  written_ += piece.size(dim_);
}

Tensor Pieces::result() {
  if (whole_.defined()) return whole_;
  return parts_.size() == 1 ? parts_[0] : torch::cat(parts_, dim_);
}

}  // namespace lavo
