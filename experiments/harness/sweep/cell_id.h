// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "experiments/experiment.h"

namespace lavo {

/// The name of what a cell measures: 16 hexadecimal digits of a hash over the experiment, its
/// spec_version, the cell's resolved axes, the digest of its data and, where its mechanism was
/// added at run time, the digest of the module. Axes and options that were declared `later` enter
/// it only where they are not what they are by default: ids are older than they.
std::string cell_id(const Experiment& experiment, const json& axes, const std::string& data_digest);

}  // namespace lavo
