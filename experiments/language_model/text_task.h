// SPDX-License-Identifier: MIT
#pragma once

#include "experiments/data/corpus.h"
#include "experiments/data/tokenizer.h"
#include "experiments/models/task.h"

namespace lavo {

struct TextScoring {
  Split split = Split::kTest;
  int64_t bytes = 32768;               ///< of the split's text
  std::vector<int64_t> contexts = {};  ///< tokens; the first is that of training
  int64_t block = 16;                  ///< offsets of loss_by_offset
};

/// The next token of text: batches are windows at random places of the train split, scores the bits
/// a byte of another.
class TextTask final : public Task {
 public:
  TextTask(std::shared_ptr<const Corpus> corpus, const Tokenizer& tokenizer, TextScoring scoring);

  std::string digest() const override { return corpus_->digest; }
  std::unique_ptr<BatchSource> batches(const BatchOptions& options, torch::Device device,
                                       int64_t first) const override;
  Outcome scores(Model& model, const Progress& progress) const override;

 private:
  std::shared_ptr<const Corpus> corpus_;
  Tokenizer tokenizer_;
  TextScoring scoring_;
};

}  // namespace lavo
