// SPDX-License-Identifier: MIT
// From a shape known at run time to an instance of the kernels.
#pragma once

#include "lavo/kernels/cuda/engine/reduce.cuh"
#include "lavo/kernels/cuda/lavo/backward.cuh"
#include "lavo/kernels/cuda/lavo/chunk_sums.cuh"

namespace lavo::cuda {

inline Walk walk_of(const LavoShape& s) { return {s.length, chunk_tiles(s), chunk_count(s)}; }

inline LavoArguments arguments_of(const LavoShape& s, const LavoInputs& in, const float* sums) {
  const float scale = 1 / std::sqrt(static_cast<float>(s.width));
  return {in, walk_of(s), sums, scale, s.bases, s.window, s.causal, s.window_part};
}

/// One block for each chunk of each (batch, head).
inline dim3 grid_of(const LavoShape& s) {
  return dim3(static_cast<unsigned>(chunk_count(s)), static_cast<unsigned>(s.heads),
              static_cast<unsigned>(s.batch));
}

template <class C>
int launch_chunk_sums(const LavoShape& s, const LavoInputs& in, float* sums, Stream stream) {
  if (!C::kHasMemory) return 0;
  ChunkSumsArguments a{in.value, in.value, C::kMeans, in.real_counts, walk_of(s), C::kD, sums};
  dim3 grid = grid_of(s);
  if (C::kMeans == 2) a.first = in.key;
  if (C::kHasContext) a.first = in.context, a.width = s.bases, grid.y = 1;
  return launch(chunk_sums_kernel<typename C::T>, grid, kSumThreads,
                chunk_sums_bytes<typename C::T>(), stream, a);
}

template <class C>
int launch_forward(const LavoShape& s, const LavoInputs& in, const Rows& output, float* sums,
                   Stream stream) {
  const int failed = launch_chunk_sums<C>(s, in, sums, stream);
  if (failed != 0) return failed;
  return launch(lavo_forward_kernel<C>, grid_of(s), C::kThreads, storage_bytes<C, false>(s.window),
                stream, arguments_of(s, in, sums), output);
}

/// Adds up one of the blocks' partial gradients, where it is wanted.
inline int launch_reduce(const LavoShape& s, const float* partials, int64_t stride, int count,
                         float* to, Stream stream) {
  if (to == nullptr) return 0;
  const ReduceArguments a{partials, to, stride, s.batch, chunk_count(s), count};
  const auto blocks = static_cast<unsigned>((count + kReduceThreads - 1) / kReduceThreads);
  return launch(reduce_kernel, dim3(blocks, static_cast<unsigned>(s.heads)), kReduceThreads, 0,
                stream, a);
}

template <class C>
int launch_backward(const LavoShape& s, const LavoInputs& in, const Rows& output_gradient,
                    const float* sums, const LavoGradients& to, float* workspace, Stream stream) {
  const BackwardScratch scratch(s, to);
  const int64_t blocks = static_cast<int64_t>(s.batch) * s.heads * chunk_count(s);
  float* suffixes = workspace + blocks * scratch.carries;
  float* partials = suffixes + blocks * scratch.suffixes;
  int failed = 0;
  if (sums == nullptr) {
    float* own_sums = partials + blocks * scratch.partials;
    failed = launch_chunk_sums<C>(s, in, own_sums, stream);
    sums = own_sums;
  }
  const BackwardArguments a{
      arguments_of(s, in, sums), output_gradient, to, workspace, suffixes, partials, scratch};
  const std::size_t bytes = storage_bytes<C, true>(s.window);
  if constexpr (C::kHasMemory) {
    if (failed == 0)
      failed = launch(lavo_suffixes_kernel<C>, grid_of(s), C::kThreads, bytes, stream, a);
  }
  if (failed == 0)
    failed = launch(lavo_backward_kernel<C>, grid_of(s), C::kThreads, bytes, stream, a);

  const auto reduce = [&](int64_t offset, int count, float* result) {
    if (failed == 0)
      failed = launch_reduce(s, partials + offset, scratch.partials, count, result, stream);
  };
  const int rows = s.bases * s.width;
  if (C::kHasMemory) reduce(0, rows, to.key_bases);
  if (C::kHasContext && to.key_bases != nullptr) reduce(scratch.bases, rows, to.value_bases);
  reduce(scratch.bias_offset, 2 * s.window - 1, to.bias);
  reduce(scratch.weights_offset, 2, to.weights);
  return failed;
}

}  // namespace lavo::cuda
