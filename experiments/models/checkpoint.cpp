// SPDX-License-Identifier: MIT
#include "experiments/models/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/sha256.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;
constexpr auto kSchema = "lavo.model/1";

template <class Use>
void for_each_tensor(const torch::nn::Module& module, Use use) {
  for (const auto& item : module.named_parameters()) use(item.key(), item.value());
  for (const auto& item : module.named_buffers()) {
    if (item.value().defined()) use(item.key(), item.value());
  }
}

json describe_model(const Checkpoint& c, const std::string& weights) {
  json about = {{"schema", kSchema},
                {"model", write_options(c.model->options())},
                {"mechanism_options", c.mechanism_options},
                {"weights_sha256", weights},
                {"training", c.training}};
  if (c.tokenizer) {
    json& merges = about["merges"] = json::array();
    for (const auto& [left, right] : c.tokenizer->merges()) merges.push_back({left, right});
  }
  return about;
}

/// The tensors, which must be those that were described. Models written before there was a digest
/// have none.
NamedTensors read_weights(const fs::path& file, const json& about) {
  const std::string bytes = read_text(file);
  const std::string wanted = about.value("weights_sha256", "");
  require<InputError>(wanted.empty() || sha256(bytes) == wanted,
                      "{}: not the weights that model.json beside it describes", file.string());
  return parse_safetensors(bytes, file.string());
}

}  // namespace

NamedTensors module_tensors(const torch::nn::Module& module) {
  NamedTensors tensors;
  for_each_tensor(module, [&](const std::string& name, const Tensor& value) {
    tensors[name] = value.detach().to(torch::kCPU).contiguous();
  });
  return tensors;
}

const Tensor& require_tensor(const NamedTensors& tensors, const std::string& name,
                             const Tensor& like, const std::string& source) {
  const auto found = tensors.find(name);
  require<InputError>(found != tensors.end(), "{}: tensor '{}' is missing", source, name);
  const Tensor& given = found->second;
  require<InputError>(given.sizes() == like.sizes() && given.scalar_type() == like.scalar_type(),
                      "{}: tensor '{}' is {} [{}], wanted {} [{}]", source, name,
                      toString(given.scalar_type()), fmt::join(given.sizes(), ", "),
                      toString(like.scalar_type()), fmt::join(like.sizes(), ", "));
  return given;
}

void check_module(const torch::nn::Module& module, const NamedTensors& tensors,
                  const std::string& source, const std::vector<std::string>& others) {
  std::vector<std::string> names;
  for_each_tensor(module, [&](const std::string& name, const Tensor& value) {
    require_tensor(tensors, name, value, source);
    names.push_back(name);
  });
  for (const auto& [name, value] : tensors) {
    const bool known = std::ranges::find(names, name) != names.end() ||
                       std::ranges::any_of(others, [&, &key = name](const std::string& prefix) {
                         return key.starts_with(prefix);
                       });
    if (!known) fail<InputError>("{}: {}", source, unknown_name("tensor", name, names));
  }
}

void load_module(torch::nn::Module& module, const NamedTensors& tensors, const std::string& source,
                 const std::vector<std::string>& others) {
  check_module(module, tensors, source, others);
  torch::NoGradGuard no_grad;
  for_each_tensor(module,
                  [&](const std::string& name, Tensor value) { value.copy_(tensors.at(name)); });
}

void save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  const fs::path weights = folder / "model.safetensors";
  write_safetensors(weights, module_tensors(*checkpoint.model));
  const json about = describe_model(checkpoint, sha256(read_text(weights)));
  write_atomically(folder / "model.json", about.dump(2) + "\n");
}

Checkpoint load_checkpoint(const fs::path& path) {
  require<InputError>(fs::exists(path), "checkpoint {}: there is no such file or folder",
                      path.string());
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  const fs::path about_file = folder / "model.json";
  const json about = read_json(about_file);
  try {
    require<InputError>(about.at("schema") == kSchema, "{}: schema is {}, wanted {}",
                        about_file.string(), about.at("schema").dump(), kSchema);
    const auto options = read_options<TransformerOptions>(about_file.string(), about.at("model"));
    Checkpoint checkpoint;
    checkpoint.mechanism_options = about.at("mechanism_options");
    checkpoint.training = about.at("training");
    if (about.contains("merges")) {
      checkpoint.tokenizer = Tokenizer(about["merges"].get<std::vector<Tokenizer::Merge>>());
      require<InputError>(checkpoint.tokenizer->vocabulary() == options.vocabulary,
                          "{}: {} tokens in the merges, {} in the model", about_file.string(),
                          checkpoint.tokenizer->vocabulary(), options.vocabulary);
    }
    checkpoint.model = std::make_shared<Transformer>(options, checkpoint.mechanism_options, 0);
    const fs::path weights = folder / "model.safetensors";
    load_module(*checkpoint.model, read_weights(weights, about), weights.string());
    checkpoint.model->eval();
    return checkpoint;
  } catch (const json::exception& error) {
    const std::string text = error.what();  // "[json.exception.out_of_range.403] key ..."
    fail<InputError>("{}: not a checkpoint's description: {}", about_file.string(),
                     text.substr(text.find(' ') + 1));
  }
}

std::string put_aside(const fs::path& path, const std::string& reason) {
  const fs::path aside = path.string() + ".unusable";
  std::error_code error;
  fs::rename(path, aside, error);
  if (error && fs::exists(path)) {  // an older one stands there
    fs::remove_all(aside, error);
    fs::rename(path, aside, error);
  }
  // Another process may have been faster: then there is nothing left to move.
  require<InputError>(!error || !fs::exists(path), "{}: and it cannot be put aside: {}", reason,
                      error.message());
  return fmt::format("{}: put aside as {}", reason, aside.filename().string());
}

}  // namespace lavo
