// SPDX-License-Identifier: MIT
#include "experiments/harness/peaks.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "experiments/harness/timer.h"

namespace lavo {
namespace {

double least_seconds(const std::function<void()>& call, torch::Device device) {
  call();  // pages of the result are mapped, the library is loaded
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 10; ++i) least = std::min(least, time_once(call, device));
  return least;
}

Peaks measure(torch::Device device, torch::ScalarType type) {
  torch::NoGradGuard no_grad;
  const auto options = torch::TensorOptions(type).device(device);
  const int64_t numbers = (device.is_cpu() ? int64_t{64} << 20 : int64_t{1} << 30) /
                          static_cast<int64_t>(torch::elementSize(type));
  const int64_t n = device.is_cpu() ? 768 : 8192;
  Peaks peaks;
  {
    const Tensor from = torch::ones({numbers}, options);
    Tensor to = torch::empty_like(from);
    const double seconds = least_seconds([&] { to.copy_(from); }, device);
    peaks.copy_bytes_per_s = 2 * static_cast<double>(from.nbytes()) / seconds;
  }
  const Tensor a = torch::ones({n, n}, options), b = torch::ones({n, n}, options);
  Tensor product = torch::empty_like(a);
  const double seconds = least_seconds([&] { torch::matmul_out(product, a, b); }, device);
  peaks.flop_per_s = 2.0 * static_cast<double>(n * n) * static_cast<double>(n) / seconds;
  return peaks;
}

}  // namespace

Peaks machine_peaks(torch::Device device, torch::ScalarType type) {
  static std::map<std::tuple<std::string, torch::ScalarType, int>, Peaks> known;
  const auto key = std::tuple(device.str(), type, at::get_num_threads());
  const auto found = known.find(key);
  return found != known.end() ? found->second
                              : known.emplace(key, measure(device, type)).first->second;
}

}  // namespace lavo
