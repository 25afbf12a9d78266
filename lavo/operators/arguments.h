// SPDX-License-Identifier: MIT
// An operator's inputs, said once: the schema, the dispatcher's stack, the check of devices,
// autocast and what autograd saves all follow from one visit of them.
//
// Such a struct has
//   kOperator         its name, "lavo::attend"
//   kResults          how many tensors come out
//   visit(self, v)    v.tensor(name, field, use) and v.option(name, field), as the schema has them
//   validate()        throws where a number is out of its range
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>

#include <string>
#include <utility>
#include <vector>

namespace lavo {

using Results = std::vector<at::Tensor>;

/// What a tensor is to its operator: a sum of these.
struct Use {
  static constexpr unsigned kTokens = 1;          ///< 16 bits in an autocast region
  static constexpr unsigned kCompute = 2;         ///< float32 in one
  static constexpr unsigned kOptional = 4;        ///< may be undefined
  static constexpr unsigned kDifferentiable = 8;  ///< has a gradient
};

/// "lavo::attend(Tensor query, ..., bool cross) -> Tensor"
struct SchemaText {
  std::string text;
  void tensor(const char* name, const at::Tensor&, unsigned use) {
    add(use & Use::kOptional ? "Tensor?" : "Tensor", name);
  }
  void option(const char* name, const int64_t&) { add("int", name); }
  void option(const char* name, const bool&) { add("bool", name); }
  void option(const char* name, const double&) { add("float", name); }
  void option(const char* name, const std::string&) { add("str", name); }
  void add(const char* type, const char* name) {
    text += (text.empty() ? "" : ", ") + std::string(type) + " " + name;
  }
};

template <class In>
std::string schema() {
  const In in{};
  SchemaText arguments;
  In::visit(in, arguments);
  std::string results = "Tensor";
  for (int i = 1; i < In::kResults; ++i) results += ", Tensor";
  if (In::kResults > 1) results = "(" + results + ")";
  return std::string(In::kOperator) + "(" + arguments.text + ") -> " + results;
}

struct StackWriter {
  torch::jit::Stack stack;
  void tensor(const char*, const at::Tensor& x, unsigned use) {
    stack.push_back(x.defined() || !(use & Use::kOptional) ? c10::IValue(x) : c10::IValue());
  }
  template <class T>
  void option(const char*, const T& x) {
    stack.emplace_back(x);
  }
};

struct StackReader {
  const c10::IValue* next;
  void tensor(const char*, at::Tensor& x, unsigned) { x = tensor_of(*next++); }
  void option(const char*, int64_t& x) { x = (next++)->toInt(); }
  void option(const char*, bool& x) { x = (next++)->toBool(); }
  void option(const char*, double& x) { x = (next++)->toDouble(); }
  void option(const char*, std::string& x) { x = (next++)->toStringRef(); }
  static at::Tensor tensor_of(const c10::IValue& x) {
    return x.isNone() ? at::Tensor() : x.toTensor();
  }
};

/// call(name, tensor, use) for each tensor, undefined ones too.
template <class Call>
struct EveryTensor {
  const Call& call;
  template <class Tensor>
  void tensor(const char* name, Tensor& x, unsigned use) {
    call(name, x, use);
  }
  template <class T>
  void option(const char*, const T&) {}
};
template <class In, class Call>
void for_each_tensor(In& in, const Call& call) {
  std::remove_const_t<In>::visit(in, EveryTensor<Call>{call});
}

/// Before any kernel: one that is elsewhere would be read as if it were here.
template <class In>
void require_one_device(const In& in) {
  const char* first = nullptr;
  c10::Device device(c10::kCPU);
  for_each_tensor(in, [&](const char* name, const at::Tensor& x, unsigned) {
    if (!x.defined()) return;
    if (!first) {
      first = name;
      device = x.device();
    }
    TORCH_CHECK(x.device() == device, In::kOperator, ": ", name, " is on ", x.device(), ", ", first,
                " on ", device, ": all tensors must be on one device");
  });
}

}  // namespace lavo
