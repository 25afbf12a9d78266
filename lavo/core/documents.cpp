// SPDX-License-Identifier: MIT
// Documents packed one behind the other into one sequence, so that short ones fill a batch without
// padding.
#include "lavo/core/check.h"
#include "lavo/core/inputs.h"

namespace lavo {
namespace {

std::vector<int64_t> document_lengths(const std::string& owner, const Inputs& in) {
  const Tensor& edges = in.cu_seqlens;
  const int64_t tokens = in.query.size(2);
  require<ShapeError>(!in.is_cross(),
                      "{}: cu_seqlens packs documents of self attention, got cross attention",
                      owner);
  const bool is_list =
      edges.dim() == 1 && edges.size(0) >= 2 && torch::isIntegralType(edges.scalar_type(), false);
  require<ShapeError>(is_list, "{}: cu_seqlens must be a list of at least two whole numbers",
                      owner);
  const Tensor list = edges.to(torch::kCPU, torch::kLong).contiguous();
  const int64_t* at = list.const_data_ptr<int64_t>();
  const int64_t last = list.size(0) - 1;
  require<ShapeError>(at[0] == 0 && at[last] == tokens,
                      "{}: cu_seqlens must go from 0 to the {} tokens, got {} to {}", owner, tokens,
                      at[0], at[last]);
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < last; ++i) {
    require<ShapeError>(at[i] < at[i + 1], "{}: cu_seqlens must rise, got {} after {}", owner,
                        at[i + 1], at[i]);
    lengths.push_back(at[i + 1] - at[i]);
  }
  return lengths;
}

}  // namespace

std::vector<Inputs> documents(const std::string& owner, const Inputs& in) {
  const std::vector<int64_t> lengths = document_lengths(owner, in);
  Inputs whole = in;
  whole.cu_seqlens = Tensor();
  std::vector<Inputs> result(lengths.size(), whole);
  // By one split: the backward pass of narrow would write a gradient of all tokens for each.
  const auto cut = [&](const Tensor& x, int64_t dim, const auto& place) {
    const auto pieces = x.split_with_sizes(lengths, dim);
    for (size_t i = 0; i < pieces.size(); ++i) place(result[i]) = pieces[i];
  };
  cut(in.query, 2, [](Inputs& d) -> Tensor& { return d.query; });
  cut(in.key, 2, [](Inputs& d) -> Tensor& { return d.key; });
  cut(in.value, 2, [](Inputs& d) -> Tensor& { return d.value; });
  if (in.key_mask.defined()) cut(in.key_mask, 1, [](Inputs& d) -> Tensor& { return d.key_mask; });
  for (const auto& extra : in.extra) {
    const int64_t dim = token_dim(extra.second.letters);
    if (dim < 0) continue;
    cut(extra.second.tensor, dim,
        [&](Inputs& d) -> Tensor& { return d.extra.at(extra.first).tensor; });
  }
  return result;
}

}  // namespace lavo
