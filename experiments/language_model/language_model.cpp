// SPDX-License-Identifier: MIT
#include "experiments/language_model/language_model.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "baselines/table.h"
#include "experiments/data/ngram.h"
#include "experiments/models/scoring.h"
#include "experiments/place.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"

namespace lavo {
namespace {

constexpr int64_t kChunks = 16;
constexpr int64_t kCurvePoints = 100;

/// Axes of the cell that say how it is scored; the weights do not depend on them.
const std::vector<std::string> kScoringAxes = {"split", "test_bytes", "test_factor"};

LanguageModelAxes read_axes(const json& own) {
  return read_options<LanguageModelAxes>("language_model", own, "axis");
}

/// The cell's own axes and the options of its mechanism, apart.
std::pair<LanguageModelAxes, json> read_cell(const json& axes) {
  const SplitAxes split = split_axes("language_model", list_options<LanguageModelAxes>(), axes);
  return {read_axes(split.own), split.options};
}

Setting setting_of(const LanguageModelAxes& a) {
  const int64_t D = a.width / a.heads;
  return {.heads = a.heads,
          .head_dim = D,
          .value_dim = D,
          .model_dim = a.width,
          .query_length = a.context,
          .key_length = a.context,
          .longest = a.context * a.test_factor,
          .causal = true};
}

Recipe recipe_of(const json& axes, const Corpus& corpus, int spec_version) {
  const auto [a, options] = read_cell(axes);
  json identity = axes;
  for (const std::string& name : kScoringAxes) identity.erase(name);
  return {.identity = {{"axes", identity}, {"spec", spec_version}, {"corpus", corpus.digest}},
          .model = {.mechanism = a.mechanism,
                    .position_encoding = *a.position_encoding,
                    .layers = a.layers,
                    .width = a.width,
                    .heads = a.heads,
                    .context = a.context},
          .mechanism_options = options,
          .training = {.steps = a.steps,
                       .batch = a.batch,
                       .accumulate = a.accumulate,
                       .context = a.context,
                       .warmup = a.warmup,
                       .learning_rate = a.learning_rate,
                       .optimizer = {.weight_decay = a.weight_decay, .clip = a.clip},
                       .seed = static_cast<uint64_t>(a.seed),
                       .autocast = a.dtype == TrainingType::kBfloat16},
          .bpe_vocabulary = a.vocabulary.value_or(0),
          .device = require_device("language_model", a.device)};
}

/// Training losses in bits, averaged into at most kCurvePoints points.
Points training_curve(const std::filesystem::path& csv) {
  std::vector<double> losses;
  const std::string text = read_text(csv);
  for (size_t line = text.find('\n') + 1; line < text.size(); line = text.find('\n', line) + 1) {
    const char* number = text.data() + text.find(',', line) + 1;
    std::from_chars(number, text.data() + text.size(), losses.emplace_back());
  }
  const size_t width = (losses.size() + kCurvePoints - 1) / kCurvePoints;
  Points points;
  for (size_t begin = 0; begin < losses.size(); begin += width) {
    const size_t end = std::min(begin + width, losses.size());
    const double sum = std::accumulate(losses.begin() + static_cast<std::ptrdiff_t>(begin),
                                       losses.begin() + static_cast<std::ptrdiff_t>(end), 0.0);
    points.emplace_back(static_cast<double>(end),
                        sum / static_cast<double>(end - begin) / std::log(2.0));
  }
  return points;
}

Metric seeded(double value, const std::string& unit) {
  return {.value = value, .unit = unit, .better = Better::kLower, .kind = Kind::kSeeded};
}

Metric fact(double value, const std::string& unit) {
  return {.value = value, .unit = unit, .better = Better::kNone, .kind = Kind::kExact};
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
    outcome.metrics[fmt::format("order{}_bits_per_byte", order)] = fact(bits / bytes, "bit/byte");
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

void LanguageModelAxes::visit(OptionVisitor& v) {
  v.text("mechanism", mechanism, "name in the table of mechanisms");
  v.choice("position_encoding", position_encoding, kPositionEncodings,
           "of the layers, beside the mechanism's own; unset: none where it has one, else rope");
  v.integer("layers", layers, between(1, 1024), "attention and feed-forward pairs");
  v.integer("width", width, between(1, 65536), "M, numbers a token between layers");
  v.integer("heads", heads, between(1, 1024), "H, a divisor of width");
  v.integer("context", context, between(1, 1 << 24), "tokens of a training sequence");
  v.integer("batch", batch, between(1, 65536), "sequences a forward pass");
  v.integer("accumulate", accumulate, between(1, 65536), "passes a step");
  v.integer("steps", steps, between(1, 1e9), "of the optimizer");
  v.integer("warmup", warmup, between(0, 1e9), "steps of rising learning rate");
  v.number("learning_rate", learning_rate, above(0), "its peak; a cosine takes it to 5 %");
  v.number("weight_decay", weight_decay, at_least(0), "of matrices, AdamW");
  v.number("clip", clip, at_least(0), "largest norm of the gradient; 0 = no limit");
  v.choice("tokenizer", tokenizer, {"bytes", "bpe"}, "bytes, or byte pairs trained on the corpus");
  v.integer("vocabulary", vocabulary, between(257, 65536), "tokens of bpe; unset: 1024");
  v.choice("dtype", dtype, {"float32", "bfloat16"},
           "of products (weights stay float32); unset: bfloat16 on CUDA, else float32");
  v.text("device", device, "cpu, cuda or cuda:i");
  v.integer("threads", threads, between(1, 4096), "of the CPU");
  v.integer("seed", seed, between(0, 1e15), "of weights and batches");
  v.choice("split", split, kSplits, "documents to score; choose settings on valid");
  v.integer("test_bytes", test_bytes, between(2, 1e15), "of the split's text that are scored");
  v.integer("test_factor", test_factor, between(1, 1 << 20),
            "scored at 1, 2, 4, ... test_factor times the context");
}

json LanguageModel::resolve(const json& given) const {
  const SplitAxes split = split_axes(name(), axes(), given);
  LanguageModelAxes a = read_axes(split.own);
  require<OptionError>(a.width % a.heads == 0,
                       "language_model: axis 'width' must be a multiple of heads, got {} and {}",
                       a.width, a.heads);
  const Entry& entry = find_mechanism(a.mechanism);
  if (!a.position_encoding) a.position_encoding = default_position(entry);
  require<OptionError>(
      a.position_encoding != PositionEncoding::kRope || a.width / a.heads % 2 == 0,
      "language_model: axis 'position_encoding' rope needs an even width / heads, got {} / {}",
      a.width, a.heads);
  require<OptionError>(a.tokenizer == TokenKind::kBpe || !a.vocabulary,
                       "language_model: axis 'vocabulary' is of tokenizer bpe, got bytes");
  if (a.tokenizer == TokenKind::kBpe && !a.vocabulary) a.vocabulary = 1024;
  if (!a.dtype) {
    a.dtype = a.device == "cpu" ? TrainingType::kFloat32 : TrainingType::kBfloat16;
  }
  json result = write_options(a);
  result.update(entry.resolve(split.options, setting_of(a)));
  for (auto it = result.begin(); it != result.end();) {
    it = it->is_null() ? result.erase(it) : std::next(it);
  }
  return result;
}

std::string LanguageModel::refused(const json& axes) const {
  const auto [a, options] = read_cell(axes);
  const Entry& entry = find_mechanism(a.mechanism);
  const auto mechanism = entry.create(options, setting_of(a), 0);
  const std::string pattern =
      mechanism->patterns().refusal[static_cast<size_t>(Pattern::kCausalSelf)];
  if (!pattern.empty()) {
    return fmt::format("a language model needs causal self attention, which {} refuses: {}",
                       a.mechanism, pattern);
  }
  return position_refusal(entry, *a.position_encoding);
}

Prediction LanguageModel::predict(const json& axes, const json&) const {
  const auto [a, options] = read_cell(axes);
  const double M = static_cast<double>(a.width), L = static_cast<double>(a.layers);
  const double V = static_cast<double>(a.vocabulary.value_or(256));
  const double weights = L * 12 * M * M + V * M;
  const Setting setting = setting_of(a);
  const auto mechanism = find_mechanism(a.mechanism).create(options, setting, 0);
  const auto attention = [&](int64_t batch, int64_t length) {
    return mechanism->cost({.B = batch,
                            .H = a.heads,
                            .T = length,
                            .S = length,
                            .D = setting.head_dim,
                            .E = setting.head_dim},
                           Pattern::kCausalSelf);
  };
  const double step_tokens = static_cast<double>(a.batch * a.accumulate * a.context);
  const double step_flop = 3 * (2 * weights * step_tokens + L * static_cast<double>(a.accumulate) *
                                                                attention(a.batch, a.context).flop);
  double test_flop = 0;
  for (int64_t factor = 1; factor <= a.test_factor; factor *= 2) {
    const int64_t length = a.context * factor;
    const double windows = static_cast<double>(a.test_bytes) / static_cast<double>(length);
    test_flop +=
        2 * weights * static_cast<double>(a.test_bytes) + windows * L * attention(1, length).flop;
  }
  // Reached by small models on a thread with 512-bit vectors.
  const double rate = a.device == "cpu" ? 5e10 * static_cast<double>(a.threads) : 5e13;
  const double overhead_s = a.device == "cpu" ? 2e-3 : 5e-3;
  const double numbers = 4 * step_tokens / static_cast<double>(a.accumulate) * (L * 24 * M + 4 * V);
  const int64_t longest = a.context * a.test_factor;
  const double test_numbers =
      4 * std::max<double>(4096, static_cast<double>(longest)) * (12 * M + 3 * V);
  return {.seconds = (step_flop * static_cast<double>(a.steps) + test_flop) / rate +
                     overhead_s * static_cast<double>(a.steps),
          .call_seconds = step_flop / rate + overhead_s,
          .memory_bytes =
              16 * weights + std::max(numbers + 3 * L * attention(a.batch, a.context).memory_bytes,
                                      test_numbers + attention(1, longest).memory_bytes)};
}

Outcome LanguageModel::run(const Case& cell) const {
  const auto [a, options] = read_cell(cell.axes);
  at::set_num_threads(static_cast<int>(a.threads));
  const auto corpus = load_corpus(cell.corpus);
  const Recipe recipe = recipe_of(cell.axes, *corpus, spec_version());
  const Checkpoint checkpoint = obtain_model(recipe, *corpus, cell.directory, cell.progress);

  Outcome outcome;
  const auto texts = first_bytes(corpus->split(a.split), a.test_bytes);
  Series& perplexity = outcome.series["perplexity"] = {"context", "1", {}};
  Series& bits = outcome.series["bits_per_byte"] = {"context", "bit/byte", {}};
  TextLosses at_context;
  for (int64_t factor = 1; factor <= a.test_factor; factor *= 2) {
    const int64_t context = a.context * factor;
    cell.progress(fmt::format("scoring at context {}", context));
    TextLosses losses = score_texts(*checkpoint.model, checkpoint.tokenizer, texts, context);
    const double x = static_cast<double>(context);
    if (!std::isfinite(losses.total())) {
      throw CellFailure(Status::kNotFinite,
                        fmt::format("the loss at context {} is not finite", context));
    }
    perplexity.points.emplace_back(x, losses.perplexity_per(losses.bytes));
    bits.points.emplace_back(x, losses.bits_per_byte());
    if (factor == 1) at_context = std::move(losses);
  }

  const std::string token = a.tokenizer == TokenKind::kBytes ? "byte" : "token";
  const std::string unit = "bit/" + token;
  const auto block = find_mechanism(a.mechanism).create(options, setting_of(a), 0)->block();
  outcome.series["loss_by_position"] = {"position", unit, at_context.by_position()};
  outcome.series["loss_by_offset"] = {"offset", unit, at_context.by_offset(block)};
  outcome.series["loss_by_chunk"] = {"chunk", unit, at_context.by_chunk(kChunks)};
  outcome.series["training_loss"] = {
      "step", unit, training_curve(model_folder(recipe, cell.directory) / "curve.csv")};

  const auto scored = static_cast<int64_t>(at_context.nats.size());
  auto& metrics = outcome.metrics;
  metrics["bits_per_byte"] = seeded(at_context.bits_per_byte(), "bit/byte");
  metrics["perplexity_per_byte"] = seeded(at_context.perplexity_per(at_context.bytes), "1");
  metrics["perplexity_per_token"] = seeded(at_context.perplexity_per(scored), "1");
  metrics["perplexity_per_word"] = seeded(at_context.perplexity_per(at_context.words), "1");
  metrics["extrapolated_bits_per_byte"] = seeded(bits.points.back().second, "bit/byte");
  const json& training = checkpoint.training;
  metrics["parameters"] = fact(training.at("parameters"), "1");
  metrics["training_time"] = {training.at("seconds"), "s", Better::kLower, Kind::kTiming};
  metrics["tokens_per_second"] = {training.at("tokens_per_second"), "token/s", Better::kHigher,
                                  Kind::kTiming};
  add_floors(outcome, *corpus, texts);

  outcome.notes["model"] = recipe.id();
  outcome.notes["corpus"] = corpus->name;
  outcome.notes["tokens_trained"] = training.at("tokens");
  outcome.notes["tokens_scored"] = scored;
  outcome.notes["bytes_scored"] = at_context.bytes;
  outcome.notes["words_scored"] = at_context.words;
  outcome.notes["block"] = block;
  if (a.position_encoding == PositionEncoding::kRope) {
    outcome.notes["initialisation"] = "biases of W_Q and W_K start at 1 (rope)";
  }
  if (a.position_encoding == PositionEncoding::kLearned) {
    outcome.notes["positions"] = "beyond the trained context the last learned row is repeated";
  }
  return outcome;
}

}  // namespace lavo
