// SPDX-License-Identifier: MIT
// LAVO for one more token: a block for each (batch, head), a warp for a row of the bases or a key,
// then a thread for a column of the output. Bound by the launch, so it asks for nothing special of
// the GPU.
#pragma once

#include "lavo/kernels/cuda/lavo/parts.cuh"

namespace lavo::cuda {

constexpr int kDecodeThreads = 128;

struct DecodeArguments {
  LavoInputs in;
  Rows output;
  LavoState state;
  Memory memory;
  float scale;
  int width, bases, window;
  bool window_part;
};

/// Floats in shared memory: q, k, v, then h^K scores, g and the window's scores.
LAVO_BOTH int decode_floats(int width, int bases, int window) {
  return 3 * width + 2 * bases + window;
}

LAVO_DEVICE float warp_sum(float x) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) x += __shfl_xor_sync(prim::kAllLanes, x, lanes);
  return x;
}
LAVO_DEVICE float warp_max(float x) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2)
    x = fmaxf(x, __shfl_xor_sync(prim::kAllLanes, x, lanes));
  return x;
}

/// By one warp: values[i] = weight softmax(scores)_i (times values[i], when they are others).
LAVO_DEVICE void decode_softmax(const float* scores, float* values, int count, float weight) {
  float max = -INFINITY, sum = 0;
  for (int i = lane_id(); i < count; i += 32) max = fmaxf(max, scores[i]);
  max = warp_max(max);
  for (int i = lane_id(); i < count; i += 32) sum += prim::exp(scores[i] - max);
  sum = warp_sum(sum);
  for (int i = lane_id(); i < count; i += 32) {
    const float p = weight * prim::exp(scores[i] - max) / sum;
    values[i] = values == scores ? p : p * values[i];
  }
}

template <class T>
__global__ void __launch_bounds__(kDecodeThreads) lavo_decode_kernel(const DecodeArguments a) {
  constexpr int kWarps = kDecodeThreads / 32;
  const int head = static_cast<int>(blockIdx.x), batch = static_cast<int>(blockIdx.y);
  const int64_t block = static_cast<int64_t>(batch) * gridDim.x + head;
  const int d = a.width, r = a.memory == Memory::kNone ? 0 : a.bases;
  const int64_t count = a.state.counts[block];
  const int slot = static_cast<int>(count % a.window);
  const int keys = a.window_part ? slot + 1 : 0;
  const T* key_bases = static_cast<const T*>(a.in.key_bases) + head * a.in.bases_head;
  const bool own_values = a.memory == Memory::kContext;
  const T* value_bases =
      own_values ? static_cast<const T*>(a.in.value_bases) + head * a.in.bases_head : key_bases;
  T* cached_keys = static_cast<T*>(a.state.keys) + block * a.window * d;
  T* cached_values = static_cast<T*>(a.state.values) + block * a.window * d;
  float* q = reinterpret_cast<float*>(shared_memory());
  float *k = q + d, *v = k + d, *scores = v + d, *means = scores + a.bases;
  float* window_scores = means + a.bases;

  for (int i = thread_id(); i < d; i += kDecodeThreads) {
    q[i] = prim::to_float(head_rows<T>(a.in.query, batch, head).row(0)[i]) * a.scale;
    const T value = head_rows<T>(a.in.value, batch, head).row(0)[i];
    v[i] = prim::to_float(value);
    k[i] = 0;
    if (a.window_part || a.memory == Memory::kKeyValue) {
      const T key = head_rows<T>(a.in.key, batch, head).row(0)[i];
      k[i] = prim::to_float(key);
      if (a.window_part) cached_keys[slot * d + i] = key, cached_values[slot * d + i] = value;
    }
  }
  __syncthreads();
  if (thread_id() == 0) a.state.counts[block] = count + 1;
  for (int i = warp_id(); i < r; i += kWarps) {
    float score = 0, of_values = 0, of_keys = 0;
    for (int c = lane_id(); c < d; c += 32) {
      const float b = prim::to_float(key_bases[i * d + c]);
      score += b * q[c], of_values += b * v[c], of_keys += b * k[c];
    }
    score = warp_sum(score), of_values = warp_sum(of_values), of_keys = warp_sum(of_keys);
    if (lane_id() > 0) continue;
    const auto mean = [&](int m, float projected) {
      const int64_t sets = a.memory == Memory::kKeyValue ? 2 : 1;
      double& sum = a.state.sums[(block * sets + m) * r + i];
      sum += projected;
      return static_cast<float>(sum / static_cast<double>(count + 1));
    };
    if (own_values) of_values = prim::to_float(head_rows<T>(a.in.context, batch, 0).row(0)[i]);
    const bool two = a.memory == Memory::kKeyValue;
    means[i] = mean(two ? 1 : 0, of_values);
    scores[i] = score * (two ? mean(0, of_keys) : means[i]);
  }
  for (int j = warp_id(); j < keys; j += kWarps) {
    float score = 0;
    for (int c = lane_id(); c < d; c += 32)
      score += q[c] * (j == slot ? k[c] : prim::to_float(cached_keys[j * d + c]));
    score = warp_sum(score);
    const float* bias = a.in.bias;
    if (bias != nullptr) score += bias[head * (2 * a.window - 1) + slot - j + a.window - 1];
    if (lane_id() == 0) window_scores[j] = score;
  }
  __syncthreads();
  const float memory_weight = a.in.weights == nullptr ? 0.5f : a.in.weights[2 * head];
  const float window_weight = a.in.weights == nullptr ? 0.5f : a.in.weights[2 * head + 1];
  if (warp_id() == 0) decode_softmax(scores, means, r, memory_weight);
  if (warp_id() == 1) decode_softmax(window_scores, window_scores, keys, window_weight);
  __syncthreads();
  for (int c = thread_id(); c < d; c += kDecodeThreads) {
    float sum = 0;
    for (int i = 0; i < r; ++i) sum += means[i] * prim::to_float(value_bases[i * d + c]);
    for (int j = 0; j < keys; ++j)
      sum += window_scores[j] * (j == slot ? v[c] : prim::to_float(cached_values[j * d + c]));
    head_rows<T>(a.output, batch, head).row(0)[c] = prim::from_float<T>(sum);
  }
}

template <class T>
int launch_decode(const LavoShape& s, const LavoInputs& in, const Rows& output,
                  const LavoState& state, Stream stream) {
  const float scale = 1 / std::sqrt(static_cast<float>(s.width));
  const DecodeArguments a{in,      output,  state,    s.memory,     scale,
                          s.width, s.bases, s.window, s.window_part};
  const auto floats = static_cast<std::size_t>(decode_floats(s.width, s.bases, s.window));
  return launch(lavo_decode_kernel<T>,
                dim3(static_cast<unsigned>(s.heads), static_cast<unsigned>(s.batch)),
                kDecodeThreads, floats * sizeof(float), stream, a);
}

}  // namespace lavo::cuda
