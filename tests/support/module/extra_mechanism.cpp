// SPDX-License-Identifier: MIT
// A module as a stranger would write it: loading it adds the mechanism `extra`.
#include "baselines/table.h"

namespace {

const bool added = [] {
  lavo::Entry entry = lavo::find_mechanism("linear");
  entry.name = "extra";
  entry.title = "one more linear transformer";
  lavo::add_mechanism(std::move(entry));
  return true;
}();

}  // namespace
