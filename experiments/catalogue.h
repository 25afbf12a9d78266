// SPDX-License-Identifier: MIT
// What exists, as JSON: `lavo-bench list --json` prints it, `lavo-bench list` lays it out.
#pragma once

#include "lavo/core/options.h"

namespace lavo {

/// For each mechanism: name, kind, group, title, citation, patterns {NS: {"exact", "reason"}, ...},
/// streaming, equal_widths, fused (whether), fused_calls (which, in words), not_finite_reach (tokens
/// before a NaN whose outputs it may reach in a composed causal call; null: all), inputs [{name,
/// shape, per_token, neutral, meaning}], options [{name, kind, allowed, default, meaning}], tensors
/// [{name, kind, shape}]. `default` null is an option that is resolved
/// for its use; `resolved` is then its value in causal self attention on 4 heads of width 64
/// (noncausal, where causal is refused). Sizes of tensors are names (heads, head_dim, an option) or
/// numbers, at the default options.
json describe_mechanisms();

/// For each experiment: name, purpose, spec_version, axes as options.
json describe_experiments();

/// For each corpus that comes with the project: name, digest, rule (how it is divided), documents
/// [{split, name, bytes}].
json describe_data();

}  // namespace lavo
