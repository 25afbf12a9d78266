// SPDX-License-Identifier: MIT
// The text files of a folder: which are read, which are not, and why.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lavo {

/// Which file was read, and in which state.
struct FileMark {
  std::filesystem::path path;
  uint64_t device = 0, inode = 0, bytes = 0;
  int64_t changed_ns = 0;
};

/// A text in its file, mapped into memory and read only where it is used.
struct Document {
  std::string name;  ///< path inside the corpus, by the names of links and not of what they lead to
  std::string_view text;
  std::shared_ptr<const void> mapping;  ///< keeps `text` valid
  FileMark mark = {};
};

struct LeftOut {
  std::string name;
  std::string reason;
};

struct TextFiles {
  std::vector<Document> documents;  ///< by name
  std::vector<LeftOut> left_out;
};

/// Throws InputError where the file cannot be read, or is no text: compressed, an archive, a table
/// or array of numbers, UTF-16. The line says what it is and what to do.
Document read_text_file(const std::filesystem::path& path, const std::string& name);

/// Throws InputError where the mapped file itself was written since. One that took its name is
/// another file: what is mapped stays what it was.
void require_unchanged(const FileMark& mark);

/// Every text under a folder: files .txt, .text, .md, .raw, .tokens that are not empty. README,
/// LICENSE and splits.json are about the texts, and no part of them. Links are followed. Hidden
/// files and folders and __MACOSX are left out, and files with other names.
/// Throws InputError: a broken link, links in a circle, a text that is compressed or none.
TextFiles read_text_folder(const std::filesystem::path& folder);

}  // namespace lavo
