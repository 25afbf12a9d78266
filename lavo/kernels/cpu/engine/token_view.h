// SPDX-License-Identifier: MIT
// Tokens, typed: what one head needs of them.
#pragma once

#include "lavo/kernels/cpu/engine/tile.h"
#include "lavo/kernels/cpu/engine/tokens.h"

namespace lavo::cpu::LAVO_ISA {

/// Calls run with the type that the tokens are stored in: by_storage(s, [&]<class S>() { ... }).
template <class Run>
void by_storage(Storage storage, const Run& run) {
  switch (storage) {
    case Storage::kFloat64:
      return run.template operator()<double>();
    case Storage::kFloat32:
      return run.template operator()<float>();
    case Storage::kBFloat16:
      return run.template operator()<BFloat16>();
    case Storage::kFloat16:
      return run.template operator()<Float16>();
  }
}

template <class S>
struct HeadTokens {
  S* data;
  int64_t stride;
  S* at(int64_t token) const { return data + token * stride; }
};

template <class S>
HeadTokens<S> head_of(const Tokens& tokens, int64_t b, int64_t h) {
  return {static_cast<S*>(tokens.data) + b * tokens.batch + h * tokens.head, tokens.token};
}

}  // namespace lavo::cpu::LAVO_ISA
