// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "lavo/kernels/cpu/engine/isa.h"

namespace lavo {

/// What this machine has.
inline std::vector<cpu::Isa> available_isas() {
  std::vector<cpu::Isa> result;
  for (const cpu::Isa isa : {cpu::Isa::kPortable, cpu::Isa::kAvx2, cpu::Isa::kAvx512}) {
    if (cpu::has_isa(isa)) result.push_back(isa);
  }
  return result;
}

/// Selects one until the end of the scope.
class WithIsa {
 public:
  explicit WithIsa(cpu::Isa isa) : before_(cpu::selected_isa()) { cpu::select_isa(isa); }
  ~WithIsa() { cpu::select_isa(before_); }
  WithIsa(const WithIsa&) = delete;
  WithIsa& operator=(const WithIsa&) = delete;

 private:
  cpu::Isa before_;
};

}  // namespace lavo
