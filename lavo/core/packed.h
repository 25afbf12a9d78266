// SPDX-License-Identifier: MIT
// Documents packed one behind the other into one sequence, so that short ones fill a batch without
// padding.
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

/// The documents of packed inputs in their order, each as a sequence of its own: views, cut once.
/// `owner` begins the message of the ShapeError that is thrown where cu_seqlens does not divide the
/// tokens, or attention is cross.
std::vector<Inputs> documents(const std::string& owner, const Inputs& in);

}  // namespace lavo
