// SPDX-License-Identifier: MIT
// Text to train and test on: documents, divided into train, valid and test so that no document is
// on two sides.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/data/text_files.h"

namespace lavo {

enum class Split { kTrain, kValid, kTest };
inline const std::vector<std::string> kSplits = {"train", "valid", "test"};

struct Corpus {
  std::string name;    ///< of the folder or file
  std::string digest;  ///< SHA-256 over every document's split, name and SHA-256
  std::string rule;    ///< how it was divided, for the record
  std::array<std::vector<Document>, 3> documents;
  std::vector<LeftOut> left_out;      ///< files that are on no side, by name
  std::vector<std::string> warnings;  ///< a text or a title on two sides

  const std::vector<Document>& split(Split s) const { return documents[static_cast<size_t>(s)]; }
};

/// A data set of the table by its name, or a folder or a file of the user's; for an empty path the
/// novels that come with the project. text_files.h says which files of a folder are texts. They are
/// divided by the first rule that fits:
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

/// Throws InputError where one of its files was written since it was loaded.
void require_unchanged(const Corpus& corpus);

/// For records and lists: name, digest, rule, documents and bytes of each split, how many files
/// were read and left out, the first of those with the reason, and the warnings.
nlohmann::json describe_corpus(const Corpus& corpus);

/// One line where files were left out or there is a warning, else "".
std::string corpus_notice(const Corpus& corpus);

/// Whitespace-separated words that begin in the text.
int64_t count_words(std::string_view text);

}  // namespace lavo
