// SPDX-License-Identifier: MIT
#include "experiments/models/continue_text.h"

#include "lavo/core/check.h"

namespace lavo {
namespace {

/// Differences of logits are no smaller than this: below it nothing but the likeliest is drawn, and
/// logits over the temperature would leave the range of float32.
constexpr double kGreedyBelow = 1e-6;

/// Logits of the last token: streamed, or from the whole text again where there is no state.
class Continuation {
 public:
  explicit Continuation(Model& model) : model_(model) {
    try {
      state_ = model.new_state();
    } catch (const OptionError&) {
    }
  }

  Tensor last_logits(const Tensor& more) {
    seen_ = seen_.defined() ? torch::cat({seen_, more}, 1) : more;
    const Tensor logits = state_ ? model_.forward(more, *state_) : model_.forward(seen_);
    return logits[0].select(0, logits.size(1) - 1).to(torch::kCPU, torch::kFloat32);
  }

 private:
  Model& model_;
  std::optional<StreamState> state_;
  Tensor seen_;
};

}  // namespace

std::string continue_text(Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                          const SamplingOptions& options) {
  require<OptionError>(options.temperature >= 0, "temperature must be at least 0, got {}",
                       options.temperature);
  torch::NoGradGuard no_grad;
  model.eval();
  auto generator = make_generator(options.seed);
  std::vector<int64_t> tokens;
  for (const uint16_t token : tokenizer.encode(prompt.empty() ? "\n" : prompt)) {
    tokens.push_back(token);
  }
  Continuation continuation(model);
  Tensor next = torch::tensor(tokens, torch::kLong).unsqueeze(0);
  std::vector<int64_t> drawn;
  for (int64_t i = 0; i < options.tokens; ++i) {
    const Tensor logits = continuation.last_logits(next.to(model.device()));
    const Tensor token = options.temperature < kGreedyBelow
                             ? logits.argmax(0, /*keepdim=*/true)
                             : torch::multinomial(torch::softmax(logits / options.temperature, 0),
                                                  1, /*replacement=*/false, generator);
    drawn.push_back(token.item<int64_t>());
    next = token.view({1, 1});
  }
  return tokenizer.decode(drawn);
}

}  // namespace lavo
