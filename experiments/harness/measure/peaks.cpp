// SPDX-License-Identifier: MIT
#include "experiments/harness/measure/peaks.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "experiments/harness/measure/timer.h"

namespace lavo {
namespace {

double least_seconds(const std::function<void()>& call, c10::Device device) {
  call();  // pages of the result are mapped, the library is loaded
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 10; ++i) least = std::min(least, time_once(call, device));
  return least;
}

Peaks measure(c10::Device device, c10::ScalarType type) {
  at::NoGradGuard no_grad;
  const auto options = c10::TensorOptions(type).device(device);
  const int64_t numbers = (device.is_cpu() ? int64_t{64} << 20 : int64_t{1} << 30) /
                          static_cast<int64_t>(at::elementSize(type));
  const int64_t n = device.is_cpu() ? 768 : 8192;
  Peaks peaks;
  {
    const at::Tensor from = at::ones({numbers}, options);
    at::Tensor to = at::empty_like(from);
    const double seconds = least_seconds([&] { to.copy_(from); }, device);
    peaks.copy_bytes_per_s = 2 * static_cast<double>(from.nbytes()) / seconds;
  }
  const at::Tensor a = at::ones({n, n}, options), b = at::ones({n, n}, options);
  at::Tensor product = at::empty_like(a);
  const double seconds = least_seconds([&] { at::matmul_out(product, a, b); }, device);
  peaks.flop_per_s = 2.0 * static_cast<double>(n * n) * static_cast<double>(n) / seconds;
  return peaks;
}

}  // namespace

Peaks machine_peaks(c10::Device device, c10::ScalarType type) {
  static std::map<std::tuple<std::string, c10::ScalarType, int>, Peaks> known;
  const auto key = std::tuple(device.str(), type, at::get_num_threads());
  const auto found = known.find(key);
  return found != known.end() ? found->second
                              : known.emplace(key, measure(device, type)).first->second;
}

}  // namespace lavo
