// SPDX-License-Identifier: MIT
#include "tests/emulation/lavo_run.h"

#include <cmath>
#include <cstdio>

#include "tests/emulation/kernel_tensor.h"

namespace lavo::cuda::test {
namespace {

Tensor tensor(const LavoProblem& p, int heads, int width, const Vector* values) {
  const LavoShape& s = p.shape;
  return Tensor(s.element, s.batch, heads, s.length, width, p.heads_inside, values);
}

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
      : q(tensor(p, p.shape.heads, p.shape.width, &p.q)),
        k(tensor(p, p.shape.heads, p.shape.width, &p.k)),
        v(tensor(p, p.shape.heads, p.shape.width, &p.v)),
        y(tensor(p, 1, p.shape.bases, &p.y)),
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
  Tensor output = tensor(p, s.heads, s.width, nullptr);
  DeviceVector<float> sums(nans(lavo_sums_floats(s)));

  LavoRun result;
  result.code = forward(s, in, output.rows(), sums.data(), nullptr);
  if (result.code != 0) return result;
  result.answer.output = output.values();
  if (backward == nullptr) return result;

  Tensor g = tensor(p, s.heads, s.width, &p.output_gradient),
         dq = tensor(p, s.heads, s.width, nullptr);
  Tensor dk = tensor(p, s.heads, s.width, nullptr), dv = tensor(p, s.heads, s.width, nullptr);
  Tensor dy = tensor(p, s.heads, s.bases, nullptr);
  const int64_t bases = static_cast<int64_t>(s.heads) * s.bases * s.width;
  DeviceVector<float> dkb(nans(bases)), dvb(nans(bases)), dbias(nans(s.heads * (2 * s.window - 1)));
  DeviceVector<float> dweights(nans(2 * s.heads));
  LavoGradients gradients;
  gradients.query = dq.rows(), gradients.key = dk.rows(), gradients.value = dv.rows();
  gradients.context = dy.rows();
  gradients.weights = dweights.data();
  if (!p.tokens_only) {
    gradients.key_bases = dkb.data(), gradients.value_bases = dvb.data();
    gradients.bias = dbias.data();
  }
  DeviceVector<float> workspace(nans(lavo_workspace_floats(s, gradients)));
  result.code = backward(s, in, g.rows(), p.padded ? nullptr : sums.data(), gradients,
                         workspace.data(), nullptr);
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
  Tensor output = tensor(p, one.heads, one.width, nullptr);
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
      {"key bases", &got.key_bases, &wanted.key_bases, memory && !p.tokens_only},
      {"value bases", &got.value_bases, &wanted.value_bases, context && !p.tokens_only},
      {"bias", &got.bias, &wanted.bias, p.shape.window_part && !p.tokens_only},
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
