// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/cell_id.h"

#include "lavo/core/sha256.h"

namespace lavo {

std::string cell_id(const Experiment& experiment, const json& axes,
                    const std::string& data_digest) {
  json identity = {{"experiment", experiment.name()},
                   {"spec_version", experiment.spec_version()},
                   {"axes", lasting_axes(experiment, axes)},
                   {"data", data_digest}};
  add_module(identity, axes);
  return sha256(identity.dump()).substr(0, 16);
}

}  // namespace lavo
