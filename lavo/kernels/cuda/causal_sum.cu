// SPDX-License-Identifier: MIT
#include "lavo/kernels/cuda/causal_sum.cuh"
#include "lavo/kernels/cuda/plan.h"

namespace lavo::cuda {
namespace {

int padded_width(const CausalSumShape& s) { return s.features > 64 || s.width > 64 ? 128 : 64; }

/// Divided as LAVO's sequences are.
LavoShape as_lavo(const CausalSumShape& s) {
  LavoShape shape;
  shape.batch = s.batch, shape.heads = s.heads, shape.length = s.length;
  return shape;
}

}  // namespace

const char* why_not(const CausalSumShape& s) {
  if (s.element == Element::kFloat16) return "sums leave the range of float16";
  if (s.length < 1 || s.batch < 1 || s.heads < 1) return "sizes must be at least 1";
  if (s.batch > 65535 || s.heads > 65535) return "more than 65535 batches or heads";
  if (s.features % 8 != 0 || s.features < 8 || s.features > 128 || s.width % 8 != 0 ||
      s.width < 8 || s.width > 128)
    return "features and widths are multiples of 8 up to 128";
  return nullptr;
}

int64_t causal_sum_floats(const CausalSumShape& s) {
  const int64_t states = static_cast<int64_t>(s.batch) * s.heads * chunk_count(as_lavo(s));
  return states * padded_width(s) * padded_width(s);
}

int causal_sum(const CausalSumShape& s, const Rows& query, const Rows& key, const Rows& value,
               const Rows& output, float* scratch, Stream stream) {
  const LavoShape shape = as_lavo(s);
  const CausalSumArguments a{
      s, query, key, value, output, scratch, chunk_tiles(shape), chunk_count(shape)};
  const bool narrow = padded_width(s) == 64;
  if (s.element == Element::kFloat32)
    return narrow ? launch_causal_sum<float, 64>(a, stream)
                  : launch_causal_sum<float, 128>(a, stream);
  return narrow ? launch_causal_sum<__nv_bfloat16, 64>(a, stream)
                : launch_causal_sum<__nv_bfloat16, 128>(a, stream);
}

}  // namespace lavo::cuda
