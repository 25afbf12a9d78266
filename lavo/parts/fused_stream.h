// SPDX-License-Identifier: MIT
// What the mechanisms that stream through the fused operator share.
#pragma once

#include "lavo/operators/attend.h"
#include "lavo/parts/key_value_cache.h"

namespace lavo {

/// What the operator is told of a call: the sizes that all callers know.
AttendFacts facts_of(const CallFacts& call);

/// Whether a piece can go through the operator: on the CPU, and with nothing that wants a gradient,
/// for the kernel's means have no history.
bool can_stream(const AttendInputs& in);

/// The next piece of a stream at `position`: its keys join those of the window, which keeps what
/// later pieces see. Without gradients.
Tensor attend_piece(AttendInputs piece, AttendStream& stream, KeyValueCache& window,
                    int64_t position);

}  // namespace lavo
