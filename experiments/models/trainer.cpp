// SPDX-License-Identifier: MIT
#include "experiments/models/trainer.h"

#include <ATen/autocast_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "experiments/experiment.h"
#include "experiments/models/checkpoint.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr int64_t kReportEvery = 20;  // steps between two looks at the device

// What a resume file holds beside the model.
constexpr auto kLosses = "losses", kSeconds = "seconds", kIdentity = "identity";
const std::vector<std::string> kTrainersTensors = {"adam.", kLosses, kSeconds, kIdentity};

Tensor as_tensor(const std::string& text) {
  Tensor bytes = torch::empty({static_cast<int64_t>(text.size())}, torch::kUInt8);
  std::ranges::copy(text, bytes.data_ptr<uint8_t>());
  return bytes;
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// bfloat16 products inside a scope.
class Autocast {
 public:
  Autocast(torch::Device device, bool enabled) : type_(device.type()), enabled_(enabled) {
    if (!enabled_) return;
    at::autocast::set_autocast_dtype(type_, torch::kBFloat16);
    at::autocast::set_autocast_enabled(type_, true);
  }
  ~Autocast() {
    if (!enabled_) return;
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(type_, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  torch::DeviceType type_;
  bool enabled_;
};

class Trainer {
 public:
  Trainer(Model& model, const Task& task, const TrainingOptions& options,
          const TrainingHooks& hooks)
      : model_(model),
        task_(task),
        options_(options),
        hooks_(hooks),
        optimizer_(model, options.optimizer),
        pending_(torch::zeros({kReportEvery}, torch::TensorOptions(model.device()))) {
    restore();
    batches_ =
        task.batches({.batch = options.batch, .context = options.context, .seed = options.seed},
                     model.device(), step() * options.accumulate);
  }

  TrainingResult run() {
    model_.train();
    double started = now_s(), saved = started;
    for (int64_t taken = 0; step() < options_.steps;) {
      take_step(step() + taken, taken);
      ++taken;
      if (taken < kReportEvery && step() + taken < options_.steps) continue;
      read_losses(taken, now_s() - started);
      result_.seconds += now_s() - started;
      started = now_s();
      taken = 0;
      if (started - saved >= hooks_.save_every_s && step() < options_.steps) {
        save();
        saved = started;
      }
    }
    model_.eval();
    return std::move(result_);
  }

 private:
  int64_t step() const { return static_cast<int64_t>(result_.losses.size()); }

  void take_step(int64_t step, int64_t slot) {
    for (int64_t part = 0; part < options_.accumulate; ++part) {
      const Batch batch = batches_->next();
      Tensor loss;
      {
        const Autocast autocast(model_.device(), options_.autocast);
        loss = task_.loss(model_, batch) / static_cast<double>(options_.accumulate);
      }
      loss.backward();
      pending_[slot] += loss.detach();
    }
    optimizer_.step(scheduled_rate(options_.learning_rate, step, options_.warmup, options_.steps));
  }

  void read_losses(int64_t count, double seconds) {
    const Tensor losses =
        pending_.narrow(0, 0, count).to(torch::kCPU, torch::kFloat32, false, /*copy=*/true);
    pending_.zero_();
    const std::span<const float> values(losses.data_ptr<float>(), static_cast<size_t>(count));
    const int64_t first = step();
    for (const float loss : values) {
      if (!std::isfinite(loss)) {
        throw CellFailure(Status::kNotFinite, fmt::format("the loss is {} at step {} of {}", loss,
                                                          step() + 1, options_.steps));
      }
      result_.losses.push_back(loss);
    }
    const int64_t tokens = count * options_.accumulate * options_.batch * options_.context;
    if (hooks_.report) hooks_.report(first, values, static_cast<double>(tokens) / seconds);
  }

  void save() const {
    if (hooks_.resume.empty()) return;
    NamedTensors tensors = module_tensors(model_);
    optimizer_.save(tensors);
    tensors[kLosses] = torch::tensor(result_.losses);
    tensors[kSeconds] = torch::tensor(result_.seconds, torch::kFloat64);
    tensors[kIdentity] = as_tensor(hooks_.identity);
    for (auto& [name, value] : tensors) value = value.to(torch::kCPU);
    write_safetensors(hooks_.resume, tensors);
  }

  /// Throws InputError where the file is not one of this training, before anything is taken from
  /// it.
  void check_resumable(const NamedTensors& tensors) const {
    const std::string file = hooks_.resume.string();
    NamedTensors own;
    optimizer_.save(own);
    own[kSeconds] = torch::zeros({}, torch::kFloat64);
    for (const auto& [name, like] : own) require_tensor(tensors, name, like, file);
    check_module(model_, tensors, file, kTrainersTensors);
    const auto losses = tensors.find(kLosses), identity = tensors.find(kIdentity);
    require<InputError>(losses != tensors.end() && losses->second.dim() == 1 &&
                            losses->second.scalar_type() == torch::kFloat32 &&
                            losses->second.size(0) <= options_.steps,
                        "{}: '{}' is not a list of at most {} losses", file, kLosses,
                        options_.steps);
    require<InputError>(
        identity == tensors.end() || identity->second.equal(as_tensor(hooks_.identity)),
        "{}: belongs to the training of another model", file);
  }

  void restore() {
    if (hooks_.resume.empty() || !std::filesystem::exists(hooks_.resume)) return;
    NamedTensors tensors;
    try {
      tensors = read_safetensors(hooks_.resume);
      check_resumable(tensors);
    } catch (const InputError& error) {
      hooks_.warn(put_aside(hooks_.resume, error.what()));
      return;
    }
    load_module(model_, tensors, hooks_.resume.string(), kTrainersTensors);
    optimizer_.load(tensors);
    const Tensor& losses = tensors.at(kLosses);
    result_.losses.assign(losses.data_ptr<float>(), losses.data_ptr<float>() + losses.numel());
    result_.seconds = tensors.at(kSeconds).item<double>();
    for (const auto& module : model_.modules(/*include_self=*/false)) {
      auto* mechanism = dynamic_cast<Mechanism*>(module.get());
      if (mechanism) mechanism->resume_training(step() * options_.accumulate);
    }
  }

  Model& model_;
  const Task& task_;
  const TrainingOptions& options_;
  const TrainingHooks& hooks_;
  AdamW optimizer_;
  Tensor pending_;  ///< losses of the steps since the last report, on the device
  TrainingResult result_;
  std::unique_ptr<BatchSource> batches_;
};

}  // namespace

TrainingResult train(Model& model, const Task& task, const TrainingOptions& options,
                     const TrainingHooks& hooks) {
  return Trainer(model, task, options, hooks).run();
}

}  // namespace lavo
