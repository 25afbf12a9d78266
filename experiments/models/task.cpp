// SPDX-License-Identifier: MIT
#include "experiments/models/task.h"

namespace lavo {

Tensor Task::loss(Model& model, const Batch& batch) const {
  return at::cross_entropy_loss(model.forward(batch.input).flatten(0, 1), batch.target.flatten());
}

}  // namespace lavo
