// SPDX-License-Identifier: MIT
#include "experiments/data/corpus.h"

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/sha256.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;

Document map_document(const fs::path& path, const std::string& name) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status = {};
  const bool is_open = file >= 0 && ::fstat(file, &status) == 0;
  const auto size = static_cast<size_t>(status.st_size);
  void* data =
      is_open && size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
  const int reason = errno;
  if (file >= 0) ::close(file);
  require<InputError>(is_open && data != MAP_FAILED, "{}: cannot be read: {}", path.string(),
                      std::strerror(reason));
  if (!data) return {name, "", nullptr};
  return {name,
          {static_cast<const char*>(data), size},
          std::shared_ptr<const void>(data, [size](void* p) { ::munmap(p, size); })};
}

bool is_text_name(const fs::path& path) {
  static const std::vector<std::string> kinds = {".txt", ".text", ".md", ".raw", ".tokens"};
  const std::string stem = path.stem().string();
  return std::ranges::find(kinds, path.extension().string()) != kinds.end() && stem != "README" &&
         stem != "LICENSE";
}

/// Every text under `folder`, in the order of their names.
std::vector<Document> read_folder(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && is_text_name(entry.path())) {
      names.push_back(fs::relative(entry.path(), folder).generic_string());
    }
  }
  std::ranges::sort(names);
  std::vector<Document> documents;
  for (const std::string& name : names) {
    Document document = map_document(folder / name, name);
    if (!document.text.empty()) documents.push_back(std::move(document));
  }
  require<InputError>(!documents.empty(),
                      "corpus {}: no text in it (files .txt, .text, .md, .raw or .tokens)",
                      folder.string());
  return documents;
}

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
    put(corpus, split, {whole.name, whole.text.substr(begin, end - begin), whole.mapping});
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
}

void divide(Corpus& corpus, const fs::path& folder) {
  std::vector<Document> documents = read_folder(folder);
  const auto is_named = [](const Document& d) { return named_split(d.name).has_value(); };
  if (fs::exists(folder / "splits.json")) {
    corpus.rule = "as splits.json lists";
    divide_by_list(corpus, folder / "splits.json", std::move(documents));
  } else if (std::ranges::any_of(documents, is_named)) {
    corpus.rule = "by the names of folders and files";
    for (Document& d : documents) {
      if (const auto split = named_split(d.name)) put(corpus, *split, std::move(d));
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

std::string digest_of(const Corpus& corpus) {
  std::vector<std::pair<std::string, std::string_view>> parts;
  for (size_t split = 0; split < kSplits.size(); ++split) {
    for (const Document& d : corpus.documents[split]) {
      parts.emplace_back(kSplits[split] + " " + d.name, d.text);
    }
  }
  std::vector<std::string> hashes(parts.size());
  at::parallel_for(0, static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      hashes[i] = sha256(parts[i].second);
    }
  });
  Sha256 whole;
  for (size_t i = 0; i < parts.size(); ++i) {
    whole.update(hashes[i] + " " + parts[i].first + "\n");
  }
  return whole.hex();
}

std::shared_ptr<const Corpus> read_corpus(const fs::path& path) {
  require<InputError>(fs::exists(path), "corpus {}: there is no such file or folder",
                      path.string());
  auto corpus = std::make_shared<Corpus>();
  corpus->name = fs::canonical(path).filename().string();
  if (fs::is_directory(path)) {
    divide(*corpus, path);
  } else {
    corpus->rule = "one document cut by position, 80 : 10 : 10";
    cut_by_position(*corpus, map_document(path, corpus->name));
  }
  for (const Split split : {Split::kTrain, Split::kTest}) {
    size_t bytes = 0;
    for (const Document& d : corpus->split(split)) bytes += d.text.size();
    require<InputError>(bytes > 1, "corpus {}: no text to {} on (divided {})", path.string(),
                        kSplits[static_cast<size_t>(split)], corpus->rule);
  }
  corpus->digest = digest_of(*corpus);
  return corpus;
}

}  // namespace

std::shared_ptr<const Corpus> load_corpus(const fs::path& path) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Corpus>> known;
  const fs::path place = path.empty() ? fs::path(LAVO_CORPUS) : path;
  const std::lock_guard lock(mutex);
  auto& corpus = known[place.string()];
  if (!corpus) corpus = read_corpus(place);
  return corpus;
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
