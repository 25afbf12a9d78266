// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace lavo {

/// The whole file. Throws InputError naming it.
std::string read_text(const std::filesystem::path& path);

/// Throws InputError, which begins with `what` ("--output"), where a name is not made of UTF-8:
/// jobs and records are JSON, which cannot hold it.
void require_utf8(const std::string& what, const std::string& name);

/// Parses JSON whose first line is line `first_line` of what is called `name`.
/// Throws InputError with name, line and column
///   where the text is no JSON, or anything stands behind its end: a NUL byte, too;
///   where a key stands twice in one object: which of the values is meant nobody can say;
///   where values lie deeper than 100 in each other: what is done with them (copies, comparison,
///   printing) recurses, on a stack that ends.
nlohmann::json parse_json(std::string_view text, const std::string& name, size_t first_line = 1);

/// The same of a file.
nlohmann::json read_json(const std::filesystem::path& path);

/// The value as JSON, `indent` spaces a level (-1: on one line), and a line break. Bytes that are
/// no UTF-8 (a path, a message of the system) become the replacement character U+FFFD.
std::string json_text(const nlohmann::json& value, int indent);
/// The text with the replacement character for every byte that is no UTF-8: what JSON can hold.
std::string valid_utf8(std::string_view text);

/// To a temporary file beside it, fsynced, renamed, the directory fsynced: the old file or the new
/// one is there, never half of one. A symbolic link stays, and what it leads to is written. Throws
/// InputError with the system's reason.
void write_atomically(const std::filesystem::path& path, const std::string& content);

}  // namespace lavo
