// SPDX-License-Identifier: MIT
// Tensors of an element type where kernels can read and write them.
#pragma once

#include "lavo/kernels/cuda/engine/rows.h"
#include "tests/emulation/device_memory.h"

namespace lavo::cuda::test {

using Vector = std::vector<double>;
using Bytes = std::vector<unsigned char>;

std::size_t size_of(Element element);
/// As the element type rounds it.
double rounded(double x, Element element);
/// Half a unit in the last place of 1.
double unit_roundoff(Element element);
/// One after the other, as the element type.
Bytes packed(const Vector& values, Element element);

/// (batch, heads, length, width) on the host; [b, h, n, d] or [b, n, h, d] on the device. Without
/// values it holds NaN.
class Tensor {
 public:
  Tensor(Element element, int batch, int heads, int64_t length, int width, bool heads_inside,
         const Vector* values);

  Rows rows();
  Vector values() const;

 private:
  std::size_t place(std::size_t i) const;
  Bytes bytes(const Vector* values) const;

  Element element_;
  int batch_, heads_;
  int64_t length_;
  int width_;
  bool heads_inside_;
  DeviceVector<unsigned char> memory_;
};

}  // namespace lavo::cuda::test
