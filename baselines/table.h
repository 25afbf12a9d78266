// SPDX-License-Identifier: MIT
// The table of mechanisms: adding one is one header, one source, and one line in table.cpp; or,
// from outside this project, one call of add_mechanism.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <deque>
#include <memory>
#include <string>

#include "lavo/core/entry.h"

namespace lavo {

/// In the order of the table; entries never move.
const std::deque<Entry>& mechanisms();

/// One more mechanism for the rest of the process. Throws OptionError where its name is taken.
void add_mechanism(Entry entry);

/// While it lives, mechanisms that are added are known to come from this module (modules.h).
class ModuleScope {
 public:
  explicit ModuleScope(json module);
  ~ModuleScope();
  ModuleScope(const ModuleScope&) = delete;
  ModuleScope& operator=(const ModuleScope&) = delete;
};

/// Throws OptionError with the nearest name.
const Entry& find_mechanism(const std::string& name);

/// The mechanism in the given type on the given device, in eval mode, its parameters drawn from
/// `seed`.
std::shared_ptr<Mechanism> make_mechanism(const std::string& name, const json& options,
                                          const Setting& setting, uint64_t seed,
                                          c10::ScalarType type = c10::ScalarType::Float,
                                          c10::Device device = c10::kCPU);

/// Every option name of any mechanism: as an axis it is dropped for the mechanisms that lack it.
bool is_mechanism_option(const std::string& name);

}  // namespace lavo
