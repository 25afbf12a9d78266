// SPDX-License-Identifier: MIT
#include "lavo/kernels/cuda/lavo_decode.cuh"

namespace lavo::cuda {

int lavo_decode_step(const LavoShape& s, const LavoInputs& in, const Rows& output,
                     const LavoState& state, Stream stream) {
  switch (s.element) {
    case Element::kBfloat16:
      return launch_decode<__nv_bfloat16>(s, in, output, state, stream);
    case Element::kFloat16:
      return launch_decode<__half>(s, in, output, state, stream);
    default:
      return launch_decode<float>(s, in, output, state, stream);
  }
}

}  // namespace lavo::cuda
