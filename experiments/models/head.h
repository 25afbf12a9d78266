// SPDX-License-Identifier: MIT
#pragma once

#include "lavo/core/mechanism.h"

namespace lavo {

enum class HeadKind { kVocabulary, kClasses, kSequenceClass, kRegression, kPoints };
inline const std::vector<std::string> kHeadKinds = {"vocabulary", "classes", "sequence_class",
                                                    "regression", "points"};

struct HeadOptions {
  HeadKind kind = HeadKind::kVocabulary;
  int64_t outputs = 256;  ///< C: token kinds, classes, numbers, coordinates
  int64_t width = 64;     ///< M
  int64_t points = 1;     ///< P, of each token, where the kind is points
};

/// What stands at the top of a model: [B, T, M] -> what the task asks for, by one linear map.
///
///   vocabulary, classes   logits of each token [B, T, C]
///   sequence_class        logits of the sequence [B, C], from the mean over its real tokens
///   regression            numbers of each token [B, T, C]
///   points                each token gives P points of C coordinates [B, T P, C]
///
/// Registers head_weight (C or P C, M) and head_bias in the model's module.
class Head {
 public:
  Head(torch::nn::Module& owner, const HeadOptions& options, at::Generator& generator);
  /// mask [B, T], true = real token; undefined: all are.
  Tensor forward(const Tensor& x_BTM, const Tensor& mask) const;

 private:
  HeadOptions options_;
  Tensor weight_, bias_;
};

}  // namespace lavo
