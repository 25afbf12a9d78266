// SPDX-License-Identifier: MIT
#include "lavo/operators/attend_features.h"

#include <cmath>

#include "lavo/operators/attend_features_call.h"
#include "lavo/operators/kernel_tensors.h"

namespace lavo {
namespace {

constexpr auto kFeaturesName = FeatureInputs::kOperator;

Results features_meta(const FeatureInputs& in) {
  return {empty_contiguous(in.value), empty_contiguous(in.sum)};
}

Results features_cpu(const FeatureInputs& given) {
  const FeatureInputs in = checked(given);
  Results out = features_meta(in);
  cpu::features_forward({cpu_call(in), cpu_tokens(out[0]), out[1].mutable_data_ptr<double>()});
  return out;
}

}  // namespace

void FeatureInputs::validate() const {
  for (const auto& [name, x] : {std::pair{"epsilon", normaliser.epsilon},
                                {"feature_epsilon", normaliser.feature_epsilon},
                                {"smallest", normaliser.smallest}}) {
    TORCH_CHECK(x >= 0 && std::isfinite(x), kOperator, ": ", name, " must be >= 0 and finite, got ",
                x);
  }
}

FeatureInputs checked(FeatureInputs in) {
  TORCH_CHECK(in.query.dim() == 4 && in.value.dim() == 4 && in.value.numel() > 0, kFeaturesName,
              ": query and value must be [batch, heads, tokens, width], got ", in.query.sizes(),
              " and ", in.value.sizes());
  storage_of(kFeaturesName, in.value);
  const at::ScalarType type = kernel_compute_type(in.value);
  const int64_t B = in.value.size(0), H = in.value.size(1), T = in.value.size(2),
                E = in.value.size(3), M = in.query.size(3);
  for (at::Tensor* x : {&in.query, &in.key}) {
    TORCH_CHECK(x->sizes() == at::IntArrayRef({B, H, T, M}) && x->scalar_type() == type,
                kFeaturesName, ": features must be ", type, " [", B, ", ", H, ", ", T,
                ", features], got ", x->scalar_type(), " ", x->sizes());
    *x = with_dense_rows(*x);
  }
  in.value = with_dense_rows(in.value);
  in.sum = side_input(kFeaturesName, in.sum, "sum", at::kDouble, {B, H, E + 1, M});
  TORCH_CHECK(in.level.defined() == in.sum_level.defined(), kFeaturesName,
              ": level and sum_level go together");
  if (in.level.defined()) {
    in.level = side_input(kFeaturesName, in.level, "level", type, {B, H, T});
    in.sum_level = side_input(kFeaturesName, in.sum_level, "sum_level", type, {B, H});
  }
  if (in.key_mask.defined()) {
    in.key_mask = side_input(kFeaturesName, in.key_mask, "key_mask", at::kBool, {B, T});
  }
  return in;
}

AttendFeaturesFacts facts_of(const at::Tensor& value, int64_t features, bool levels) {
  return {.device = value.device().type(),
          .type = value.scalar_type(),
          .B = value.size(0),
          .H = value.size(1),
          .T = value.size(2),
          .M = features,
          .E = value.size(3),
          .levels = levels};
}

cpu::FeaturesCall cpu_call(const FeatureInputs& in) {
  cpu::FeaturesCall call;
  call.storage = storage_of(kFeaturesName, in.value);
  call.B = in.value.size(0);
  call.H = in.value.size(1);
  call.T = in.value.size(2);
  call.M = in.query.size(3);
  call.E = in.value.size(3);
  call.query = cpu_tokens(in.query);
  call.key = cpu_tokens(in.key);
  call.value = cpu_tokens(in.value);
  call.visible = in.key_mask.defined() ? in.key_mask.const_data_ptr<bool>() : nullptr;
  call.level = data_or_null(in.level);
  call.sum = in.sum.const_data_ptr<double>();
  call.sum_level = data_or_null(in.sum_level);
  call.normaliser = in.normaliser;
  call.parallel = cpu_parallel_for;
  return call;
}

FeatureOutputs attend_features(const FeatureInputs& in) {
  const Results out = call_operator(in);
  return {out[0], out[1]};
}

std::string attend_features_refusal(const AttendFeaturesFacts& f) {
  // Sums over more features, of more columns, would be too many calls to win anything.
  constexpr int64_t kWidestOnCuda = 128;
  if (f.device == at::kCPU) return "";
  if (f.device != at::kCUDA) {
    return "there are no kernels for " + c10::DeviceTypeName(f.device, /*lower=*/true);
  }
  if (f.type == at::kDouble) return "float64 is composed on CUDA";
  if (f.levels) return "levels are composed on CUDA";
  if (f.M > kWidestOnCuda) return "more than 128 features are composed on CUDA";
  if (f.E > kWidestOnCuda) return "values of more than 128 columns are composed on CUDA";
#ifdef LAVO_CUDA
  return attend_features_refusal_cuda(f);
#else
  return "";
#endif
}

bool can_attend_features(const at::Tensor& value, int64_t features, bool levels) {
  return has_kernels(value.device().type()) &&
         attend_features_refusal(facts_of(value, features, levels)).empty();
}

TORCH_LIBRARY_FRAGMENT(lavo, m) { define<FeatureInputs, features_cpu, features_meta>(m); }

}  // namespace lavo
