// SPDX-License-Identifier: MIT
// What a machine's own noise looks like in a comparison: the floor below which nothing counts.
#pragma once

#include <string>

#include "reports/compare/compare.h"

namespace lavo::compare {

/// A policy file made of a comparison of a build with itself: for each cell and timing metric the
/// far end of the interval, and for cells that are not in it the level below which 95 % of them
/// stay. What `before` holds of earlier calibrations is kept where it is larger. Throws InputError
/// when the builds differ: then a difference is not noise.
std::string noise_policy(const Comparison& comparison, const Policy& before);

}  // namespace lavo::compare
