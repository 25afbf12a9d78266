// SPDX-License-Identifier: MIT
// Text to train and test on: documents, divided into train, valid and test so that no document is
// on two sides.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lavo {

enum class Split { kTrain, kValid, kTest };
inline const std::vector<std::string> kSplits = {"train", "valid", "test"};

/// A text in its file, mapped into memory and read only where it is used.
struct Document {
  std::string name;  ///< path inside the corpus
  std::string_view text;
  std::shared_ptr<const void> mapping;  ///< keeps `text` valid
};

struct Corpus {
  std::string name;    ///< of the folder or file
  std::string digest;  ///< SHA-256 over every document's split, name and SHA-256
  std::string rule;    ///< how it was divided, for the record
  std::array<std::vector<Document>, 3> documents;

  const std::vector<Document>& split(Split s) const { return documents[static_cast<size_t>(s)]; }
};

/// A folder or a file of the user's, or for an empty path the novels that come with the project.
/// Files taken: .txt, .text, .md, .raw, .tokens, without README and LICENSE. They are divided by
/// the first rule that fits:
///
///   one file            cut by position: the first 80 % train, 10 % valid, 10 % test
///   splits.json         {"train": [names], "valid": [...], "test": [...]} in the folder
///   names that say it   a folder or file name with the word train, valid, validation, val, dev or
///                       test: PG-19 (train/*.txt, validation/*.txt, test/*.txt) and WikiText
///                       (wiki.train.raw, ...) as they are distributed
///   three or more       by name order: of every ten documents the ninth is valid and the tenth
///                       test; with fewer than ten the last but one and the last
///   one or two          each cut by position
///
/// Throws InputError: nothing there, no text, an empty train or test split.
std::shared_ptr<const Corpus> load_corpus(const std::filesystem::path& path);

/// Whitespace-separated words that begin in the text.
int64_t count_words(std::string_view text);

}  // namespace lavo
