// SPDX-License-Identifier: MIT
// From tensors to what kernels are called with.
#pragma once

#include "lavo/kernels/cpu/lavo/call.h"
#include "lavo/operators/attend.h"
#include "lavo/operators/kernel_tensors.h"

namespace lavo {

/// Throws where types, shapes or strides do not go together; gives inputs that kernels can read.
/// `past`: keys of a stream in front of the first query's own.
AttendInputs checked(AttendInputs in, int64_t past = 0);

/// Pointers into `in`, which must outlive it.
cpu::LavoCall cpu_call(const AttendInputs& in);

AttendFacts facts_of(const AttendInputs& in);

/// attend_refusal where the device is a GPU and LibTorch has CUDA.
std::string attend_refusal_cuda(const AttendFacts& facts);

/// Of what comes out: like the query where widths agree.
at::Tensor empty_output(const AttendInputs& in);

/// Gradients by input; undefined where there is none or it is not wanted.
struct AttendGradients {
  at::Tensor query, key, value, weights;
  at::Tensor key_bases = {}, value_bases = {}, projected = {}, bias = {};
};

/// By `lavo::attend_backward`, through the dispatcher. Those of the bases cost three products more.
AttendGradients attend_backward(const at::Tensor& grad_output, const AttendInputs& in,
                                bool wants_bases);

}  // namespace lavo
