// SPDX-License-Identifier: MIT
#include "experiments/models/trained_model.h"

#include <unistd.h>

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

struct Trained {
  Checkpoint checkpoint;
  std::vector<float> losses;
};

TrainingHooks hooks_of(const Recipe& recipe, EventFile& events, const fs::path& resume,
                       const Progress& progress) {
  const auto report = [&, started = false](int64_t first, std::span<const float> values,
                                           double tokens_per_second) mutable {
    if (!started) events.session_start(first + 1);
    started = true;
    for (size_t i = 0; i < values.size(); ++i) {
      events.scalar("loss/train", first + static_cast<int64_t>(i) + 1, values[i]);
    }
    const int64_t step = first + static_cast<int64_t>(values.size());
    events.scalar("speed/tokens_per_second", step, static_cast<float>(tokens_per_second));
    events.flush();
    progress(fmt::format("step {}/{}, {:.3f} bit/token, {:.0f} token/s", step,
                         recipe.training.steps, to_bits(static_cast<double>(values.back())),
                         tokens_per_second));
  };
  return {.report = report, .resume = resume, .identity = recipe.id(), .warn = progress};
}

Trained train_model(const Recipe& recipe, const Prepare& prepare, const fs::path& events_folder,
                    const fs::path& resume, const Progress& progress) {
  Checkpoint checkpoint;
  checkpoint.mechanism_options = recipe.mechanism_options;
  const std::unique_ptr<Task> task = prepare(checkpoint.tokenizer);
  TransformerOptions options = recipe.model;
  if (checkpoint.tokenizer) options.vocabulary = checkpoint.tokenizer->vocabulary();
  checkpoint.model =
      std::make_shared<Transformer>(options, recipe.mechanism_options, recipe.training.seed);
  checkpoint.model->to(recipe.device);

  EventFile events(events_folder);
  TrainingResult result =
      train(*checkpoint.model, *task, recipe.training, hooks_of(recipe, events, resume, progress));
  const TrainingOptions& t = recipe.training;
  const int64_t tokens = t.steps * t.accumulate * t.batch * t.context;
  checkpoint.training = {{"identity", recipe.identity},
                         {"corpus", recipe.data},
                         {"tokens", tokens},
                         {"seconds", result.seconds},
                         {"tokens_per_second", static_cast<double>(tokens) / result.seconds},
                         {"parameters", parameter_count(*checkpoint.model)}};
  return {std::move(checkpoint), std::move(result.losses)};
}

}  // namespace

std::string Recipe::id() const { return sha256(identity.dump()).substr(0, 16); }

fs::path model_folder(const Recipe& recipe, const fs::path& run) {
  return run / "models" / recipe.id();
}

namespace {

/// Throws InputError where the folder holds another model than the recipe's.
Checkpoint load_own(const Recipe& recipe, const fs::path& folder) {
  require<InputError>(fs::exists(folder / "curve.csv"), "{}: has no curve.csv", folder.string());
  Checkpoint checkpoint = load_checkpoint(folder);
  TransformerOptions wanted = recipe.model;
  if (checkpoint.tokenizer) wanted.vocabulary = checkpoint.tokenizer->vocabulary();
  require<InputError>(checkpoint.training.value("identity", json()) == recipe.identity &&
                          write_options(checkpoint.model->options()) == write_options(wanted) &&
                          checkpoint.mechanism_options == recipe.mechanism_options,
                      "{}: holds the model of other axes or data", folder.string());
  return checkpoint;
}

void train_into(const fs::path& folder, const Recipe& recipe, const Prepare& prepare,
                const fs::path& run, const Progress& progress) {
  fs::create_directories(folder.parent_path());
  const fs::path resume = folder.string() + ".resume.safetensors";
  const Trained trained =
      train_model(recipe, prepare, run / "tensorboard" / recipe.id(), resume, progress);
  const fs::path draft = folder.string() + fmt::format(".{}.tmp", ::getpid());
  fs::create_directories(draft);
  save_checkpoint(draft, trained.checkpoint);
  write_atomically(draft / "curve.csv", curve_csv(recipe, trained.losses));
  std::error_code error;
  fs::rename(draft, folder, error);
  if (error) {  // another process was faster, or the disk refuses
    fs::remove_all(draft);
    require<InputError>(fs::exists(folder), "{}: cannot be written: {}", folder.string(),
                        error.message());
  }
  fs::remove(resume);
}

}  // namespace

Checkpoint obtain_model(const Recipe& recipe, const Prepare& prepare, const fs::path& run,
                        const Progress& progress) {
  const fs::path folder = model_folder(recipe, run);
  std::optional<Checkpoint> checkpoint;
  if (fs::exists(folder)) {
    try {
      checkpoint = load_own(recipe, folder);
    } catch (const Error& error) {
      progress(put_aside(folder, error.what()) + ", trained again");
    }
  }
  if (!checkpoint) {
    train_into(folder, recipe, prepare, run, progress);
    checkpoint = load_own(recipe, folder);
  }
  checkpoint->model->to(recipe.device);
  return *checkpoint;
}

}  // namespace lavo
