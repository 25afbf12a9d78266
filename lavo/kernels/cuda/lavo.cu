// SPDX-License-Identifier: MIT
#include "lavo/kernels/cuda/lavo.h"
#include "lavo/kernels/cuda/lavo_dispatch.cuh"

namespace lavo::cuda {

extern template decltype(lavo_forward) forward_of<__nv_bfloat16>;
extern template decltype(lavo_forward) forward_of<__half>;
extern template decltype(lavo_forward) forward_of<float>;
extern template decltype(lavo_backward) backward_of<__nv_bfloat16>;
extern template decltype(lavo_backward) backward_of<__half>;
extern template decltype(lavo_backward) backward_of<float>;

const char* why_not(const LavoShape& s) {
  const bool has_memory = s.memory != Memory::kNone;
  if (s.length < 1 || s.batch < 1 || s.heads < 1) return "sizes must be at least 1";
  if (s.length >= int64_t{1} << 31) return "lengths from 2^31 on are not counted";
  if (s.batch > 65535 || s.heads > 65535) return "more than 65535 batches or heads";
  if (s.width != 32 && s.width != 64 && s.width != 128) return "widths are 32, 64 and 128";
  if (has_memory && (s.bases < 1 || s.bases > 128)) return "bases are 1 to 128";
  if (s.memory == Memory::kContext && s.bases % 8 != 0)
    return "context needs a multiple of 8 bases";
  if (s.window < 1 || s.window > 64 || (s.window & (s.window - 1)) != 0)
    return "windows are powers of 2 up to 64";
  return nullptr;
}

int64_t lavo_sums_floats(const LavoShape& s) {
  if (s.memory == Memory::kNone) return 0;
  const int64_t chunks = static_cast<int64_t>(s.batch) * chunk_count(s);
  if (s.memory == Memory::kContext) return chunks * s.bases;
  return chunks * s.heads * means(s) * s.width;
}

int64_t lavo_workspace_floats(const LavoShape& s) {
  const BackwardScratch one(s);
  const int64_t blocks = static_cast<int64_t>(s.batch) * s.heads * chunk_count(s);
  return blocks * (one.carries + one.suffixes + one.partials);
}

int lavo_forward(const LavoShape& s, const LavoInputs& in, const Rows& output, float* sums,
                 Stream stream) {
  switch (s.element) {
    case Element::kBfloat16:
      return forward_of<__nv_bfloat16>(s, in, output, sums, stream);
    case Element::kFloat16:
      return forward_of<__half>(s, in, output, sums, stream);
    default:
      return forward_of<float>(s, in, output, sums, stream);
  }
}

int lavo_backward(const LavoShape& s, const LavoInputs& in, const Rows& output_gradient,
                  const float* sums, const LavoGradients& to, float* workspace, Stream stream) {
  switch (s.element) {
    case Element::kBfloat16:
      return backward_of<__nv_bfloat16>(s, in, output_gradient, sums, to, workspace, stream);
    case Element::kFloat16:
      return backward_of<__half>(s, in, output_gradient, sums, to, workspace, stream);
    default:
      return backward_of<float>(s, in, output_gradient, sums, to, workspace, stream);
  }
}

}  // namespace lavo::cuda
