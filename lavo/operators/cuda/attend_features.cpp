// SPDX-License-Identifier: MIT
// lavo::attend_features on the GPU: causal sums by our kernels, everything around them by LibTorch.
// All of it is in float32, whatever the values are in.
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "lavo/kernels/cuda/features/causal_sum.h"
#include "lavo/operators/cuda/rows.h"
#include "lavo/operators/features_by_sums.h"

namespace lavo {
namespace {

cuda::CausalSumShape sum_shape(int64_t B, int64_t H, int64_t T, int64_t features, int64_t width,
                               bool reverse) {
  constexpr int64_t kMany = 1 << 20;  // more than the kernels take
  return {static_cast<int>(std::min(B, kMany)),
          static_cast<int>(std::min(H, kMany)),
          T,
          static_cast<int>(features),
          static_cast<int>(width),
          reverse};
}

void require_kernels(const FeatureInputs& in) {
  const std::string why =
      attend_features_refusal(facts_of(in.value, in.query.size(3), in.level.defined()));
  TORCH_CHECK(why.empty(), "lavo::attend_features on CUDA: ", why);
}

void causal_sums_cuda(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                      bool reverse, const at::Tensor& out) {
  const at::Tensor q = with_aligned_rows(query), k = with_aligned_rows(key),
                   v = with_aligned_rows(value);
  const auto shape = sum_shape(v.size(0), v.size(1), v.size(2), q.size(3), v.size(3), reverse);
  const at::Tensor states = scratch(v, cuda::causal_sum_floats(shape));
  C10_CUDA_CHECK(static_cast<cudaError_t>(
      cuda::causal_sum(shape, rows_of(q), rows_of(k), rows_of(v), rows_of(out),
                       states.data_ptr<float>(), c10::cuda::getCurrentCUDAStream(v.get_device()))));
}

Results features_cuda(const FeatureInputs& in) {
  const c10::cuda::CUDAGuard guard(in.value.device());
  require_kernels(in);
  const FeatureOutputs out = features_forward_by_sums(causal_sums_cuda, in);
  return {out.output, out.sum};
}

Results features_backward_cuda(const FeatureBackward& call) {
  const c10::cuda::CUDAGuard guard(call.in.value.device());
  require_kernels(call.in);
  return features_backward_by_sums(causal_sums_cuda, call.grad_output, call.grad_sum, call.in)
      .list();
}

}  // namespace

std::string attend_features_refusal_cuda(const AttendFeaturesFacts& f) {
  const char* const why = cuda::why_not(sum_shape(f.B, f.H, f.T, /*features=*/8, /*width=*/8,
                                                  /*reverse=*/false));
  return why ? std::string(why) + " on CUDA" : "";
}

TORCH_LIBRARY_FRAGMENT(lavo, m) {
  implement<FeatureInputs, features_cuda>(m, c10::DispatchKey::CUDA);
  implement<FeatureBackward, features_backward_cuda>(m, c10::DispatchKey::CUDA);
}

}  // namespace lavo
