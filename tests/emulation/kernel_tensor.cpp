// SPDX-License-Identifier: MIT
#include "tests/emulation/kernel_tensor.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>

namespace lavo::cuda::test {
namespace {

void put(unsigned char* to, double x, Element element) {
  const auto f = static_cast<float>(x);
  const __nv_bfloat16 bf16 = __float2bfloat16(f);
  const __half fp16 = __float2half(f);
  const void* from = element == Element::kBfloat16  ? static_cast<const void*>(&bf16)
                     : element == Element::kFloat16 ? static_cast<const void*>(&fp16)
                                                    : static_cast<const void*>(&f);
  std::memcpy(to, from, size_of(element));
}

double get(const unsigned char* from, Element element) {
  if (element == Element::kFloat32) {
    float f;
    std::memcpy(&f, from, sizeof(f));
    return f;
  }
  unsigned short bits;
  std::memcpy(&bits, from, sizeof(bits));
  return element == Element::kBfloat16 ? __bfloat162float(__ushort_as_bfloat16(bits))
                                       : __half2float(__ushort_as_half(bits));
}

}  // namespace

std::size_t size_of(Element element) { return element == Element::kFloat32 ? 4 : 2; }

double rounded(double x, Element element) {
  unsigned char bytes[4];
  put(bytes, x, element);
  return get(bytes, element);
}

double unit_roundoff(Element element) {
  return element == Element::kBfloat16 ? 0x1p-8 : element == Element::kFloat16 ? 0x1p-11 : 0x1p-24;
}

Bytes packed(const Vector& values, Element element) {
  Bytes bytes(values.size() * size_of(element));
  for (std::size_t i = 0; i < values.size(); ++i)
    put(&bytes[i * size_of(element)], values[i], element);
  return bytes;
}

Tensor::Tensor(Element element, int batch, int heads, int64_t length, int width, bool heads_inside,
               const Vector* values)
    : element_(element),
      batch_(batch),
      heads_(heads),
      length_(length),
      width_(width),
      heads_inside_(heads_inside),
      memory_(bytes(values)) {}

Rows Tensor::rows() {
  const int64_t head = length_ * width_, token = static_cast<int64_t>(heads_) * width_;
  if (heads_inside_) return {memory_.data(), length_ * token, width_, token};
  return {memory_.data(), heads_ * head, head, width_};
}

Vector Tensor::values() const {
  const Bytes bytes = memory_.host();
  Vector values(bytes.size() / size_of(element_));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = get(&bytes[place(i) * size_of(element_)], element_);
  return values;
}

// Where the element is that stands at i in (batch, heads, length, width).
std::size_t Tensor::place(std::size_t i) const {
  if (!heads_inside_) return i;
  const std::size_t n = static_cast<std::size_t>(length_), d = width_, heads = heads_;
  const std::size_t c = i % d, t = i / d % n, h = i / (d * n) % heads, b = i / (d * n * heads);
  return ((b * n + t) * heads + h) * d + c;
}

Bytes Tensor::bytes(const Vector* values) const {
  const std::size_t size = size_of(element_);
  const std::size_t count = static_cast<std::size_t>(batch_) * heads_ * length_ * width_;
  Bytes bytes(count * size);
  for (std::size_t i = 0; i < count; ++i)
    put(&bytes[place(i) * size], values == nullptr ? NAN : (*values)[i], element_);
  return bytes;
}

}  // namespace lavo::cuda::test
