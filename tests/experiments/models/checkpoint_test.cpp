// SPDX-License-Identifier: MIT
#include "experiments/models/checkpoint.h"

#include "experiments/models/continue_text.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace lavo;

namespace {

Checkpoint small_checkpoint() {
  Checkpoint c;
  c.tokenizer = Tokenizer({{'a', 'b'}, {256, 'c'}});
  c.mechanism_options = {{"window", 4}};
  c.training = {{"seconds", 1.5}};
  const TransformerOptions options{.mechanism = "local",
                                   .position_encoding = PositionEncoding::kLearned,
                                   .vocabulary = 258,
                                   .width = 16,
                                   .context = 12};
  c.model = std::make_shared<Transformer>(options, c.mechanism_options, 9);
  return c;
}

std::string checkpoint_refusal(const std::filesystem::path& path) {
  try {
    load_checkpoint(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a checkpoint comes back bit by bit, by its folder or either file") {
  const Scratch folder;
  const Checkpoint saved = small_checkpoint();
  save_checkpoint(folder.path(), saved);
  const Tensor tokens = torch::arange(20, torch::kLong).unsqueeze(0) * 12;
  for (const char* name : {"", "model.json", "model.safetensors"}) {
    const Checkpoint loaded = load_checkpoint(folder.path() / name);
    CHECK(loaded.model->forward(tokens).equal(saved.model->forward(tokens)));
    CHECK(loaded.tokenizer->merges() == saved.tokenizer->merges());
    CHECK(loaded.mechanism_options == saved.mechanism_options);
    CHECK(loaded.training == saved.training);
  }
}

TEST_CASE("a checkpoint that is not whole is refused with its file") {
  const Scratch folder;
  CHECK_THAT(checkpoint_refusal(folder.path() / "none"), ContainsSubstring("no such file"));
  CHECK_THAT(checkpoint_refusal(folder.path()), ContainsSubstring("model.json"));
  save_checkpoint(folder.path(), small_checkpoint());
  const auto file = folder.path() / "model.json";
  const json whole = read_json(file);
  const auto with = [&](auto change) {
    json about = whole;
    change(about);
    write_atomically(file, about.dump());
    return checkpoint_refusal(folder.path());
  };
  CHECK_THAT(with([](json& j) { j["schema"] = "other/1"; }), ContainsSubstring("lavo.model/1"));
  CHECK_THAT(with([](json& j) { j.erase("model"); }), ContainsSubstring("not a checkpoint's"));
  CHECK_THAT(with([](json& j) { j["model"]["width"] = 32; }),
             ContainsSubstring("model.safetensors: tensor"));
  CHECK_THAT(with([](json& j) { j["model"]["layers"] = 3; }),
             ContainsSubstring("'layer2.") && ContainsSubstring("missing"));
  CHECK_THAT(with([](json& j) { j["model"]["layers"] = 1; }), ContainsSubstring("unknown tensor"));
  CHECK_THAT(with([](json& j) { j["model"]["mechanism"] = "locla"; }),
             ContainsSubstring("did you mean 'local'"));
  CHECK_THAT(with([](json& j) { j["merges"] = {{1, 2}}; }), ContainsSubstring("257 tokens"));
  CHECK_THAT(with([](json& j) { j["merges"] = "none"; }), ContainsSubstring("not a checkpoint's"));
  CHECK(with([](json&) {}) == "accepted");
}

TEST_CASE("the same seed continues a text in the same way, streamed or not") {
  const Checkpoint c = small_checkpoint();
  const SamplingOptions options{.tokens = 30, .temperature = 1, .seed = 1};
  const std::string text = continue_text(*c.model, *c.tokenizer, "abc abc", options);
  CHECK(text == continue_text(*c.model, *c.tokenizer, "abc abc", options));
  CHECK(text != continue_text(*c.model, *c.tokenizer, "abc abc",
                              {.tokens = 30, .temperature = 1, .seed = 2}));
  CHECK(continue_text(*c.model, *c.tokenizer, "", {.tokens = 0}) == "");
  const auto coldest = [&](double temperature, uint64_t seed) {
    return continue_text(*c.model, *c.tokenizer, "a",
                         {.tokens = 30, .temperature = temperature, .seed = seed});
  };
  CHECK(coldest(1e-300, 1) == coldest(0, 2));
  CHECK_THROWS_AS(continue_text(*c.model, *c.tokenizer, "a", {.tokens = 1, .temperature = -1}),
                  OptionError);
}
