// SPDX-License-Identifier: MIT
// From a shape known at run time to one of the kernels' instances.
#pragma once

#include "lavo/kernels/cuda/engine/element.cuh"
#include "lavo/kernels/cuda/lavo/launch.cuh"

namespace lavo::cuda {

/// A GPU build has every instance of plan.h; on the host, where kernels run only in tests, each
/// path through the code is enough.
template <class C>
constexpr bool is_built() {
#ifdef __CUDACC__
  return true;
#else
  return std::is_same<typename C::T, __nv_bfloat16>::value ? C::kR == C::kD || !C::kHasMemory
                                                           : C::kD == 32;
#endif
}

template <class C, class Function>
int call_if_there(Function&& call) {
  if constexpr (padded_bases(element_of<typename C::T>(), C::kD, C::kR) == C::kR)
    return call(C());
  else
    return kNotBuilt;
}

template <class T, Memory kMemory, int kD, class Function>
int with_bases(const LavoShape& s, Function&& call) {
  if constexpr (kMemory == Memory::kNone) {
    return call_if_there<Instance<T, kMemory, kD, 64>>(call);
  } else {
    switch (padded_bases(s.element, s.width, s.bases)) {
      case 32:
        return call_if_there<Instance<T, kMemory, kD, 32>>(call);
      case 64:
        return call_if_there<Instance<T, kMemory, kD, 64>>(call);
      default:
        return call_if_there<Instance<T, kMemory, kD, 128>>(call);
    }
  }
}

template <class T, Memory kMemory, class Function>
int with_width(const LavoShape& s, Function&& call) {
  switch (s.width) {
    case 32:
      return with_bases<T, kMemory, 32>(s, call);
    case 64:
      return with_bases<T, kMemory, 64>(s, call);
    default:
      return with_bases<T, kMemory, 128>(s, call);
  }
}

/// call(Instance<T, ...>()) for a shape that why_not has nothing against.
template <class T, class Function>
int with_instance(const LavoShape& s, Function&& call) {
  switch (s.memory) {
    case Memory::kNone:
      return with_width<T, Memory::kNone>(s, call);
    case Memory::kShared:
      return with_width<T, Memory::kShared>(s, call);
    case Memory::kKeyValue:
      return with_width<T, Memory::kKeyValue>(s, call);
    default:
      return with_width<T, Memory::kContext>(s, call);
  }
}

/// One for each element type, each compiled in its own source.
template <class T>
int forward_of(const LavoShape& s, const LavoInputs& in, const Rows& output, float* sums,
               Stream stream) {
  return with_instance<T>(s, [&](auto instance) {
    using C = decltype(instance);
    if constexpr (is_built<C>())
      return launch_forward<C>(s, in, output, sums, stream);
    else
      return kNotBuilt;
  });
}

template <class T>
int backward_of(const LavoShape& s, const LavoInputs& in, const Rows& output_gradient,
                const float* sums, const LavoGradients& to, float* workspace, Stream stream) {
  return with_instance<T>(s, [&](auto instance) {
    using C = decltype(instance);
    if constexpr (is_built<C>())
      return launch_backward<C>(s, in, output_gradient, sums, to, workspace, stream);
    else
      return kNotBuilt;
  });
}

}  // namespace lavo::cuda
