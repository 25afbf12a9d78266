// SPDX-License-Identifier: MIT
#include "experiments/recall/recall_data.h"

#include "experiments/models/task.h"

namespace lavo {
namespace {

// Parts of the seed's number space.
constexpr uint64_t kEmbeddingStream = 0x656d'6265'6400'0000;
constexpr uint64_t kTrainedStream = 0x7472'6169'6e00'0000, kTestedStream = 0x7465'7374'0000'0000;

/// Random unit vectors, and a row of zeros behind them.
Tensor unit_rows(int64_t rows, int64_t width, at::Generator& generator, torch::Device device) {
  const Tensor drawn = torch::randn({rows, width}, generator, torch::kFloat64);
  const Tensor unit = drawn / drawn.norm(2, 1, /*keepdim=*/true);
  return torch::cat({unit, torch::zeros({1, width}, torch::kFloat64)}, 0)
      .to(device, torch::kFloat32);
}

}  // namespace

RecallData::RecallData(const RecallTask& task, const RecallSizes& sizes, int64_t half,
                       uint64_t seed, torch::Device device)
    : task_(task), sizes_(sizes), seed_(seed) {
  auto generator = make_generator(mix(seed ^ kEmbeddingStream));
  all_keys_ = unit_rows(sizes.keys, half, generator, device);
  all_values_ = unit_rows(sizes.values, half, generator, device);
  value_embedding_ = all_values_.narrow(0, 0, sizes.values);
}

RecallBatch RecallData::training_batch(int64_t i, int64_t sequences) const {
  return batch(kTrainedStream, i, sequences);
}

RecallBatch RecallData::test_batch(int64_t i, int64_t sequences) const {
  return batch(kTestedStream, i, sequences);
}

RecallBatch RecallData::batch(uint64_t stream, int64_t i, int64_t sequences) const {
  const int64_t T = task_.length(sizes_);
  std::vector<int64_t> keys, values, asked, answers;
  for (int64_t row = i * sequences; row < (i + 1) * sequences; ++row) {
    const uint64_t seed = mix(seed_ ^ stream) ^ static_cast<uint64_t>(row);
    for (const RecallPosition& position : task_.draw(sizes_, seed)) {
      if (position.answer != kNothing) {
        asked.push_back(static_cast<int64_t>(keys.size()));
        answers.push_back(position.answer);
      }
      keys.push_back(position.key == kNothing ? sizes_.keys : position.key);
      values.push_back(position.value == kNothing ? sizes_.values : position.value);
    }
  }
  const auto device = all_keys_.device();
  const auto rows = [&](const Tensor& embedding, const std::vector<int64_t>& of) {
    return embedding.index_select(0, torch::tensor(of).to(device)).view({sequences, T, -1});
  };
  return {torch::cat({rows(all_keys_, keys), rows(all_values_, values)}, 2),
          torch::tensor(asked).to(device), torch::tensor(answers).to(device)};
}

RecallScore RecallData::score(const Logits& logits, int64_t batches, int64_t sequences) const {
  torch::NoGradGuard no_grad;
  double right = 0, nats = 0, answers = 0;
  for (int64_t i = 0; i < batches; ++i) {
    const RecallBatch asked = test_batch(i, sequences);
    const Tensor said = logits(asked);
    right += said.argmax(-1).eq(asked.answer).sum().item<double>();
    nats += at::cross_entropy_loss(said, asked.answer, {}, at::Reduction::Sum).item<double>();
    answers += static_cast<double>(asked.answer.numel());
  }
  return {right / answers, to_bits(nats / answers)};
}

}  // namespace lavo
