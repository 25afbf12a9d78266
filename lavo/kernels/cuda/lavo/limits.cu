// SPDX-License-Identifier: MIT
// What a GPU must allow for a shape: host code that knows every instance and launches none.
#include "lavo/kernels/cuda/lavo/dispatch.cuh"

namespace lavo::cuda {

int64_t lavo_shared_bytes(const LavoShape& s) {
  return by_element(s.element, [&](auto element) {
    return with_instance<decltype(element)>(s, [&](auto instance) {
      return static_cast<int>(storage_bytes<decltype(instance), true>(s.window));
    });
  });
}

const char* why_not(const LavoShape& s, const DeviceLimits& device) {
  if (const char* const why = why_not(s)) return why;
  if (device.capability < 80) return "compute capability 8.0 or higher is needed";
  if (lavo_shared_bytes(s) > device.shared_bytes)
    return "a block of the backward pass needs more shared memory than this GPU has";
  return nullptr;
}

}  // namespace lavo::cuda
