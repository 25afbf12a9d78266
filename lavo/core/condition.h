// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// What inputs wrong by `error`, relative and at random, do to these rows of the reference, as
/// worst_row_error: where a formula cancels, or inverts a matrix, it enlarges roundings.
double moved_by(double error, Mechanism& mechanism, const Inputs& in,
                const std::vector<int64_t>& rows);

}  // namespace lavo
