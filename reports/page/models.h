// SPDX-License-Identifier: MIT
#pragma once

#include "reports/page/sections.h"

namespace lavo::report {

/// Language models that were trained and scored alike: they differ in mechanism, its options, the
/// position encoding and the seed.
struct ModelGroup {
  std::string title;        ///< the sweep's name, and what sets the group apart in it
  std::string description;  ///< of the sweep
  std::string settings;     ///< "2 layers, width 64, ...": what all models share
  Origin origin;
  double context = 0;         ///< trained at, tokens; 0 when the records do not say
  std::vector<Variant> rows;  ///< best first; a row's cells are its seeds
  /// bit/byte of the byte models of order 1 and 2 on the scored text.
  std::optional<double> order1, order2;

  size_t mechanisms() const;  ///< how many different ones
  /// The page's subject with its usual options; nullptr where it is not among the rows.
  const Variant* subject() const;
  /// Not better than the order-2 byte model: its other numbers mean nothing.
  bool is_untrained(const Variant& row) const;
};

/// One for each sweep and setting, in the order of the sweeps.
std::vector<ModelGroup> model_groups(const Results& results);

}  // namespace lavo::report
