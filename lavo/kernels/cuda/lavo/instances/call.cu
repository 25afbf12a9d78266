// SPDX-License-Identifier: MIT
#include "lavo/kernels/cuda/lavo/call.h"
#include "lavo/kernels/cuda/lavo/dispatch.cuh"

namespace lavo::cuda {

extern template decltype(lavo_forward) forward_of<__nv_bfloat16>;
extern template decltype(lavo_forward) forward_of<__half>;
extern template decltype(lavo_forward) forward_of<float>;
extern template decltype(lavo_backward) backward_of<__nv_bfloat16>;
extern template decltype(lavo_backward) backward_of<__half>;
extern template decltype(lavo_backward) backward_of<float>;

int lavo_forward(const LavoShape& s, const LavoInputs& in, const Rows& output, float* sums,
                 Stream stream) {
  return by_element(s.element, [&](auto element) {
    return forward_of<decltype(element)>(s, in, output, sums, stream);
  });
}

int lavo_backward(const LavoShape& s, const LavoInputs& in, const Rows& output_gradient,
                  const float* sums, const LavoGradients& to, float* workspace, Stream stream) {
  return by_element(s.element, [&](auto element) {
    return backward_of<decltype(element)>(s, in, output_gradient, sums, to, workspace, stream);
  });
}

}  // namespace lavo::cuda
