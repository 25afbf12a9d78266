// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/data/corpus.h"
#include "experiments/experiment.h"
#include "experiments/models/model_axes.h"

namespace lavo {

enum class TokenKind { kBytes, kBpe };

struct LanguageModelAxes : ModelAxes {
  TokenKind tokenizer = TokenKind::kBytes;
  std::optional<int64_t> vocabulary;
  Split split = Split::kTest;
  int64_t test_bytes = 32768;
  int64_t test_factor = 8;

  void visit(OptionVisitor& v);
  /// Scored at these: 1, 2, 4, ... test_factor times the context.
  std::vector<int64_t> contexts() const;
};

/// Trains a small causal transformer on text and scores it on documents that it has not seen, at
/// the training context and beyond.
///
/// bits_per_byte at the training context and perplexities (a byte, a token, a white-space separated
/// word); series over context (2, 4, ... test_factor times longer), over the position in the
/// window, over the offset in the mechanism's block, over equal chunks of the text, and the
/// training loss over steps. Beside them the order-1 and order-2 byte models trained on the same
/// split: a model that is worse than order 2 is noted as not trained. Every context scores the same
/// tokens. training_time and tokens_per_second are taken while other cells train on the other
/// cores.
class LanguageModel final : public Experiment {
 public:
  std::string name() const override { return "language_model"; }
  std::string purpose() const override {
    return "Trains a small transformer on text and scores text it has not seen, at its training "
           "context and beyond";
  }
  int spec_version() const override { return 1; }
  std::vector<OptionInfo> axes() const override { return list_options<LanguageModelAxes>(); }
  json resolve(const json& given) const override;
  std::string refused(const json& axes) const override;
  Prediction predict(const json& axes, const json& limits) const override;
  std::string width_axis() const override { return "width"; }
  StateUse state_use(const json& axes) const override;
  std::string data_digest(const json& axes, const std::string& corpus) const override {
    (void)axes;
    return load_corpus(corpus)->digest;
  }
  std::string data_notice(const std::string& corpus) const override {
    return corpus_notice(*load_corpus(corpus));
  }
  bool runs_alone() const override { return false; }
  Outcome run(const Case& cell) const override;
};

}  // namespace lavo
