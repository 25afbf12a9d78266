// SPDX-License-Identifier: MIT
#include "tests/emulation/lavo_run.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>
#include <cstdio>

#include "tests/emulation/device_memory.h"

namespace lavo::cuda::test {
namespace {

using Bytes = std::vector<unsigned char>;

std::size_t size_of(Element element) { return element == Element::kFloat32 ? 4 : 2; }

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

/// A tensor (batch, heads, length, width) of the element type in one of the two layouts.
class Tensor {
 public:
  Tensor(const LavoProblem& p, int heads, int width, const Vector* values)
      : p_(p), heads_(heads), width_(width), memory_(bytes(values)) {}

  Rows rows() {
    const int64_t n = p_.shape.length;
    if (p_.heads_inside) return {memory_.data(), n * heads_ * width_, width_, heads_ * width_};
    return {memory_.data(), heads_ * n * width_, n * width_, width_};
  }
  Vector values() const {
    const Bytes bytes = memory_.host();
    Vector values(bytes.size() / size_of(p_.shape.element));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = get(&bytes[place(i) * size_of(p_.shape.element)], p_.shape.element);
    return values;
  }

 private:
  /// Where the element is that stands at i in (batch, heads, length, width).
  std::size_t place(std::size_t i) const {
    if (!p_.heads_inside) return i;
    const std::size_t n = static_cast<std::size_t>(p_.shape.length), d = width_, heads = heads_;
    const std::size_t c = i % d, t = i / d % n, h = i / (d * n) % heads, b = i / (d * n * heads);
    return ((b * n + t) * heads + h) * d + c;
  }
  Bytes bytes(const Vector* values) const {
    const std::size_t size = size_of(p_.shape.element);
    const std::size_t count =
        static_cast<std::size_t>(p_.shape.batch) * heads_ * p_.shape.length * width_;
    Bytes bytes(count * size);
    for (std::size_t i = 0; i < count; ++i)
      put(&bytes[place(i) * size], values == nullptr ? NAN : (*values)[i], p_.shape.element);
    return bytes;
  }

  const LavoProblem& p_;
  int heads_, width_;
  DeviceVector<unsigned char> memory_;
};

/// A plain array of T.
template <class T, class From>
std::vector<T> as(const From& values) {
  return std::vector<T>(values.begin(), values.end());
}

std::vector<float> nans(int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count), NAN);
}

std::vector<int32_t> counts(const LavoProblem& p) {
  std::vector<int32_t> counts(p.real.size());
  int32_t seen = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (i % static_cast<std::size_t>(p.shape.length) == 0) seen = 0;
    counts[i] = seen += p.real[i];
  }
  return counts;
}

Bytes packed(const Vector& values, Element element) {
  Bytes bytes(values.size() * size_of(element));
  for (std::size_t i = 0; i < values.size(); ++i)
    put(&bytes[i * size_of(element)], values[i], element);
  return bytes;
}

/// Norm of the difference over the norm of `wanted`, NaN where anything is NaN.
double relative_error(const Vector& got, const Vector& wanted) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    error += (got[i] - wanted[i]) * (got[i] - wanted[i]);
    norm += wanted[i] * wanted[i];
  }
  return norm > 0 ? std::sqrt(error / norm) : std::sqrt(error);
}

/// Everything that goes into the kernels, where they can read it.
struct DeviceInputs {
  explicit DeviceInputs(const LavoProblem& p)
      : q(p, p.shape.heads, p.shape.width, &p.q),
        k(p, p.shape.heads, p.shape.width, &p.k),
        v(p, p.shape.heads, p.shape.width, &p.v),
        y(p, 1, p.shape.bases, &p.y),
        key_bases(packed(p.key_bases, p.shape.element)),
        value_bases(packed(p.value_bases, p.shape.element)),
        bias(as<float>(p.bias)),
        weights(as<float>(p.weights)),
        real_counts(counts(p)) {
    const LavoShape& s = p.shape;
    in.query = q.rows(), in.value = v.rows(), in.context = y.rows();
    if (s.window_part || s.memory == Memory::kKeyValue) in.key = k.rows();
    in.key_bases = key_bases.data(), in.value_bases = value_bases.data();
    in.bases_head = p.own_bases ? s.bases * s.width : 0;
    in.bias = bias.data(), in.weights = p.weighted ? weights.data() : nullptr;
    in.real_counts = p.padded ? real_counts.data() : nullptr;
  }

  Tensor q, k, v, y;
  DeviceVector<unsigned char> key_bases, value_bases;
  DeviceVector<float> bias, weights;
  DeviceVector<int32_t> real_counts;
  LavoInputs in;
};

}  // namespace

LavoRun run(const LavoProblem& p, Forward* forward, Backward* backward) {
  const LavoShape& s = p.shape;
  DeviceInputs inputs(p);
  const LavoInputs& in = inputs.in;
  Tensor output(p, s.heads, s.width, nullptr);
  DeviceVector<float> sums(nans(lavo_sums_floats(s)));

  LavoRun result;
  result.code = forward(s, in, output.rows(), sums.data(), nullptr);
  if (result.code != 0) return result;
  result.answer.output = output.values();
  if (backward == nullptr) return result;

  Tensor g(p, s.heads, s.width, &p.output_gradient), dq(p, s.heads, s.width, nullptr);
  Tensor dk(p, s.heads, s.width, nullptr), dv(p, s.heads, s.width, nullptr);
  Tensor dy(p, s.heads, s.bases, nullptr);
  const int64_t bases = static_cast<int64_t>(s.heads) * s.bases * s.width;
  DeviceVector<float> dkb(nans(bases)), dvb(nans(bases)), dbias(nans(s.heads * (2 * s.window - 1)));
  DeviceVector<float> dweights(nans(2 * s.heads)), workspace(nans(lavo_workspace_floats(s)));
  LavoGradients gradients;
  gradients.query = dq.rows(), gradients.key = dk.rows(), gradients.value = dv.rows();
  gradients.context = dy.rows();
  gradients.key_bases = dkb.data(), gradients.value_bases = dvb.data();
  gradients.bias = dbias.data(), gradients.weights = dweights.data();
  result.code = backward(s, in, g.rows(), sums.data(), gradients, workspace.data(), nullptr);
  LavoAnswer& a = result.answer;
  a.q = dq.values(), a.k = dk.values(), a.v = dv.values(), a.y = dy.values();
  a.key_bases = as<double>(dkb.host()), a.value_bases = as<double>(dvb.host());
  a.bias = as<double>(dbias.host()), a.weights = as<double>(dweights.host());
  return result;
}

LavoRun decode(const LavoProblem& p) {
  LavoShape one = p.shape;
  one.length = 1;
  DeviceInputs inputs(p);
  Tensor output(p, one.heads, one.width, nullptr);
  const std::size_t heads = static_cast<std::size_t>(one.batch) * one.heads;
  const std::size_t cache = heads * one.window * one.width * size_of(one.element);
  DeviceVector<int64_t> counts(std::vector<int64_t>(heads, 0));
  DeviceVector<double> sums(std::vector<double>(heads * 2 * one.bases, 0));
  DeviceVector<unsigned char> keys(Bytes(cache, 0xFF)), values(Bytes(cache, 0xFF));
  const LavoState state{counts.data(), sums.data(), keys.data(), values.data()};
  const auto at = [&](Rows rows, int64_t t) {
    const auto bytes = static_cast<int64_t>(size_of(one.element));
    if (rows.data != nullptr)
      rows.data = static_cast<unsigned char*>(rows.data) + t * rows.row * bytes;
    return rows;
  };
  LavoRun result;
  for (int64_t t = 0; t < p.shape.length && result.code == 0; ++t) {
    LavoInputs in = inputs.in;
    in.query = at(in.query, t), in.key = at(in.key, t), in.value = at(in.value, t);
    in.context = at(in.context, t);
    result.code = lavo_decode_step(one, in, at(output.rows(), t), state, nullptr);
  }
  result.answer.output = output.values();
  return result;
}

std::string compare(const LavoProblem& p, const LavoAnswer& got, const LavoAnswer& wanted,
                    bool gradients) {
  const double u = unit_roundoff(p.shape.element);
  char text[160];
  // Twice the type's rounding of every term (an operand, the result), and float32's of exponents: a
  // score of about 5 that is off by a few units moves its exponential by 64 units.
  for (std::size_t i = 0; i < wanted.output.size(); ++i) {
    const double bound = wanted.magnitude[i] * (2 * u + 64 * 0x1p-24);
    if (std::abs(got.output[i] - wanted.output[i]) <= bound) continue;
    std::snprintf(text, sizeof(text), "output %zu is %.8g, not %.8g +- %.2g", i, got.output[i],
                  wanted.output[i], bound);
    return text;
  }
  if (!gradients) return "";
  const bool memory = p.shape.memory != Memory::kNone;
  const bool context = p.shape.memory == Memory::kContext;
  const struct {
    const char* name;
    const Vector *got, *wanted;
    bool written;
  } tensors[] = {
      {"query", &got.q, &wanted.q, true},
      {"key", &got.k, &wanted.k, p.shape.window_part || p.shape.memory == Memory::kKeyValue},
      {"value", &got.v, &wanted.v, true},
      {"context", &got.y, &wanted.y, context},
      {"key bases", &got.key_bases, &wanted.key_bases, memory},
      {"value bases", &got.value_bases, &wanted.value_bases, context},
      {"bias", &got.bias, &wanted.bias, p.shape.window_part},
      {"weights", &got.weights, &wanted.weights, true}};
  for (const auto& tensor : tensors) {
    if (!tensor.written) continue;
    const double error = relative_error(*tensor.got, *tensor.wanted), bound = u + 64 * 0x1p-24;
    if (error <= bound) continue;
    std::snprintf(text, sizeof(text), "gradient of %s: relative error %.2g, bound %.2g",
                  tensor.name, error, bound);
    return text;
  }
  return "";
}

}  // namespace lavo::cuda::test
