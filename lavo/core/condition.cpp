// SPDX-License-Identifier: MIT
#include "lavo/core/condition.h"

#include "lavo/core/problem.h"

namespace lavo {

double moved_by(double error, Mechanism& mechanism, const Inputs& in,
                const std::vector<int64_t>& rows) {
  const torch::NoGradGuard no_grad;
  Inputs nearby = in.to(torch::kFloat64);
  auto generator = make_generator(1);
  nearby.each([&](Tensor& x) {
    const Tensor noise = torch::randn(x.sizes(), generator, torch::kFloat64);
    x = x * (1 + error * noise.to(x.device()));
  });
  return worst_row_error(mechanism.reference(nearby, rows), mechanism.reference(in, rows));
}

}  // namespace lavo
