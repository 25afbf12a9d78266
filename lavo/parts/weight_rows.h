// SPDX-License-Identifier: MIT
// The float64 oracle of attentions whose weights are not normalised by a softmax.
#pragma once

#include <functional>

#include "lavo/core/mechanism.h"

namespace lavo {

/// Weights [B, H, rows, keys] of the keys first, first + 1, ... for the queries of the named rows.
using RowWeights =
    std::function<Tensor(const Tensor& query_BHRD, const Tensor& key_BHSD, int64_t first)>;

/// o_t = sum_j a_tj v_j / normaliser(sum_j a_tj) over the keys that t sees, every weight a_tj taken
/// by itself, in blocks of keys. `in` is float64 -> [B, H, rows, E].
Tensor weighted_rows(const Inputs& in, const std::vector<int64_t>& rows, const RowWeights& weights,
                     const std::function<Tensor(const Tensor& total)>& normaliser);

}  // namespace lavo
