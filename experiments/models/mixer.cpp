// SPDX-License-Identifier: MIT
#include "experiments/models/mixer.h"

#include <algorithm>

#include "baselines/table.h"
#include "experiments/models/multihead_attention.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

std::vector<MixerEntry>& mixer_table() {
  // clang-format off
  static std::vector<MixerEntry> table = {
      // A line for each.
  };
  // clang-format on
  return table;
}

std::vector<std::string> mixer_names() {
  std::vector<std::string> names;
  for (const Entry& entry : mechanisms()) names.push_back(entry.name);
  for (const MixerEntry& entry : mixer_table()) names.push_back(entry.name);
  return names;
}

}  // namespace

const std::vector<MixerEntry>& added_mixers() { return mixer_table(); }

void add_mixer(MixerEntry entry) {
  const std::vector<std::string> names = mixer_names();
  require<OptionError>(std::ranges::find(names, entry.name) == names.end(),
                       "mixer '{}': there is one of this name", entry.name);
  mixer_table().push_back(std::move(entry));
}

std::shared_ptr<Mixer> make_mixer(const MixerChoice& choice, const LayerOptions& layer,
                                  at::Generator& generator) {
  const auto added = std::ranges::find(mixer_table(), choice.name, &MixerEntry::name);
  if (added != mixer_table().end()) return added->create(choice.options, layer, generator);
  if (std::ranges::find(mechanisms(), choice.name, &Entry::name) == mechanisms().end()) {
    throw OptionError(unknown_name("mixer", choice.name, mixer_names()));
  }
  return std::make_shared<MultiheadAttention>(choice, layer, generator);
}

}  // namespace lavo
