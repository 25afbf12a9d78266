// SPDX-License-Identifier: MIT
#include "lavo/core/packed.h"

#include "lavo/core/check.h"

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
  // By one split: the backward pass of narrow would write a gradient of all tokens for each.
  const std::vector<int64_t> lengths = document_lengths(owner, in);
  const auto cut = [&](const Tensor& x, int64_t dim) {
    return x.defined() ? x.split_with_sizes(lengths, dim) : std::vector<Tensor>(lengths.size());
  };
  const auto queries = cut(in.query, 2), keys = cut(in.key, 2), values = cut(in.value, 2),
             masks = cut(in.key_mask, 1);
  const auto contexts = cut(in.context ? in.context->tokens_BSM : Tensor(), 1);
  std::vector<Inputs> result;
  for (size_t i = 0; i < lengths.size(); ++i) {
    Inputs document = in;
    document.query = queries[i];
    document.key = keys[i];
    document.value = values[i];
    document.key_mask = masks[i];
    document.cu_seqlens = Tensor();
    if (document.context) document.context->tokens_BSM = contexts[i];
    result.push_back(document);
  }
  return result;
}

}  // namespace lavo
