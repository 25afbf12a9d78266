// SPDX-License-Identifier: MIT
#include "lavo/kernels/cuda/engine/element.cuh"
#include "lavo/kernels/cuda/lavo/decode.cuh"

namespace lavo::cuda {

int lavo_decode_step(const LavoShape& s, const LavoInputs& in, const Rows& output,
                     const LavoState& state, Stream stream) {
  return by_element(s.element, [&](auto element) {
    return launch_decode<decltype(element)>(s, in, output, state, stream);
  });
}

}  // namespace lavo::cuda
