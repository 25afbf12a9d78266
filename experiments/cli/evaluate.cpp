// SPDX-License-Identifier: MIT
#include <ATen/Parallel.h>

#include <cmath>

#include "experiments/cli/command.h"
#include "experiments/data/corpus.h"
#include "experiments/harness/sweep/selection.h"
#include "experiments/models/checkpoint.h"
#include "experiments/models/continue_text.h"
#include "experiments/models/scoring.h"
#include "experiments/place.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

/// What --set can say.
struct Settings {
  std::string corpus;
  Split split = Split::kTest;
  int64_t test_bytes = 65536;

  void visit(OptionVisitor& v) {
    v.text("corpus", corpus,
           "file or folder of text; empty: the novels that come with the project");
    v.choice("split", split, kSplits, "documents to score");
    v.integer("test_bytes", test_bytes, between(2, 1e15), "of the split's text that are scored");
  }
};

constexpr int64_t kLongestContext = 1 << 24;  ///< tokens, as of the axis `context`

struct EvaluateArguments {
  std::string checkpoint, device = "cpu", prompt;
  std::vector<std::string> sets;
  std::vector<int64_t> contexts;
  SamplingOptions sample;
  int64_t threads = 0;
  int64_t seed = 0;
  bool as_json = false;
};

Settings read_settings(const std::vector<std::string>& sets) {
  json given = json::object();
  for (const std::string& text : sets) {
    const Axis setting = parse_setting(text);
    const json& value = setting.values.front();
    // A folder may be called 2024: what looks like a number is text here.
    given[setting.name] =
        setting.name == "corpus" && !value.is_string() ? json(value.dump()) : value;
  }
  return read_options<Settings>("evaluate", given, "setting");
}

json measure(const Checkpoint& c, const Settings& settings, const Corpus& corpus,
             const std::vector<int64_t>& contexts) {
  const auto texts = first_bytes(corpus.split(settings.split), settings.test_bytes);
  json rows = json::array();
  for (const int64_t context : contexts) {
    const TextLosses losses = score_texts(*c.model, *c.tokenizer, texts, context);
    rows.push_back({{"context", context},
                    {"bits_per_byte", losses.bits_per_byte()},
                    {"perplexity_per_byte", losses.perplexity_per(losses.bytes)},
                    {"bytes", losses.bytes},
                    {"words", losses.words}});
    // A text without white space is one word, whose perplexity is beyond any number.
    const double per_word = losses.perplexity_per(losses.words);
    if (std::isfinite(per_word)) rows.back()["perplexity_per_word"] = per_word;
  }
  return rows;
}

void print_table(const json& result) {
  const json& model = result.at("model");
  fmt::print("model    {}, positions {}, {} layers, width {}, {} heads, trained at context {}\n",
             model.at("mechanism").get<std::string>(),
             model.at("position_encoding").get<std::string>(), model.at("layers").get<int64_t>(),
             model.at("width").get<int64_t>(), model.at("heads").get<int64_t>(),
             model.at("context").get<int64_t>());
  const json& rows = result.at("contexts");
  fmt::print("text     {}, split {}: {} bytes and {} words scored\n\n",
             result.at("corpus").get<std::string>(), result.at("split").get<std::string>(),
             rows.at(0).at("bytes").get<int64_t>(), rows.at(0).at("words").get<int64_t>());
  fmt::print("{:>9}  {:>9}  {:>15}  {:>15}\n", "context", "bit/byte", "perplexity/byte",
             "perplexity/word");
  for (const json& row : rows) {
    const std::string per_word =
        row.contains("perplexity_per_word")
            ? fmt::format("{:.5g}", row["perplexity_per_word"].get<double>())
            : "-";
    fmt::print("{:>9}  {:>9.4f}  {:>15.4f}  {:>15}\n", row.at("context").get<int64_t>(),
               row.at("bits_per_byte").get<double>(), row.at("perplexity_per_byte").get<double>(),
               per_word);
  }
  if (result.contains("sample")) {
    fmt::print("\nsample   (temperature {}, seed {})\n{}\n", result.at("temperature").get<double>(),
               result.at("seed").get<int64_t>(), result.at("sample").get<std::string>());
  }
}

int run_evaluate(EvaluateArguments& a) {
  const Settings settings = read_settings(a.sets);
  for (const int64_t context : a.contexts) {
    require<OptionError>(context >= 1 && context <= kLongestContext,
                         "evaluate: --context must be 1 ... {}, got {}", kLongestContext, context);
  }
  const torch::Device device = require_device("evaluate", a.device);
  const Checkpoint checkpoint = load_checkpoint(a.checkpoint);
  require<InputError>(checkpoint.tokenizer.has_value(),
                      "{}: not a model of text, it has no tokenizer", a.checkpoint);
  const auto corpus = load_corpus(settings.corpus);
  if (a.threads > 0) at::set_num_threads(static_cast<int>(a.threads));
  checkpoint.model->to(device);
  if (a.contexts.empty()) a.contexts = {checkpoint.model->options().context};

  json result = {{"schema", "lavo.evaluation/1"},
                 {"model", write_options(checkpoint.model->options())},
                 {"corpus", corpus->name},
                 {"corpus_digest", corpus->digest},
                 {"split", kSplits[static_cast<size_t>(settings.split)]},
                 {"contexts", measure(checkpoint, settings, *corpus, a.contexts)}};
  if (a.sample.tokens > 0) {
    a.sample.seed = static_cast<uint64_t>(a.seed);
    result["sample"] =
        a.prompt + continue_text(*checkpoint.model, *checkpoint.tokenizer, a.prompt, a.sample);
    result["temperature"] = a.sample.temperature;
    result["seed"] = a.seed;
  }
  if (a.as_json) {
    fmt::print("{}\n", result.dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_table(result);
  }
  return kSuccess;
}

}  // namespace

void add_evaluate(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("evaluate", "A trained model again: other text, contexts");
  auto a = std::make_shared<EvaluateArguments>();
  command
      ->add_option("checkpoint", a->checkpoint,
                   "a folder under DIR/models, or its model.safetensors or model.json")
      ->required();
  command
      ->add_option("--set", a->sets,
                   "corpus=DIR or FILE, split=train|valid|test, test_bytes=n; may be repeated")
      ->take_all();
  command->add_option("--context", a->contexts, "windows to score, tokens: 512,1024,4096")
      ->delimiter(',');
  command->add_option("--sample", a->sample.tokens, "tokens of text to write; 0: none")
      ->check(CLI::Range(int64_t{0}, kLongestContext))
      ->capture_default_str();
  command->add_option("--prompt", a->prompt, "what the sample goes on from");
  command->add_option("--temperature", a->sample.temperature, "below 1e-6: the likeliest token")
      ->check(number_in(0))
      ->capture_default_str();
  command->add_option("--seed", a->seed, "of the sample")
      ->check(integer_at_least_zero())
      ->capture_default_str();
  command->add_option("--device", a->device, "cpu, cuda, cuda:1 ...")->capture_default_str();
  command->add_option("--threads", a->threads, "of the CPU; default: all")
      ->check(CLI::Range(1, 4096));
  command->add_flag("--json", a->as_json, "JSON in place of the table");
  command->footer(
      "Example: lavo-bench evaluate out/models/0123456789abcdef --set corpus=my_book.txt\n"
      "           --context 512,1024,4096 --prompt 'It is'");
  command->callback([a, &exit_code] { exit_code = run_evaluate(*a); });
}

}  // namespace lavo
