// SPDX-License-Identifier: MIT
#include "experiments/data/corpus.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "experiments/data/data_sets.h"
#include "experiments/data/titles.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/sha256.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;

/// The split that a name speaks of: one of its words is train, valid, test or a synonym.
std::optional<Split> named_split(const std::string& name) {
  static const std::map<std::string, Split> words = {
      {"train", Split::kTrain}, {"valid", Split::kValid}, {"validation", Split::kValid},
      {"val", Split::kValid},   {"dev", Split::kValid},   {"test", Split::kTest}};
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find_first_of("/._-", begin), name.size());
    if (const auto found = words.find(name.substr(begin, end - begin)); found != words.end()) {
      return found->second;
    }
    begin = end + 1;
  }
  return std::nullopt;
}

void put(Corpus& corpus, Split split, Document document) {
  corpus.documents[static_cast<size_t>(split)].push_back(std::move(document));
}

void cut_by_position(Corpus& corpus, const Document& whole) {
  const size_t size = whole.text.size(), ends[] = {size * 8 / 10, size * 9 / 10, size};
  size_t begin = 0;
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    const size_t end = ends[static_cast<size_t>(split)];
    put(corpus, split,
        {whole.name, whole.text.substr(begin, end - begin), whole.mapping, whole.mark});
    begin = end;
  }
}

void divide_by_list(Corpus& corpus, const fs::path& list, std::vector<Document> documents) {
  const nlohmann::json lists = read_json(list);
  require<InputError>(lists.is_object(), "{}: wanted {{\"train\": [names], ...}}", list.string());
  for (const auto& [key, names] : lists.items()) {
    const auto split = std::ranges::find(kSplits, key);
    require<InputError>(split != kSplits.end(), "{}: {}", list.string(),
                        unknown_name("split", key, kSplits));
    require<InputError>(names.is_array(), "{}: '{}' must be a list of file names", list.string(),
                        key);
    for (const auto& name : names) {
      const auto document =
          std::ranges::find_if(documents, [&](const Document& d) { return name == d.name; });
      require<InputError>(document != documents.end(),
                          "{}: {} is no text of this folder, or is listed twice", list.string(),
                          name.dump());
      put(corpus, static_cast<Split>(split - kSplits.begin()), std::move(*document));
      documents.erase(document);
    }
  }
  for (const Document& d : documents) corpus.left_out.push_back({d.name, "not in splits.json"});
}

void divide(Corpus& corpus, const fs::path& folder) {
  TextFiles files = read_text_folder(folder);
  std::vector<Document> documents = std::move(files.documents);
  corpus.left_out = std::move(files.left_out);
  require<InputError>(!documents.empty(),
                      "corpus {}: no text in it (files .txt, .text, .md, .raw or .tokens)",
                      folder.string());
  const auto is_named = [](const Document& d) { return named_split(d.name).has_value(); };
  if (fs::exists(folder / "splits.json")) {
    corpus.rule = "as splits.json lists";
    divide_by_list(corpus, folder / "splits.json", std::move(documents));
  } else if (std::ranges::any_of(documents, is_named)) {
    corpus.rule = "by the names of folders and files";
    for (Document& d : documents) {
      if (const auto split = named_split(d.name)) {
        put(corpus, *split, std::move(d));
      } else {
        corpus.left_out.push_back({d.name, "no split in its name"});
      }
    }
  } else if (documents.size() < 3) {
    corpus.rule = "each document cut by position, 80 : 10 : 10";
    for (const Document& d : documents) cut_by_position(corpus, d);
  } else {
    corpus.rule = "of every ten documents one valid and one test";
    const size_t group = std::min<size_t>(10, documents.size());
    for (size_t i = 0; i < documents.size(); ++i) {
      const size_t place = i % group;
      const Split split = place == group - 1   ? Split::kTest
                          : place == group - 2 ? Split::kValid
                                               : Split::kTrain;
      put(corpus, split, std::move(documents[i]));
    }
  }
}

/// SHA-256 of each document, split after split.
std::vector<std::string> hashes_of(const Corpus& corpus) {
  std::vector<std::string_view> texts;
  for (const auto& documents : corpus.documents) {
    for (const Document& d : documents) texts.push_back(d.text);
  }
  std::vector<std::string> hashes(texts.size());
  at::parallel_for(0, static_cast<int64_t>(texts.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      hashes[i] = sha256(texts[i]);
    }
  });
  return hashes;
}

/// Fills digest and warnings.
void look_through(Corpus& corpus) {
  const std::vector<std::string> hashes = hashes_of(corpus);
  Sha256 whole;
  std::map<std::string, std::pair<size_t, std::string>> first_of;  ///< split and name, by hash
  size_t i = 0;
  for (size_t split = 0; split < kSplits.size(); ++split) {
    for (const Document& d : corpus.documents[split]) {
      const std::string& hash = hashes[i++];
      whole.update(hash + " " + kSplits[split] + " " + d.name + "\n");
      const auto& [other, name] = first_of.try_emplace(hash, split, d.name).first->second;
      if (other == split) continue;
      corpus.warnings.push_back(fmt::format("{} ({}) and {} ({}) are the same text", name,
                                            kSplits[other], d.name, kSplits[split]));
    }
  }
  corpus.digest = whole.hex();
  const std::vector<std::string> shared =
      shared_titles(corpus.split(Split::kTrain), corpus.split(Split::kTest));
  if (shared.empty()) return;
  corpus.warnings.push_back(fmt::format("{} title{} of test also in train: '{}'{}", shared.size(),
                                        shared.size() == 1 ? " is" : "s are", shared[0],
                                        shared.size() > 1 ? ", ..." : ""));
}

/// The last part of the path as it was given: a link's own name.
std::string name_of(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return valid_utf8((whole.has_filename() ? whole : whole.parent_path()).filename().string());
}

std::shared_ptr<const Corpus> read_corpus(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  require<InputError>(fs::exists(status), "corpus {}: {}", path.string(),
                      status.type() == fs::file_type::not_found
                          ? "a broken link, or no file or folder"
                          : error.message());
  auto corpus = std::make_shared<Corpus>();
  corpus->name = name_of(path);
  if (fs::is_directory(status)) {
    divide(*corpus, path);
  } else {
    corpus->rule = "one document cut by position, 80 : 10 : 10";
    cut_by_position(*corpus, read_text_file(path, corpus->name));
  }
  for (const Split split : {Split::kTrain, Split::kTest}) {
    size_t bytes = 0;
    for (const Document& d : corpus->split(split)) bytes += d.text.size();
    require<InputError>(bytes > 1, "corpus {}: no text to {} on (divided {})", path.string(),
                        kSplits[static_cast<size_t>(split)], corpus->rule);
  }
  look_through(*corpus);
  return corpus;
}

}  // namespace

std::shared_ptr<const Corpus> load_corpus(const fs::path& path) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Corpus>> known;
  const fs::path place = find_data(path.string());
  const std::lock_guard lock(mutex);
  auto& corpus = known[place.string()];
  if (!corpus) corpus = read_corpus(place);
  return corpus;
}

void require_unchanged(const Corpus& corpus) {
  for (const auto& documents : corpus.documents) {
    for (const Document& d : documents) require_unchanged(d.mark);
  }
}

nlohmann::json describe_corpus(const Corpus& corpus) {
  constexpr size_t kNamed = 20;  ///< files left out that are named
  nlohmann::json splits = nlohmann::json::object(), left_out = nlohmann::json::array();
  std::set<std::string> read;  // a document that is cut is on three sides
  for (size_t split = 0; split < kSplits.size(); ++split) {
    size_t bytes = 0;
    for (const Document& d : corpus.documents[split]) {
      bytes += d.text.size();
      read.insert(d.name);
    }
    splits[kSplits[split]] = {{"documents", corpus.documents[split].size()}, {"bytes", bytes}};
  }
  for (size_t i = 0; i < std::min(kNamed, corpus.left_out.size()); ++i) {
    const LeftOut& file = corpus.left_out[i];
    left_out.push_back({{"name", valid_utf8(file.name)}, {"reason", file.reason}});
  }
  nlohmann::json warnings = nlohmann::json::array();
  for (const std::string& warning : corpus.warnings) warnings.push_back(valid_utf8(warning));
  return {{"name", corpus.name},       {"digest", corpus.digest},
          {"rule", corpus.rule},       {"splits", splits},
          {"files_read", read.size()}, {"files_left_out", corpus.left_out.size()},
          {"left_out", left_out},      {"warnings", warnings}};
}

std::string corpus_notice(const Corpus& corpus) {
  if (corpus.left_out.empty() && corpus.warnings.empty()) return "";
  std::map<std::string, int64_t> reasons;
  for (const LeftOut& file : corpus.left_out) ++reasons[file.reason];
  std::string text =
      fmt::format("corpus {}: {} files left out", corpus.name, corpus.left_out.size());
  const char* mark = " (";
  for (const auto& [reason, count] : reasons) {
    text += fmt::format("{}{} {}", mark, count, reason);
    mark = ", ";
  }
  if (!reasons.empty()) text += ")";
  for (const std::string& warning : corpus.warnings) text += "; warning: " + warning;
  return on_one_line(text);
}

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = std::string_view(" \t\n\r\f\v").find(c) != std::string_view::npos;
    if (!space && !inside) ++words;
    inside = !space;
  }
  return words;
}

}  // namespace lavo
