// SPDX-License-Identifier: MIT
// What a run finds when it comes back: another text under the old name, another run's model.
#include <filesystem>

#include "experiments/harness/run/run_block.h"
#include "experiments/language_model/language_model.h"
#include "lavo/core/files.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace lavo;

namespace {

namespace fs = std::filesystem;

Case quick_case(const fs::path& directory, int width, const std::string& corpus) {
  Case cell;
  cell.axes = LanguageModel().resolve({{"mechanism", "local"},
                                       {"width", width},
                                       {"context", 32},
                                       {"batch", 2},
                                       {"steps", 4},
                                       {"warmup", 1},
                                       {"test_bytes", 256},
                                       {"test_factor", 1}});
  cell.directory = directory;
  cell.corpus = corpus;
  cell.data_digest = LanguageModel().data_digest(cell.axes, corpus);
  return cell;
}

std::string repeated_text(const char* word) {
  std::string text;
  while (text.size() < 8000) text += word;
  return text;
}

fs::path only_model(const fs::path& run) {
  for (const auto& entry : fs::directory_iterator(run / "models")) {
    if (entry.is_directory()) return entry.path();
  }
  return {};
}

}  // namespace

TEST_CASE("a cell does not train on a text that is not the one its id names") {
  const Scratch folder;
  const std::string corpus = folder.write("text.txt", repeated_text("one two three. ")).string();
  const Case cell = quick_case(folder.path(), 8, corpus);
  CHECK(run_block(LanguageModel(), cell).status == Status::kOk);
  folder.write("text.txt", repeated_text("quite another one. "));
  fs::last_write_time(corpus, fs::file_time_type::clock::now() + std::chrono::seconds(5));
  const BlockResult replaced = run_block(LanguageModel(), cell);
  CHECK(replaced.status == Status::kError);
  CHECK_THAT(replaced.reason, ContainsSubstring("text.txt"));
  // In a process that reads it for the first time it is the digest that differs.
  Case planned = quick_case(folder.path(), 8, "");
  planned.data_digest = std::string(64, '0');
  const BlockResult other = run_block(LanguageModel(), planned);
  CHECK(other.status == Status::kError);
  CHECK_THAT(other.reason, ContainsSubstring("changed since the run was planned"));
}

TEST_CASE("the model of other axes is put aside, and the cell's own trained again") {
  const Scratch narrow, wide;
  const std::string corpus = narrow.write("text.txt", repeated_text("one two three. ")).string();
  Case cell = quick_case(narrow.path(), 8, corpus);
  const BlockResult first = run_block(LanguageModel(), cell);
  REQUIRE(first.status == Status::kOk);
  REQUIRE(run_block(LanguageModel(), quick_case(wide.path(), 16, corpus)).status == Status::kOk);
  const fs::path own = only_model(narrow.path());
  fs::remove_all(own);
  fs::copy(only_model(wide.path()), own, fs::copy_options::recursive);
  std::string said;
  cell.progress = [&](const std::string& line) { said += line + "\n"; };
  const BlockResult again = run_block(LanguageModel(), cell);
  REQUIRE(again.status == Status::kOk);
  CHECK_THAT(said, ContainsSubstring("holds the model of other axes or data"));
  for (const char* metric : {"bits_per_byte", "parameters"}) {
    CHECK(again.outcome.metrics.at(metric).value == first.outcome.metrics.at(metric).value);
  }
}
