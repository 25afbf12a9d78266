// SPDX-License-Identifier: MIT
#include "experiments/models/trained_model.h"

#include <unistd.h>

#include <cmath>

#include "experiments/models/event_file.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/sha256.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;

std::string curve_csv(const Recipe& recipe, const std::vector<float>& losses) {
  const TrainingOptions& o = recipe.training;
  std::string text = "step,loss_nats_per_token,learning_rate\n";
  for (size_t i = 0; i < losses.size(); ++i) {
    text +=
        fmt::format("{},{},{:.6g}\n", i + 1, losses[i],
                    scheduled_rate(o.learning_rate, static_cast<int64_t>(i), o.warmup, o.steps));
  }
  return text;
}

Checkpoint train_model(const Recipe& recipe, const Corpus& corpus, const fs::path& models,
                       const std::function<void(const std::string&)>& progress,
                       std::vector<float>& losses) {
  Checkpoint checkpoint;
  checkpoint.mechanism_options = recipe.mechanism_options;
  if (recipe.bpe_vocabulary > 0) {
    progress("training the tokenizer");
    checkpoint.tokenizer = Tokenizer::train(corpus.split(Split::kTrain), recipe.bpe_vocabulary);
  }
  const std::vector<TokenText> texts = tokenize(corpus.split(Split::kTrain), checkpoint.tokenizer);
  TransformerOptions options = recipe.model;
  options.vocabulary = checkpoint.tokenizer.vocabulary();
  checkpoint.model =
      std::make_shared<Transformer>(options, recipe.mechanism_options, recipe.training.seed);
  checkpoint.model->to(recipe.device);

  EventFile events(models / ".." / "tensorboard" / recipe.id());
  const TrainingHooks hooks{
      .report =
          [&](int64_t first, std::span<const float> values, double tokens_per_second) {
            for (size_t i = 0; i < values.size(); ++i) {
              events.scalar("loss/train", first + static_cast<int64_t>(i) + 1, values[i]);
            }
            const int64_t step = first + static_cast<int64_t>(values.size());
            events.scalar("speed/tokens_per_second", step, static_cast<float>(tokens_per_second));
            events.flush();
            progress(fmt::format(
                "step {}/{}, {:.3f} bit/token, {:.0f} token/s", step, recipe.training.steps,
                static_cast<double>(values.back()) / std::log(2.0), tokens_per_second));
          },
      .resume = models / (recipe.id() + ".resume.safetensors")};
  TrainingResult result = train(*checkpoint.model, texts, recipe.training, hooks);
  const TrainingOptions& t = recipe.training;
  const int64_t tokens = t.steps * t.accumulate * t.batch * t.context;
  checkpoint.training = {{"identity", recipe.identity},
                         {"corpus", corpus.name},
                         {"tokens", tokens},
                         {"seconds", result.seconds},
                         {"tokens_per_second", static_cast<double>(tokens) / result.seconds},
                         {"parameters", parameter_count(*checkpoint.model)}};
  losses = std::move(result.losses);
  return checkpoint;
}

}  // namespace

std::string Recipe::id() const { return sha256(identity.dump()).substr(0, 16); }

Checkpoint obtain_model(const Recipe& recipe, const Corpus& corpus, const fs::path& models,
                        const std::function<void(const std::string&)>& progress) {
  const fs::path folder = models / recipe.id();
  if (!fs::exists(folder)) {
    const fs::path draft = models / fmt::format("{}.{}.tmp", recipe.id(), ::getpid());
    fs::create_directories(draft);
    std::vector<float> losses;
    save_checkpoint(draft, train_model(recipe, corpus, models, progress, losses));
    write_atomically(draft / "curve.csv", curve_csv(recipe, losses));
    std::error_code error;
    fs::rename(draft, folder, error);
    if (error) {
      fs::remove_all(draft);
      require<InputError>(fs::exists(folder), "{}: cannot be written: {}", folder.string(),
                          error.message());
    }
  }
  Checkpoint checkpoint = load_checkpoint(folder);
  checkpoint.model->to(recipe.device);
  return checkpoint;
}

}  // namespace lavo
