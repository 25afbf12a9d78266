// SPDX-License-Identifier: MIT
// Reading files of JSON lines that several processes have appended to.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lavo/core/options.h"

namespace lavo {

/// DIR/stem.jsonl and DIR/stem.2-of-5.jsonl, in the order of their names. Throws InputError where
/// the directory cannot be read.
std::vector<std::filesystem::path> line_files(const std::filesystem::path& directory,
                                              const std::string& stem);

/// A field that is read without asking again.
struct Field {
  const char* key;
  bool (*fits)(const json&);
};

bool is_text(const json& value);
bool is_object(const json& value);
bool is_number(const json& value);
bool is_index(const json& value);    ///< an integer >= 0
bool is_attempt(const json& value);  ///< 1 to 1,000,000
/// Letters, digits, - and _: what may become the name of a file without leaving its folder.
bool is_plain_name(const json& value);

/// What a line must be: "lavo.cell/1", and the fields with their kinds.
struct LineFormat {
  std::string schema;
  std::span<const Field> fields;
};

/// Calls `see` with every line of the format.
///   A line that is torn, since its writer or the machine died, and one of another format, are left
///   out: `warnings` name them.
///   Throws InputError where something stands behind the object of a line, or in it twice, and
///   where a line is of another version of the format.
void for_each_line(const std::filesystem::path& file, const LineFormat& format,
                   std::vector<std::string>& warnings, const std::function<void(const json&)>& see);

}  // namespace lavo
