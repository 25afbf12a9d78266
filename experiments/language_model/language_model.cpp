// SPDX-License-Identifier: MIT
#include "experiments/language_model/language_model.h"

#include <ATen/Parallel.h>

#include "experiments/language_model/text_task.h"
#include "experiments/models/training_record.h"
#include "experiments/place.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

/// Axes of the cell that say how it is scored; the weights do not depend on them.
const std::vector<std::string> kScoringAxes = {"split", "test_bytes", "test_factor"};

Recipe recipe_of(const Experiment& experiment, const json& axes, const Corpus& corpus) {
  const auto [a, options] = read_cell<LanguageModelAxes>("language_model", axes);
  json trained = lasting_axes(experiment, axes);
  for (const std::string& name : kScoringAxes) trained.erase(name);
  json identity = {
      {"axes", std::move(trained)}, {"spec", experiment.spec_version()}, {"corpus", corpus.digest}};
  add_module(identity, axes);
  return {.identity = std::move(identity),
          .data = corpus.name,
          .model = model_of(a),
          .mechanism_options = options,
          .training = training_of(a),
          .device = require_device("language_model", a.device)};
}

}  // namespace

void LanguageModelAxes::visit(OptionVisitor& v) {
  ModelAxes::visit(v);
  v.choice("tokenizer", tokenizer, {"bytes", "bpe"}, "bytes, or byte pairs trained on the corpus");
  v.integer("vocabulary", vocabulary, between(257, 65536), "tokens of bpe; unset: 1024");
  v.choice("split", split, kSplits, "documents to score; choose settings on valid");
  v.integer("test_bytes", test_bytes, between(2, 1e15), "of the split's text that are scored");
  v.integer("test_factor", test_factor, between(1, 1 << 20),
            "scored at 1, 2, 4, ... test_factor times the context");
}

std::vector<int64_t> LanguageModelAxes::contexts() const { return doubled(context, test_factor); }

json LanguageModel::resolve(const json& given) const {
  auto [a, options] = read_cell<LanguageModelAxes>(name(), given);
  fill_model_axes(name(), a);
  require<OptionError>(a.tokenizer == TokenKind::kBpe || !a.vocabulary,
                       "language_model: axis 'vocabulary' is of tokenizer bpe, got bytes");
  if (a.tokenizer == TokenKind::kBpe && !a.vocabulary) a.vocabulary = 1024;
  // The longest length that the cell reaches, in training too.
  return cell_axes(write_options(a), a, options, a.context * a.test_factor);
}

std::string LanguageModel::refused(const json& axes) const {
  const auto [a, options] = read_cell<LanguageModelAxes>("language_model", axes);
  return model_refusal(a, options, "a language model");
}

StateUse LanguageModel::state_use(const json& axes) const {
  const auto [a, options] = read_cell<LanguageModelAxes>("language_model", axes);
  return state_use_of(a, options);
}

Prediction LanguageModel::predict(const json& axes, const json&) const {
  const auto [a, options] = read_cell<LanguageModelAxes>("language_model", axes);
  return predict_model(a, options, a.vocabulary.value_or(256), a.test_bytes, a.contexts());
}

Outcome LanguageModel::run(const Case& cell) const {
  const auto [a, options] = read_cell<LanguageModelAxes>("language_model", cell.axes);
  at::set_num_threads(static_cast<int>(a.threads));
  const auto corpus = load_corpus(cell.corpus);
  const Recipe recipe = recipe_of(*this, cell.axes, *corpus);
  const TextScoring scoring{.split = a.split,
                            .bytes = a.test_bytes,
                            .contexts = a.contexts(),
                            .block = mechanism_of(a, options)->block()};
  const int64_t vocabulary = a.vocabulary.value_or(0);
  const auto prepare = [&](std::optional<Tokenizer>& tokenizer) {
    tokenizer.emplace();
    if (vocabulary > 0) {
      cell.progress("training the tokenizer");
      tokenizer = Tokenizer::train(corpus->split(Split::kTrain), vocabulary);
    }
    return std::make_unique<TextTask>(corpus, *tokenizer, scoring);
  };
  const Checkpoint checkpoint = obtain_model(recipe, prepare, cell.directory, cell.progress);
  require<InputError>(checkpoint.tokenizer.has_value(), "model {}: has no tokenizer", recipe.id());
  Outcome outcome =
      TextTask(corpus, *checkpoint.tokenizer, scoring).scores(*checkpoint.model, cell.progress);
  add_training(outcome, recipe, checkpoint, cell.directory,
               a.tokenizer == TokenKind::kBytes ? "bit/byte" : "bit/token");
  if (a.position_encoding == PositionEncoding::kRope) {
    outcome.notes["initialisation"] = "biases of W_Q and W_K start at 1 (rope)";
  }
  if (a.position_encoding == PositionEncoding::kLearned) {
    outcome.notes["positions"] = "beyond the trained context the last learned row is repeated";
  }
  return outcome;
}

}  // namespace lavo
