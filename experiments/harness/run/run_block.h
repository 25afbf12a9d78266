// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/experiment.h"
#include "reports/records/record.h"

namespace lavo {

/// Runs one block in this process. Whatever is thrown becomes a status with its reason, and a
/// result that is not finite becomes not_finite: nothing escapes but the death of the process.
BlockResult run_block(const Experiment& experiment, const Case& cell);

}  // namespace lavo
