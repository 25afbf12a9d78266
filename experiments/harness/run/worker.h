// SPDX-License-Identifier: MIT
// The words between the driver and its workers, a JSON object a line.
//   driver -> worker   a job
//   worker -> driver   {"progress": text}, then {"result": a block}
#pragma once

#include "experiments/harness/run/executor.h"

namespace lavo {

json job_to_json(const Job& job);
/// Loads the modules that the driver has loaded. Throws where one has changed, where the experiment
/// is not known or a field is missing.
Job job_from_json(const json& from);

}  // namespace lavo
