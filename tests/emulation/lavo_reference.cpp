// SPDX-License-Identifier: MIT
// One head at a time, term by term; the means of the memory in O(n r), everything else as the
// formulas of lavo.h say. Gradients by the chain rule through those formulas.
#include <algorithm>
#include <cmath>

#include "tests/emulation/lavo_problem.h"

namespace lavo::cuda::test {
namespace {

struct Head {
  const LavoProblem& p;
  LavoAnswer& answer;
  int b, h;
  int n = static_cast<int>(p.shape.length), d = p.shape.width, r = p.shape.bases;
  int w = p.shape.window;
  double scale = 1 / std::sqrt(static_cast<double>(d));
  std::size_t start = (static_cast<std::size_t>(b) * p.shape.heads + h) * n * d;
  std::size_t bases = p.own_bases ? static_cast<std::size_t>(h) * r * d : 0;
  std::size_t gradient_bases = static_cast<std::size_t>(h) * r * d;
  double memory_weight = p.weights[2 * h], window_weight = p.weights[2 * h + 1];

  const double* row(const Vector& x, int t) const { return &x[start + std::size_t(t) * d]; }
  double* row(Vector& x, int t) const { return &x[start + std::size_t(t) * d]; }
  bool real(int t) const { return p.real[static_cast<std::size_t>(b) * n + t]; }
  double dot(const double* x, const double* y) const {
    double sum = 0;
    for (int i = 0; i < d; ++i) sum += x[i] * y[i];
    return sum;
  }
  void add(double* to, double factor, const double* x) const {
    for (int i = 0; i < d; ++i) to[i] += factor * x[i];
  }
  const double* key_base(int i) const { return &p.key_bases[bases + std::size_t(i) * d]; }
  const double* value_base(int i) const {
    const bool own = p.shape.memory == Memory::kContext;
    return &(own ? p.value_bases : p.key_bases)[bases + std::size_t(i) * d];
  }
  double* key_base_gradient(int i) const {
    return &answer.key_bases[gradient_bases + std::size_t(i) * d];
  }
  double* value_base_gradient(int i) const {
    const bool own = p.shape.memory == Memory::kContext;
    return &(own ? answer.value_bases : answer.key_bases)[gradient_bases + std::size_t(i) * d];
  }

  /// Projections (n, r) of what mean `m` is of (0: keys' mean, 1: values').
  double projected(int m, int t, int i) const {
    if (!real(t)) return 0;
    if (p.shape.memory == Memory::kContext)
      return p.y[(static_cast<std::size_t>(b) * n + t) * r + i];
    const bool of_keys = p.shape.memory == Memory::kKeyValue && m == 0;
    return dot(key_base(i), row(of_keys ? p.k : p.v, t));
  }

  Vector means(int m) const {
    Vector h_nr(static_cast<std::size_t>(n) * r), sum(r);
    double count = 0;
    for (int t = 0; t < n; ++t) {
      count += real(t);
      for (int i = 0; i < r; ++i) {
        sum[i] += projected(m, t, i);
        h_nr[std::size_t(t) * r + i] = count > 0 ? sum[i] / count : 0;
      }
    }
    if (!p.shape.causal)
      for (int t = 0; t < n; ++t)
        for (int i = 0; i < r; ++i) h_nr[std::size_t(t) * r + i] = count > 0 ? sum[i] / count : 0;
    return h_nr;
  }

  /// Gradients of the projections from those of the means, then of x and of the bases.
  void back_through_mean(int m, const Vector& dh_nr) const {
    Vector count(n);
    double seen = 0;
    for (int t = 0; t < n; ++t) count[t] = seen += real(t);
    for (int u = 0; u < n; ++u) {
      if (!real(u)) continue;
      for (int i = 0; i < r; ++i) {
        double dy = 0;
        for (int t = p.shape.causal ? u : 0; t < n; ++t)
          dy += dh_nr[std::size_t(t) * r + i] / (p.shape.causal ? count[t] : seen);
        if (p.shape.memory == Memory::kContext) {
          answer.y[((static_cast<std::size_t>(b) * p.shape.heads + h) * n + u) * r + i] += dy;
          continue;
        }
        const bool of_keys = p.shape.memory == Memory::kKeyValue && m == 0;
        add(row(of_keys ? answer.k : answer.v, u), dy, key_base(i));
        add(key_base_gradient(i), dy, row(of_keys ? p.k : p.v, u));
      }
    }
  }

  void memory_part() const {
    const Vector key_means = means(0), value_means = means(1);
    Vector key_gradient(key_means.size()), value_gradient(key_means.size());
    for (int t = 0; t < n; ++t) {
      const double* hk = &key_means[std::size_t(t) * r];
      const double* hv = &value_means[std::size_t(t) * r];
      Vector a(r), prob(r), back(r);
      for (int i = 0; i < r; ++i) a[i] = scale * dot(key_base(i), row(p.q, t));
      double max = -INFINITY, sum = 0, delta = 0;
      for (int i = 0; i < r; ++i) max = std::max(max, a[i] * hk[i]);
      for (int i = 0; i < r; ++i) sum += prob[i] = std::exp(a[i] * hk[i] - max);
      for (int i = 0; i < r; ++i) {
        prob[i] /= sum;
        const double g = prob[i] * hv[i];
        add(row(answer.output, t), memory_weight * g, value_base(i));
        for (int j = 0; j < d; ++j)
          row(answer.magnitude, t)[j] += std::abs(memory_weight * g * value_base(i)[j]);
        back[i] = dot(value_base(i), row(p.output_gradient, t));
        delta += g * back[i];
      }
      answer.weights[2 * h] += delta;
      for (int i = 0; i < r; ++i) {
        const double dg = memory_weight * back[i];
        const double dz = prob[i] * (dg * hv[i] - memory_weight * delta);
        add(row(answer.q, t), scale * dz * hk[i], key_base(i));
        add(key_base_gradient(i), scale * dz * hk[i], row(p.q, t));
        add(value_base_gradient(i), memory_weight * prob[i] * hv[i], row(p.output_gradient, t));
        key_gradient[std::size_t(t) * r + i] = dz * a[i];
        value_gradient[std::size_t(t) * r + i] = dg * prob[i];
      }
    }
    if (p.shape.memory == Memory::kKeyValue) {
      back_through_mean(0, key_gradient);
      back_through_mean(1, value_gradient);
    } else {
      for (std::size_t i = 0; i < key_gradient.size(); ++i) value_gradient[i] += key_gradient[i];
      back_through_mean(1, value_gradient);
    }
  }

  void window_part() const {
    for (int t = 0; t < n; ++t) {
      const int first = t / w * w, last = p.shape.causal ? t : std::min(first + w, n) - 1;
      Vector prob(w), back(w);
      double sum = 0, delta = 0;
      for (int j = first; j <= last; ++j)
        if (real(j))
          sum += prob[j - first] = std::exp(scale * dot(row(p.q, t), row(p.k, j)) +
                                            p.bias[h * (2 * w - 1) + t - j + w - 1]);
      if (sum == 0) continue;
      for (int j = first; j <= last; ++j) {
        prob[j - first] /= sum;
        back[j - first] = dot(row(p.output_gradient, t), row(p.v, j));
        delta += prob[j - first] * back[j - first];
      }
      answer.weights[2 * h + 1] += delta;
      for (int j = first; j <= last; ++j) {
        const double weighted = window_weight * prob[j - first];
        const double dl = weighted * (back[j - first] - delta);
        add(row(answer.output, t), weighted, row(p.v, j));
        for (int i = 0; i < d; ++i)
          row(answer.magnitude, t)[i] += std::abs(weighted * row(p.v, j)[i]);
        add(row(answer.v, j), weighted, row(p.output_gradient, t));
        add(row(answer.q, t), scale * dl, row(p.k, j));
        add(row(answer.k, j), scale * dl, row(p.q, t));
        answer.bias[h * (2 * w - 1) + t - j + w - 1] += dl;
      }
    }
  }
};

}  // namespace

LavoAnswer solve(const LavoProblem& p) {
  const LavoShape& s = p.shape;
  const Vector zeros(p.q.size()), bases(static_cast<std::size_t>(s.heads) * s.bases * s.width);
  LavoAnswer answer{zeros,
                    zeros,
                    zeros,
                    zeros,
                    zeros,
                    Vector(p.y.size() * s.heads),
                    bases,
                    bases,
                    Vector(p.bias.size()),
                    Vector(p.weights.size())};
  for (int b = 0; b < s.batch; ++b)
    for (int h = 0; h < s.heads; ++h) {
      const Head head{p, answer, b, h};
      if (s.memory != Memory::kNone) head.memory_part();
      if (s.window_part) head.window_part();
    }
  return answer;
}

}  // namespace lavo::cuda::test
