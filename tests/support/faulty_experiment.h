// SPDX-License-Identifier: MIT
// An experiment whose cells end as an axis says. Linked with the objects of lavo-bench it makes
// lavo-bench-faulty, the product with failures to order; linked into the tests it runs in process.
#pragma once

#include <functional>

#include "experiments/experiment.h"

namespace lavo {

/// Called at the start of every block in this process.
std::function<void(const Case&)>& faulty_hook();

}  // namespace lavo
