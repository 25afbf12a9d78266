// SPDX-License-Identifier: MIT
#include "baselines/table.h"

#include <algorithm>

#include "baselines/abc.h"
#include "baselines/cosformer.h"
#include "baselines/deltanet.h"
#include "baselines/eva.h"
#include "baselines/gated_deltanet.h"
#include "baselines/gla.h"
#include "baselines/gsa.h"
#include "baselines/kda.h"
#include "baselines/lightning.h"
#include "baselines/linear.h"
#include "baselines/local.h"
#include "baselines/log_linear.h"
#include "baselines/luna.h"
#include "baselines/mamba2.h"
#include "baselines/mesa.h"
#include "baselines/none.h"
#include "baselines/nystromformer.h"
#include "baselines/performer.h"
#include "baselines/retnet.h"
#include "baselines/rwkv7.h"
#include "baselines/vanilla.h"
#include "lavo/core/check.h"
#include "lavo/lavo.h"

namespace lavo {
namespace {

std::deque<Entry>& table() {
  static std::deque<Entry> rows = {
      // A line for each.
      // clang-format off
      row<Vanilla>(),
      row<VanillaMath>(),
      row<Lavo>(),
      row<Linear>(),
      row<Performer>(),
      row<Cosformer>(),
      row<Nystromformer>(),
      row<Local>(),
      row<RetNet>(),
      row<Lightning>(),
      row<Mamba2>(),
      row<Gla>(),
      row<DeltaNet>(),
      row<GatedDeltaNet>(),
      row<Kda>(),
      row<Rwkv7>(),
      row<Mesa>(),
      row<LogLinear>(),
      row<Gsa>(),
      row<Abc>(),
      row<Luna>(),
      row<Eva>(),
      row<None>(),
      // clang-format on
  };
  return rows;
}

json& module_in_scope() {
  static json module;
  return module;
}

}  // namespace

ModuleScope::ModuleScope(json module) { module_in_scope() = std::move(module); }
ModuleScope::~ModuleScope() { module_in_scope() = nullptr; }

const std::deque<Entry>& mechanisms() { return table(); }

void add_mechanism(Entry entry) {
  const bool taken = std::ranges::find(table(), entry.name, &Entry::name) != table().end();
  require<OptionError>(!taken, "mechanism '{}' is in the table already", entry.name);
  if (entry.module.is_null()) entry.module = module_in_scope();
  table().push_back(std::move(entry));
}

const Entry& find_mechanism(const std::string& name) {
  const auto found = std::ranges::find(mechanisms(), name, &Entry::name);
  if (found != mechanisms().end()) return *found;
  std::vector<std::string> names;
  for (const Entry& entry : mechanisms()) names.push_back(entry.name);
  throw OptionError(unknown_name("mechanism", name, names), "mechanism");
}

std::shared_ptr<Mechanism> make_mechanism(const std::string& name, const json& options,
                                          const Setting& setting, uint64_t seed,
                                          torch::ScalarType type, torch::Device device) {
  auto mechanism = find_mechanism(name).create(options, setting, seed);
  mechanism->to(device, type);
  mechanism->eval();
  return mechanism;
}

bool is_mechanism_option(const std::string& name) {
  return std::ranges::any_of(mechanisms(), [&](const Entry& entry) {
    return std::ranges::find(entry.options, name, &OptionInfo::name) != entry.options.end();
  });
}

}  // namespace lavo
