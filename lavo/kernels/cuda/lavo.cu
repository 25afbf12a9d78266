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
