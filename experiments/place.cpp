// SPDX-License-Identifier: MIT
#include "experiments/place.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <algorithm>
#include <charconv>

#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr std::array kTypes = {torch::kFloat64, torch::kFloat32, torch::kBFloat16, torch::kFloat16};

}  // namespace

torch::ScalarType scalar_type(NumberType type) { return kTypes.at(static_cast<size_t>(type)); }

torch::ScalarType parse_type(const std::string& owner, const std::string& name) {
  const auto found = std::ranges::find(kTypeNames, name);
  if (found == kTypeNames.end()) {
    throw OptionError(owner + ": " + unknown_name("dtype", name, kTypeNames));
  }
  return kTypes.at(static_cast<size_t>(found - kTypeNames.begin()));
}

const char* type_name(torch::ScalarType type) {
  const auto found = std::ranges::find(kTypes, type);
  return found == kTypes.end() ? toString(type)
                               : kTypeNames.at(static_cast<size_t>(found - kTypes.begin())).c_str();
}

torch::Device parse_device(const std::string& owner, const std::string& name) {
  if (name == "cpu") return torch::kCPU;
  uint8_t index = 0;
  bool is_device = name == "cuda";
  if (name.starts_with("cuda:")) {
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + 5, end, index);
    is_device = error == std::errc() && rest == end && index < 128;
  }
  require_option(is_device, "device",
                 "{}: device must be cpu, cuda or cuda:0, cuda:1 ..., got '{}'", owner, name);
  return {torch::kCUDA, static_cast<torch::DeviceIndex>(index)};
}

torch::Device require_device(const std::string& owner, const std::string& name) {
  const torch::Device device = parse_device(owner, name);
  if (device.is_cpu()) return device;
  require<OptionError>(at::globalContext().hasCUDA(),
                       "{}: device '{}': this build, or this machine, has no CUDA", owner, name);
  const int count = at::detail::getCUDAHooks().deviceCount();
  require<OptionError>(device.index() < count,
                       "{}: device '{}': this machine has {} CUDA device(s)", owner, name, count);
  return device;
}

}  // namespace lavo
