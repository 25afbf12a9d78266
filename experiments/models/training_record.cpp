// SPDX-License-Identifier: MIT
#include "experiments/models/training_record.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "lavo/core/files.h"

namespace lavo {
namespace {

constexpr int64_t kCurvePoints = 100;

/// Training losses in bits, averaged into at most kCurvePoints points.
std::vector<std::pair<double, double>> training_curve(const std::filesystem::path& csv) {
  std::vector<double> losses;
  const std::string text = read_text(csv);
  for (size_t line = text.find('\n') + 1; line < text.size(); line = text.find('\n', line) + 1) {
    const char* number = text.data() + text.find(',', line) + 1;
    std::from_chars(number, text.data() + text.size(), losses.emplace_back());
  }
  const size_t width = (losses.size() + kCurvePoints - 1) / kCurvePoints;
  std::vector<std::pair<double, double>> points;
  for (size_t begin = 0; begin < losses.size(); begin += width) {
    const size_t end = std::min(begin + width, losses.size());
    const double sum = std::accumulate(losses.begin() + static_cast<std::ptrdiff_t>(begin),
                                       losses.begin() + static_cast<std::ptrdiff_t>(end), 0.0);
    points.emplace_back(static_cast<double>(end), to_bits(sum / static_cast<double>(end - begin)));
  }
  return points;
}

}  // namespace

void add_training(Outcome& outcome, const Recipe& recipe, const Checkpoint& checkpoint,
                  const fs::path& run, const std::string& loss_unit) {
  const json& training = checkpoint.training;
  outcome.metrics["parameters"] = {training.at("parameters"), "1", Better::kNone, Kind::kExact};
  outcome.metrics["training_time"] = {training.at("seconds"), "s", Better::kLower, Kind::kTiming};
  outcome.metrics["tokens_per_second"] = {training.at("tokens_per_second"), "token/s",
                                          Better::kHigher, Kind::kTiming};
  outcome.series["training_loss"] = {"step", loss_unit,
                                     training_curve(model_folder(recipe, run) / "curve.csv")};
  outcome.notes["model"] = recipe.id();
  outcome.notes["tokens_trained"] = training.at("tokens");
}

}  // namespace lavo
