// SPDX-License-Identifier: MIT
#include "baselines/nystromformer.h"

#include <ATen/ops/conv2d.h>

#include <algorithm>
#include <cmath>

#include "baselines/nystromformer_reference.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

// An iteration enlarges what rounding adds where A2 is nearly singular up to 13/4 times. In float32
// that goes unseen in 6 of them; 12 lost a digit or two of the output on random inputs, 20 four.
constexpr int64_t kNarrowIterations = 6;
// In float64 28 of them enlarge it 2e14 times, to 0.02: singular values above 1e-7 of the largest
// are inverted by then, and those below could not be told from rounding by going on.
constexpr int64_t kMostIterations = 28;

/// For which matrices Z is so near a generalised inverse of A that one step, of third order, makes
/// it one. (B,H,1,1)
Tensor nearly_inverse(const Tensor& a, const Tensor& az) {
  const torch::NoGradGuard no_gradients;
  constexpr double tolerance = 1e-10;
  const Tensor error = (torch::matmul(az, a) - a).abs_().amax({2, 3}, /*keepdim=*/true);
  return error <= tolerance * a.abs().amax({2, 3}, /*keepdim=*/true);
}

/// softmax(q k^T / sqrt(D)) v; zeros where no key is visible. mask (B, S), true = visible, or
/// undefined.
Tensor softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask_BS) {
  if (!mask_BS.defined()) return at::scaled_dot_product_attention(q, k, v);
  const Tensor visible = mask_BS.view({mask_BS.size(0), 1, 1, mask_BS.size(1)});
  const Tensor nothing = visible.any(3, /*keepdim=*/true).logical_not();
  return at::scaled_dot_product_attention(q, k, v, visible.logical_or(nothing))
      .masked_fill(nothing, 0);
}

/// Means of `count` consecutive segments of (B, H, n, X), n >= count.
Tensor segment_means(const Tensor& x, int64_t count) {
  const int64_t n = x.size(2), length = n / count, longer = n % count;
  const auto means = [&](int64_t first, int64_t segments, int64_t tokens) {
    return x.narrow(2, first, segments * tokens)
        .unflatten(2, {segments, tokens})
        .mean(3, /*keepdim=*/false, compute_type(x.scalar_type()));
  };
  const Tensor shorter_ones = means(0, count - longer, length);
  if (longer == 0) return shorter_ones;
  return torch::cat({shorter_ones, means((count - longer) * length, longer, length + 1)}, 2);
}

/// Which real token belongs to which of `count` segments, without asking the device how many there
/// are.
class Segments {
 public:
  Segments(const Tensor& mask_BS, int64_t count, torch::ScalarType type) {
    const Tensor real = mask_BS.to(torch::kLong);
    const Tensor n = real.sum(1, /*keepdim=*/true), rank = real.cumsum(1) - 1;
    const Tensor length = n.div(count, "floor"), shorter = count - n.remainder(count);
    const Tensor edge = shorter * length;  // tokens in the shorter ones
    const Tensor segment = torch::where(rank < edge, rank.div(length.clamp_min(1), "floor"),
                                        shorter + (rank - edge).div(length + 1, "floor"));
    const Tensor index = torch::arange(count, real.options()).view({1, count, 1});
    const Tensor member = (segment.unsqueeze(1) == index).logical_and(mask_BS.unsqueeze(1));
    const Tensor tokens = member.sum(2, /*keepdim=*/true);
    weight_BLS_ = member.to(type).div_(tokens.clamp_min(1));
    used_BL_ = tokens.squeeze(2) > 0;
    few_B111_ = (n <= count).view({-1, 1, 1, 1});
  }

  Tensor means(const Tensor& x) const {
    const int64_t B = x.size(0), H = x.size(1), S = x.size(2), X = x.size(3);
    const Tensor tokens = x.transpose(1, 2).to(weight_BLS_.scalar_type()).reshape({B, S, H * X});
    return torch::bmm(weight_BLS_, tokens).view({B, -1, H, X}).transpose(1, 2);
  }
  const Tensor& used_BL() const { return used_BL_; }    ///< segments that hold a token
  const Tensor& few_B111() const { return few_B111_; }  ///< no more tokens than segments

 private:
  Tensor weight_BLS_, used_BL_, few_B111_;
};

}  // namespace

void NystromformerOptions::validate() const {
  require_option(conv_kernel == 0 || conv_kernel % 2 == 1, "conv_kernel",
                 "nystromformer: option 'conv_kernel' must be 0 or odd, got {}", conv_kernel);
}

Patterns Nystromformer::supported() {
  return {{"", "a landmark is the mean of a segment and mixes later tokens", "",
           "a landmark of the queries mixes later ones"}};
}

Nystromformer::Nystromformer(const Options& options, const Setting& setting,
                             at::Generator& generator)
    : options_(options) {
  if (options.conv_kernel == 0) return;
  const double bound = 1 / std::sqrt(static_cast<double>(options.conv_kernel));
  Tensor weight = torch::empty({setting.heads, 1, options.conv_kernel, 1}, torch::kFloat64);
  conv_weight_ = register_parameter("conv_weight", weight.uniform_(-bound, bound, generator));
}

std::unique_ptr<State> Nystromformer::new_state() const {
  throw OptionError(
      "nystromformer: it has no streaming state: landmarks are means over the whole sequence");
}

Patterns Nystromformer::patterns() const {
  Patterns patterns = supported();
  if (options_.conv_kernel > 0) {
    patterns.refusal[static_cast<size_t>(Pattern::kNoncausalCross)] =
        "conv_kernel needs self attention: it adds values to the outputs at the same positions";
  }
  return patterns;
}

Tensor iterative_pinv(const Tensor& a, int64_t iterations, PinvInit init) {
  const Tensor column_sums = a.sum(2, /*keepdim=*/true);
  const Tensor largest =
      init == PinvInit::kExact ? column_sums.amax(3, /*keepdim=*/true) : column_sums.amax();
  const Tensor identity = torch::eye(a.size(3), a.options());
  const bool stops = iterations > kNarrowIterations;
  Tensor z = a.transpose(2, 3) / largest, done;
  for (int64_t i = 0; i < std::min(iterations, kMostIterations); ++i) {
    const Tensor az = torch::matmul(a, z);
    Tensor inner = 7 * identity - az;
    inner = 15 * identity - torch::matmul(az, inner);
    inner = 13 * identity - torch::matmul(az, inner);
    const Tensor next = torch::matmul(z, inner) / 4;
    z = done.defined() ? torch::where(done, z, next) : next;
    if (stops) done = nearly_inverse(a, az);
  }
  return z;
}

Tensor Nystromformer::attend(const Inputs& in, State*) {
  const int64_t T = in.query.size(2), S = in.key.size(2), L = options_.landmarks;
  const Tensor q = to_compute(in.query), k = to_compute(in.key), v = to_compute(in.value);
  Tensor output;
  if (T <= L || S <= L) {
    output = softmax_attention(q, k, v, in.key_mask);
  } else {
    std::optional<Segments> segments;
    if (in.key_mask.defined()) segments.emplace(in.key_mask, L, k.scalar_type());
    const Tensor kl = segments ? segments->means(k) : segment_means(in.key, L);
    Tensor ql;
    if (segments && !in.is_cross()) {
      const Tensor padded = in.key_mask.logical_not().view({-1, 1, S, 1});
      ql = segments->means(q.masked_fill(padded, 0));
    } else {
      ql = segment_means(in.query, L);
    }
    const auto type = options_.iterations > kNarrowIterations ? torch::kFloat64 : q.scalar_type();
    const double scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
    Tensor core = torch::matmul(ql.to(type) * scale, kl.to(type).transpose(2, 3)).softmax(3);
    Tensor summary = softmax_attention(ql, k, v, in.key_mask);  // A3 v
    if (segments) {
      // With few tokens every one is its own landmark, and A1 on their values is the answer.
      core = torch::where(segments->few_B111(), torch::eye(L, core.options()), core);
      summary = torch::where(segments->few_B111(), segments->means(v), summary);
    }
    const Tensor z = iterative_pinv(core, options_.iterations, options_.pinv_init);
    summary = torch::matmul(z, summary.to(type)).to(v.scalar_type());
    output = softmax_attention(q, kl, summary, segments ? segments->used_BL() : Tensor());
  }
  if (!conv_weight_.defined()) return output;
  return output + at::conv2d(v, to_compute(conv_weight_), {}, 1, {options_.conv_kernel / 2, 0}, 1,
                             v.size(1));
}

Tensor Nystromformer::attend_rows(const Inputs& in, const std::vector<int64_t>& rows) {
  return nystromformer_rows(in, options_, conv_weight_, rows);
}

Cost Nystromformer::cost(const Shape& s, Pattern) const {
  const double heads = static_cast<double>(s.B * s.H), L = static_cast<double>(options_.landmarks);
  const double T = static_cast<double>(s.T), S = static_cast<double>(s.S),
               D = static_cast<double>(s.D), E = static_cast<double>(s.E);
  const double iterations = static_cast<double>(std::min(options_.iterations, kMostIterations));
  const bool exact = s.T <= options_.landmarks || s.S <= options_.landmarks;
  const double pairs = exact ? T * S : L * (T + S);
  // In 16 bits the inputs are widened; unequal widths make LibTorch hold weights.
  const double wide = s.element_bytes < 4 ? 2 * s.input_bytes() : 0;
  const double weights = s.D == s.E ? 0 : 2 * s.compute_bytes() * heads * pairs;
  const double width = options_.iterations > kNarrowIterations ? 8 : s.compute_bytes();
  const double square = exact ? 0 : width * heads * L * L;
  const double output =
      s.compute_bytes() * heads * T * (E + 1) + (s.element_bytes < 4 ? s.output_bytes() : 0);
  // LibTorch's convolution copies values and result to blocks of 16 heads.
  const double blocks = static_cast<double>(s.B * ((s.H + 15) / 16) * 16);
  const double conv = options_.conv_kernel > 0 ? 2 * s.compute_bytes() * blocks * T * E : 0;
  return {.flop = heads * (2 * pairs * (D + E) + (exact ? 0 : 8 * iterations * L * L * L)) +
                  2 * heads * static_cast<double>(options_.conv_kernel) * T * E,
          .bytes = s.traffic_bytes(),
          .memory_bytes = output + wide + weights + conv + 6 * square,
          .backward_memory_bytes = output + 2 * wide + s.input_bytes() + 1.5 * weights + conv +
                                   (4 * iterations + 4) * square,
          .state_bytes = 0};
}

}  // namespace lavo
