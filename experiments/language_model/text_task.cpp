// SPDX-License-Identifier: MIT
#include "experiments/language_model/text_task.h"

#include <cmath>

#include "experiments/data/batches.h"
#include "experiments/data/ngram.h"
#include "experiments/models/scoring.h"

namespace lavo {
namespace {

constexpr int64_t kChunks = 16;

/// The training text as tokens, and windows of it.
class TextBatches final : public BatchSource {
 public:
  TextBatches(const std::vector<Document>& documents, const Tokenizer& tokenizer,
              const BatchOptions& o, torch::Device device, int64_t first)
      : texts_(tokenize(documents, tokenizer)),
        batches_(texts_, o.batch, o.context, o.seed, device, first) {}
  Batch next() override {
    const Batches::Batch batch = batches_.next();
    return {{.input = batch.input}, batch.target};
  }

 private:
  std::vector<TokenText> texts_;
  Batches batches_;
};

Metric seeded(double value, const std::string& unit) {
  return {.value = value, .unit = unit, .better = Better::kLower, .kind = Kind::kSeeded};
}

/// Metrics of a text without words, or whose perplexity is beyond a number, are left out.
void add_finite(Outcome& outcome, const std::string& name, double value) {
  if (std::isfinite(value)) outcome.metrics[name] = seeded(value, "1");
}

/// Floors of the scored text, and whether the model is above them.
void add_floors(Outcome& outcome, const Corpus& corpus,
                const std::vector<std::string_view>& texts) {
  for (const int64_t order : {1, 2}) {
    const NgramModel floor(corpus.split(Split::kTrain), order);
    double bits = 0, bytes = 0;
    for (const std::string_view text : texts) {
      if (text.size() < 2) continue;
      const auto scored = static_cast<double>(text.size() - 1);
      bits += floor.bits_per_byte(text) * scored;
      bytes += scored;
    }
    outcome.metrics[fmt::format("order{}_bits_per_byte", order)] = {bits / bytes, "bit/byte",
                                                                    Better::kNone, Kind::kExact};
  }
  const double model = outcome.metrics.at("bits_per_byte").value;
  const double floor = outcome.metrics.at("order2_bits_per_byte").value;
  outcome.notes["trained"] = model < floor;
  if (model >= floor) {
    outcome.notes["not_trained_reason"] = fmt::format(
        "{:.3f} bit/byte, an order-2 byte model of the same text reaches {:.3f}", model, floor);
  }
}

}  // namespace

TextTask::TextTask(std::shared_ptr<const Corpus> corpus, const Tokenizer& tokenizer,
                   TextScoring scoring)
    : corpus_(std::move(corpus)), tokenizer_(tokenizer), scoring_(std::move(scoring)) {}

std::unique_ptr<BatchSource> TextTask::batches(const BatchOptions& options, torch::Device device,
                                               int64_t first) const {
  auto source = std::make_unique<TextBatches>(corpus_->split(Split::kTrain), tokenizer_, options,
                                              device, first);
  require_unchanged(*corpus_);  // before anything that was learned from it is kept
  return source;
}

Outcome TextTask::scores(Model& model, const Progress& progress) const {
  Outcome outcome;
  const auto texts = first_bytes(corpus_->split(scoring_.split), scoring_.bytes);
  Series& perplexity = outcome.series["perplexity"] = {"context", "1", {}};
  Series& bits = outcome.series["bits_per_byte"] = {"context", "bit/byte", {}};
  TextLosses at_context;
  for (const int64_t context : scoring_.contexts) {
    progress(fmt::format("scoring at context {}", context));
    TextLosses losses = score_texts(model, tokenizer_, texts, context);
    const double x = static_cast<double>(context);
    if (!std::isfinite(losses.total())) {
      throw CellFailure(Status::kNotFinite,
                        fmt::format("the loss at context {} is not finite", context));
    }
    const double per_byte = losses.perplexity_per(losses.bytes);
    if (std::isfinite(per_byte)) perplexity.points.emplace_back(x, per_byte);
    bits.points.emplace_back(x, losses.bits_per_byte());
    if (context == scoring_.contexts.front()) at_context = std::move(losses);
  }

  const std::string unit = tokenizer_.is_bytes() ? "bit/byte" : "bit/token";
  outcome.series["loss_by_position"] = {"position", unit, at_context.by_position()};
  outcome.series["loss_by_offset"] = {"offset", unit, at_context.by_offset(scoring_.block)};
  outcome.series["loss_by_chunk"] = {"chunk", unit, at_context.by_chunk(kChunks)};

  const auto scored = static_cast<int64_t>(at_context.nats.size());
  outcome.metrics["bits_per_byte"] = seeded(at_context.bits_per_byte(), "bit/byte");
  outcome.metrics["extrapolated_bits_per_byte"] = seeded(bits.points.back().second, "bit/byte");
  add_finite(outcome, "perplexity_per_byte", at_context.perplexity_per(at_context.bytes));
  add_finite(outcome, "perplexity_per_token", at_context.perplexity_per(scored));
  add_finite(outcome, "perplexity_per_word", at_context.perplexity_per(at_context.words));
  add_floors(outcome, *corpus_, texts);
  require_unchanged(*corpus_);
  outcome.notes["corpus"] = corpus_->name;
  outcome.notes["data"] = describe_corpus(*corpus_);
  outcome.notes["tokens_scored"] = scored;
  outcome.notes["bytes_scored"] = at_context.bytes;
  outcome.notes["words_scored"] = at_context.words;
  outcome.notes["block"] = scoring_.block;
  return outcome;
}

}  // namespace lavo
