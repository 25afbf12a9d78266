// SPDX-License-Identifier: MIT
// From the type of elements known at run time to a C++ type, and back.
#pragma once

#include "lavo/kernels/cuda/engine/target.cuh"

namespace lavo::cuda {

template <class T>
constexpr Element element_of() {
  return std::is_same<T, float>::value    ? Element::kFloat32
         : std::is_same<T, __half>::value ? Element::kFloat16
                                          : Element::kBfloat16;
}

/// Calls `run` with a number of the element's type.
template <class Run>
int by_element(Element element, const Run& run) {
  switch (element) {
    case Element::kBfloat16:
      return run(__nv_bfloat16());
    case Element::kFloat16:
      return run(__half());
    default:
      return run(0.0f);
  }
}

}  // namespace lavo::cuda
