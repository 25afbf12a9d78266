// SPDX-License-Identifier: MIT
// lavo::attend as it is bound for GPUs, on the emulated kernels, against the CPU's operator in
// float64: what lies between tensors and launchers.
#include <torch/torch.h>

#include <array>
#include <cmath>

#include "lavo/operators/cuda/attend.cpp"  // its functions, which only the dispatcher can name
#include "tests/support/catch.h"
#include "tests/support/feature_problem.h"

namespace lavo {
namespace {

using torch::Tensor;

constexpr int64_t kB = 2, kH = 3, kT = 70, kD = 32, kW = 16;

struct BindingCase {
  std::string memory = "shared", layout = "heads outside";
  at::ScalarType type = at::kBFloat16;
  bool padded = false, own_bases = false;
};

/// The same numbers elsewhere in memory.
Tensor laid_out(const Tensor& x, const std::string& layout) {
  if (layout == "heads inside") return x.transpose(1, 2).contiguous().transpose(1, 2);
  if (layout == "unaligned") {
    const Tensor flat = torch::empty({x.numel() + 1}, x.options());
    const Tensor view = flat.slice(0, 1).view(x.sizes());
    view.copy_(x);
    return view;
  }
  if (layout == "odd rows") return torch::cat({x, x.slice(3, 0, 4)}, 3).slice(3, 0, kD);
  if (layout == "every second") {
    const Tensor wide = torch::stack({x, x}, -1).flatten(3);
    return wide.slice(3, 0, c10::nullopt, 2);
  }
  return x;
}

/// Whatever the kernels compute from is exact in `type`, so that the reference sees the same.
AttendInputs bound_inputs(const BindingCase& c) {
  torch::manual_seed(7);
  const auto draw = [&](at::IntArrayRef sizes, double mean, double deviation) {
    return (torch::randn(sizes) * deviation + mean).to(c.type);
  };
  const auto tokens = [&](double mean) {
    return laid_out(draw({kB, kH, kT, kD}, mean, 1), c.layout);
  };
  AttendInputs in{.query = tokens(0),
                  .key = tokens(c.memory == "key_value" ? 1 : 0),
                  .value = tokens(1.5),
                  .weights = torch::rand({2, kH}) + 0.5,
                  .bias = torch::randn({kH, 2 * kW - 1}) * 0.3,
                  .memory = c.memory,
                  .window = kW,
                  .causal = true};
  if (c.memory != "none")
    in.key_bases = draw({c.own_bases ? kH : 1, kD, kD}, 0, 1 / std::sqrt(kD)).to(at::kFloat);
  if (c.memory == "projected") {
    in.value_bases = draw(in.key_bases.sizes(), 0, 1 / std::sqrt(kD)).to(at::kFloat);
    in.projected = draw({kB, kT, kD}, 1.5, 1).to(at::kFloat);
  }
  if (c.padded) in.key_mask = torch::rand({kB, kT}) > 0.3;
  return in;
}

AttendInputs in_float64(AttendInputs in) {
  for_each_tensor(in, [](const char*, Tensor& x, unsigned) {
    if (x.defined() && x.scalar_type() != at::kBool)
      x = x.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true);
  });
  return in;
}

/// What cudaDeviceGetAttribute answers.
struct EmulatedDevice {
  int major = 0, minor = 0, shared_bytes = 0;
} emulated_device;

void emulate_h100() { emulated_device = {9, 0, 227 * 1024}; }

struct CudaFacts : AttendFacts {
  explicit CudaFacts(at::ScalarType asked, int64_t width, const char* of, int64_t rows) {
    device = c10::Device(c10::kCUDA, 0);
    type = asked, memory = of;
    T = S = 64, D = E = width, R = rows, window = 16, causal = true;
  }
};

}  // namespace
}  // namespace lavo

extern "C" cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
  using lavo::emulated_device;
  *value = which == cudaDevAttrComputeCapabilityMajor   ? emulated_device.major
           : which == cudaDevAttrComputeCapabilityMinor ? emulated_device.minor
                                                        : emulated_device.shared_bytes;
  return cudaSuccess;
}

namespace lavo {

TEST_CASE("attend as bound on CUDA is the CPU's, in every gradient, layout and type") {
  emulate_h100();
  BindingCase c;
  c.memory = GENERATE("none", "shared", "key_value", "projected");
  c.type = GENERATE(at::kBFloat16, at::kFloat);
  const int variant = GENERATE(0, 1, 2, 3, 4, 5);
  c.layout = std::array{"heads outside", "heads inside",  "unaligned",
                        "every second",  "heads outside", "odd rows"}[static_cast<size_t>(variant)];
  c.padded = variant % 2 == 1;
  c.own_bases = variant == 4;
  CAPTURE(c.memory, c.type, c.layout);
  const AttendInputs in = bound_inputs(c);
  AttendInputs exact = in_float64(in);
  std::vector<Tensor> inputs;
  for_each_tensor(exact, [&](const char*, Tensor& x, unsigned use) {
    if (x.defined() && (use & Use::kDifferentiable)) inputs.push_back(x.requires_grad_());
  });

  const Tensor output = attend_cuda(in)[0], expected = attend(exact);
  const double bound = c.type == at::kFloat ? 0x1p-17 : 0x1p-8;
  CHECK(relative_error(output, expected) < bound);
  CHECK(output.strides() == empty_tokens(in.query, in.value).strides());

  const Tensor upstream = torch::randn({kB, kH, kT, kD}).to(c.type);
  const auto wanted = torch::autograd::grad({expected}, inputs, {upstream.to(at::kDouble)}, {},
                                            false, /*allow_unused=*/true);
  const Results got = attend_backward_cuda({laid_out(upstream, c.layout), in, true});
  size_t i = 0, compared = 0, place = 0;
  for_each_tensor(exact, [&](const char* name, const Tensor& x, unsigned use) {
    if (!(use & Use::kDifferentiable)) return;
    const Tensor& gradient = got[place++];
    if (!x.defined()) return;
    CAPTURE(name);
    CHECK(relative_error(gradient, wanted[i]) < bound);
    CHECK(gradient.sizes() == x.sizes());
    ++i, ++compared;
  });
  CHECK(compared == (c.memory == "none" ? 5u : c.memory == "projected" ? 8u : 6u));

  // Without the bases' gradients all others are the same bits.
  const Results fewer = attend_backward_cuda({laid_out(upstream, c.layout), in, false});
  for (size_t k = 0; k < got.size(); ++k) {
    const bool of_bases = k == 4 || k == 5;
    CHECK(fewer[k].defined() == (got[k].defined() && !of_bases));
    if (fewer[k].defined()) CHECK(torch::equal(fewer[k], got[k]));
  }
}

TEST_CASE(
    "attend as bound on CUDA: bases given twice have the gradient of those given once, in two") {
  emulate_h100();
  BindingCase c;
  c.memory = GENERATE("shared", "key_value", "projected");
  c.type = at::kFloat;
  CAPTURE(c.memory);
  AttendInputs once = bound_inputs(c), twice = once;
  once.value_bases = Tensor();
  twice.value_bases = twice.key_bases;
  CHECK(torch::equal(attend_cuda(once)[0], attend_cuda(twice)[0]));
  const Tensor upstream = torch::randn({kB, kH, kT, kD});
  const Results one = attend_backward_cuda({upstream, once, true});
  const Results two = attend_backward_cuda({upstream, twice, true});
  CHECK_FALSE(one[5].defined());
  CHECK(one[4].abs().max().item<double>() > 0);
  CHECK(torch::equal(one[4], two[4] + two[5]));
}

TEST_CASE("attend as bound on CUDA takes an upstream that is one number for all") {
  emulate_h100();
  const AttendInputs in = bound_inputs({});
  const Tensor ones = torch::ones({1, 1, 1, 1}, at::kBFloat16);
  const Results got = attend_backward_cuda({ones.expand({kB, kH, kT, kD}), in, true});
  const Results same = attend_backward_cuda({ones.repeat({kB, kH, kT, kD}), in, true});
  for (size_t k = 0; k < got.size(); ++k)
    if (got[k].defined()) CHECK(torch::equal(got[k], same[k]));
}

TEST_CASE("attend as bound on CUDA gives nothing for an empty batch") {
  emulate_h100();
  AttendInputs in = bound_inputs({});
  for (Tensor* x : {&in.query, &in.key, &in.value}) *x = x->slice(0, 0, 0);
  CHECK(attend_cuda(in)[0].sizes() == in.query.sizes());
  const Results got = attend_backward_cuda({in.query, in, true});
  CHECK(got[0].sizes() == in.query.sizes());
  CHECK(got[4].abs().sum().item<double>() == 0);
}

TEST_CASE("What no kernel for a GPU takes is refused in one line before a launch") {
  emulate_h100();
  const AttendInputs exact = in_float64(bound_inputs({}));
  CHECK_THROWS_WITH(attend_cuda(exact), ContainsSubstring("float64 is composed on CUDA"));
  AttendInputs decays = bound_inputs({});
  decays.decay = torch::full({kD}, 0.5f);
  CHECK_THROWS_WITH(attend_cuda(decays), ContainsSubstring("decay are composed"));

  CHECK(attend_refusal_cuda(CudaFacts(at::kFloat, 128, "shared", 64)).empty());
  CHECK_THAT(attend_refusal_cuda(CudaFacts(at::kFloat, 128, "projected", 64)),
             ContainsSubstring("shared memory"));
  emulated_device = {8, 6, 99 * 1024};
  CHECK(attend_refusal_cuda(CudaFacts(at::kBFloat16, 64, "shared", 64)).empty());
  CHECK_THAT(attend_refusal_cuda(CudaFacts(at::kFloat, 128, "shared", 64)),
             ContainsSubstring("shared memory"));
  emulated_device = {7, 5, 64 * 1024};
  CHECK_THAT(attend_refusal_cuda(CudaFacts(at::kBFloat16, 64, "shared", 64)),
             ContainsSubstring("compute capability 8.0"));
}

}  // namespace lavo
