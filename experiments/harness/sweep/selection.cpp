// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/selection.h"

#include <charconv>
#include <cstdlib>

#include "lavo/core/check.h"
#include "lavo/core/files.h"

namespace lavo {
namespace {

std::pair<std::string, std::string> split_pair(const std::string& text, const char* option,
                                               const char* example) {
  const size_t at = text.find('=');
  require<InputError>(at != std::string::npos && at > 0 && at + 1 < text.size(),
                      "{}: got '{}', wanted {}", option, text, example);
  require_utf8(option, text);
  return {text.substr(0, at), text.substr(at + 1)};
}

/// A JSON scalar, else text as it stands.
json scalar(const std::string& text) {
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_number() || value.is_boolean() || value.is_string() ? value : json(text);
}

std::optional<int64_t> to_integer(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::optional<int64_t> variable(const char* name) {
  const char* text = std::getenv(name);
  if (!text || !*text) return {};
  const auto number = to_integer(text);
  require<InputError>(number.has_value(), "{}: got '{}', wanted an integer", name, text);
  return number;
}

/// Rank and size from a pair of variables; nothing unless both are set.
std::optional<Shard> ranked(const char* rank_name, const char* size_name) {
  const auto rank = variable(rank_name), size = variable(size_name);
  if (!rank || !size) return {};
  require<InputError>(*rank >= 0 && *rank < *size, "{}: got {} of {} ({}), wanted 0 ... {}",
                      rank_name, *rank, *size, size_name, *size - 1);
  return Shard{*rank + 1, *size};
}

Shard array_job() {
  const auto id = variable("SLURM_ARRAY_TASK_ID"), count = variable("SLURM_ARRAY_TASK_COUNT");
  if (!id || !count) return {};
  const int64_t index = *id - variable("SLURM_ARRAY_TASK_MIN").value_or(0);
  require<InputError>(index >= 0 && index < *count,
                      "SLURM_ARRAY_TASK_ID: got {} of {} jobs; an array with gaps needs --shard",
                      *id, *count);
  return {index + 1, *count};
}

Shard rank_of_launcher() {
  // In a batch script Slurm sets SLURM_PROCID=0 and SLURM_NTASKS although only one process runs
  // there: the variables mean ranks only inside a step.
  const bool is_batch_script = std::getenv("SLURM_JOB_ID") && !std::getenv("SLURM_STEP_ID");
  if (!is_batch_script) {
    if (const auto shard = ranked("SLURM_PROCID", "SLURM_NTASKS")) return *shard;
  }
  if (const auto shard = ranked("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")) return *shard;
  return ranked("RANK", "WORLD_SIZE").value_or(Shard{});
}

}  // namespace

std::string Shard::text() const { return fmt::format("{}/{}", index, count); }

Axis parse_axis(const std::string& text) {
  const auto [name, list] = split_pair(text, "--axis", "NAME=VALUE,VALUE");
  Axis axis{name, {}, "--axis " + name, true};
  char quote = 0;
  std::string word;
  for (const char c : list + ",") {
    if (c == ',' && !quote) {
      require<InputError>(!word.empty(), "--axis {}: got '{}', which has an empty value", name,
                          list);
      axis.values.push_back(scalar(word));
      word.clear();
      continue;
    }
    if (c == '"') quote = quote ? 0 : c;
    word += c;
  }
  require<InputError>(!quote, "--axis {}: got '{}', which has no closing quote", name, list);
  return axis;
}

Axis parse_setting(const std::string& text) {
  const auto [name, value] = split_pair(text, "--set", "NAME=VALUE");
  return {name, {scalar(value)}, "--set " + name};
}

Shard choose_shard(const std::string& text) {
  if (text.empty()) return array_job();
  if (text == "auto") {
    const Shard job = array_job(), rank = rank_of_launcher();
    return {(job.index - 1) * rank.count + rank.index, job.count * rank.count};
  }
  const size_t at = text.find('/');
  const auto index = to_integer(text.substr(0, at));
  const auto count = to_integer(at == std::string::npos ? "" : text.substr(at + 1));
  require<InputError>(index && count && *index >= 1 && *index <= *count,
                      "--shard: got '{}', wanted i/n with 1 <= i <= n, or auto", text);
  return {*index, *count};
}

std::string Device::text() const {
  return type == "cpu" ? type : fmt::format("{}:{}", type, index);
}

Device parse_device(const std::string& text) {
  const size_t at = text.find(':');
  Device device{text.substr(0, at), 0};
  const auto index = at == std::string::npos ? 0 : to_integer(text.substr(at + 1));
  const bool known = device.type == "cuda" || text == "cpu";
  require<InputError>(known && index && *index >= 0 && *index < 1024,
                      "--device: got '{}', wanted cpu, cuda or cuda:0{}", text,
                      did_you_mean(text, {"cpu", "cuda"}));
  device.index = static_cast<int>(*index);
  return device;
}

}  // namespace lavo
