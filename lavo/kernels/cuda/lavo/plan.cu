// SPDX-License-Identifier: MIT
#include "lavo/kernels/cuda/lavo/plan.h"

namespace lavo::cuda {

int means(const LavoShape& s) { return s.memory == Memory::kKeyValue ? 2 : 1; }

BackwardScratch::BackwardScratch(const LavoShape& s, const LavoGradients& wanted) {
  const int64_t r = s.memory == Memory::kNone ? 0 : padded_bases(s.element, s.width, s.bases);
  carries = chunk_tiles(s) * means(s) * r;
  suffixes = means(s) * r;
  bases = r * s.width;
  const int sets = wanted.key_bases == nullptr ? 0 : s.memory == Memory::kContext ? 2 : 1;
  bias_offset = bases * sets;
  weights_offset = bias_offset + 2 * s.window - 1;
  partials = (weights_offset + 2 + 3) / 4 * 4;  // so that every block's can be written in pairs
}

const char* why_not(const LavoShape& s) {
  const bool has_memory = s.memory != Memory::kNone;
  if (s.length < 1 || s.batch < 1 || s.heads < 1) return "sizes must be at least 1";
  if (s.length >= int64_t{1} << 31) return "lengths from 2^31 on are not counted";
  if (s.batch > 65535 || s.heads > 65535) return "more than 65535 batches or heads";
  if (s.width != 32 && s.width != 64 && s.width != 128) return "widths are 32, 64 and 128";
  if (has_memory && (s.bases < 1 || padded_bases(s.element, s.width, s.bases) == 0))
    return "bases are 1 to 128, and up to 64 for width 32 or for float32 of width 128";
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

int64_t lavo_workspace_floats(const LavoShape& s, const LavoGradients& wanted) {
  const BackwardScratch one(s, wanted);
  const int64_t blocks = static_cast<int64_t>(s.batch) * s.heads * chunk_count(s);
  return blocks * (one.carries + one.suffixes + one.partials) + lavo_sums_floats(s);
}

}  // namespace lavo::cuda
