// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/addressed_memory.h"
#include "lavo/bases.h"
#include "lavo/parts/local_window.h"

namespace lavo {

enum class BasesTrain { kFixed, kFree, kOrthogonal };
enum class MemoryKind { kContext, kShared, kKeyValue, kSlots, kAddress };
enum class GlobalScale { kNone, kRows };

struct LavoOptions {
  int64_t bases = 64;
  int64_t window = 16;
  bool dissect = true;
  std::optional<WindowPosition> position;
  BasesInit bases_init = BasesInit::kOrthogonal;
  BasesTrain bases_train = BasesTrain::kFixed;
  std::optional<MemoryKind> memory;
  NumberOrWord mix{.number = 0.5, .word = ""};
  NumberOrWord decay{.number = 1, .word = ""};
  GlobalScale global_scale = GlobalScale::kNone;
  int64_t look_back = 0;
  std::optional<NumberOrWord> temperature;
  bool unit = false;
  bool slot_gate = false;
  MemoryWrite write = MemoryWrite::kMean;

  void visit(OptionVisitor& v);
  void validate() const;
  /// Fills position, memory and, where bases are addresses, temperature. Throws OptionError where memory is `context` outside of a layer.
  void resolve(const Setting& setting);

  bool has_decay() const { return decay.is("multiscale") || decay.number != 1; }
  /// Whether bases are addresses: memory slots or address.
  bool has_addresses() const {
    return memory == MemoryKind::kSlots || memory == MemoryKind::kAddress;
  }
  /// float64, one for each row or one for all; undefined where the mean is plain.
  Tensor row_decays() const;
};

}  // namespace lavo
