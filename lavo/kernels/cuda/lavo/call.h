// SPDX-License-Identifier: MIT
// LAVO on the GPU: raw pointers, sizes and a stream; no CUDA or torch header.
#pragma once

#include "lavo/kernels/cuda/engine/rows.h"

namespace lavo::cuda {

/// Whose running mean the memory is: nobody's (the window alone), the values', the keys' and the
/// values', or that of a projected context y = B x which all heads share.
enum class Memory { kNone, kShared, kKeyValue, kContext };

struct LavoShape {
  Element element = Element::kBfloat16;
  Memory memory = Memory::kShared;
  bool causal = true;
  bool window_part = true;  ///< false: no attention inside windows, keys may be absent
  int batch = 1, heads = 1;
  int64_t length = 1;
  int width = 64;   ///< 32, 64 or 128
  int bases = 64;   ///< rows, see why_not; for kContext a multiple of 8
  int window = 16;  ///< a power of 2 up to 64
};

struct LavoInputs {
  Rows query, key, value;
  Rows context;                       ///< y (batch, 1, length, bases), kContext only
  const void* key_bases = nullptr;    ///< B_K (heads or 1, bases, width), contiguous
  const void* value_bases = nullptr;  ///< B_V, kContext only; otherwise B_K serves for both
  int64_t bases_head = 0;             ///< elements between heads' bases; 0: shared by all heads
  const float* bias = nullptr;        ///< P (heads, 2 window - 1); null: zeros
  const float* weights = nullptr;     ///< (heads, 2): factors of memory and window; null: 1/2 each
  /// Real tokens up to and with each (batch, length), where keys are padded; null: none is.
  const int32_t* real_counts = nullptr;
};

/// Gradients; a null pointer is one that is not wanted: no products are taken for the bases' then,
/// key_bases saying so for both, nor sums for the bias'. Those of bases are (heads, bases, width).
struct LavoGradients {
  Rows query, key, value;
  Rows context;  ///< of each head: (batch, heads, length, bases)
  float* key_bases = nullptr;
  float* value_bases = nullptr;  ///< kContext only; otherwise key_bases holds the sum of both
  float* bias = nullptr;
  float* weights = nullptr;
};

constexpr int kNotBuilt = -1;  ///< returned by launchers for an instance that this build leaves out

/// What the kernels have against the sizes, whatever the GPU; null when nothing.
const char* why_not(const LavoShape& shape);

/// What a GPU allows.
struct DeviceLimits {
  int capability = 80;               ///< 10 major + minor
  int64_t shared_bytes = 99 * 1024;  ///< that a block may ask for (MaxSharedMemoryPerBlockOptin)
};

/// Shared memory of a block in the backward pass, which needs more of it than the forward pass, up
/// to 253 KiB, more than any GPU has: float32 of width 128 with context and a window of 64.
int64_t lavo_shared_bytes(const LavoShape& shape);

/// Why the kernels do not take this shape on such a GPU, the backward pass not either; null when
/// they do.
const char* why_not(const LavoShape& shape, const DeviceLimits& device);

int64_t lavo_sums_floats(const LavoShape& shape);  ///< scratch of forward, of use to backward
/// Scratch of backward: more by bases * width a block where the bases' gradients are wanted.
int64_t lavo_workspace_floats(const LavoShape& shape, const LavoGradients& wanted);

/// o_t = weights_0 B_V^T (p_t (.) h^V_t) + weights_1 sum_j softmax_j(s q_t.k_j + P[t-j+W-1]) v_j,
///   p_t = softmax_i(s h^K_ti (B_K q_t)_i),   h_t = 1/t sum_{u<=t} B x_u,   s = 1 / sqrt(width)
/// Not causal: one h over all tokens, whole windows. Sums are in float32. Two launches: sums of
/// chunks, then all the rest. `sums` (lavo_sums_floats) is written. Returns a cudaError_t; 0 is
/// success.
int lavo_forward(const LavoShape& shape, const LavoInputs& in, const Rows& output, float* sums,
                 Stream stream);

/// Everything is computed again from the inputs and `sums` as forward left them. The same bits
/// every run: partial sums go through `workspace`, nothing is added atomically.
int lavo_backward(const LavoShape& shape, const LavoInputs& in, const Rows& output_gradient,
                  const float* sums, const LavoGradients& gradients, float* workspace,
                  Stream stream);

/// What a stream of tokens needs of its past, zeros at its beginning: constant in its length.
struct LavoState {
  int64_t* counts = nullptr;  ///< (batch, heads) tokens so far
  double* sums = nullptr;     ///< (batch, heads, 2 for kKeyValue else 1, bases) sums of B x
  void* keys = nullptr;       ///< (batch, heads, window, width) of the current window
  void* values = nullptr;     ///< likewise
};

/// One token of each (batch, head), `shape.length` being 1: lavo_forward's causal formula, with the
/// state moved on. Everything that changes from token to token is in device memory, so that a
/// captured graph can be launched again. Any width, bases and window whose 3 width + 2 bases +
/// window floats are at most 48 KiB. Padded tokens are not fed to it.
int lavo_decode_step(const LavoShape& shape, const LavoInputs& in, const Rows& output,
                     const LavoState& state, Stream stream);

}  // namespace lavo::cuda
