// SPDX-License-Identifier: MIT
#include "reports/records/lines.h"

#include <algorithm>
#include <sstream>

#include "lavo/core/check.h"
#include "lavo/core/files.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;

/// Whether the text begins with a whole JSON value, whatever comes behind it.
bool begins_whole(std::string_view text) {
  std::istringstream in{std::string(text)};
  try {
    json value;
    in >> value;
    return value.is_object();
  } catch (const json::exception&) {
    return false;
  }
}

/// Null where the line is torn.
json whole_line(std::string_view line, const fs::path& file, size_t number) {
  try {
    json value = parse_json(line, file.string(), number);
    return value.is_object() ? value : json();
  } catch (const InputError&) {
    if (begins_whole(line)) throw;
    return {};
  }
}

}  // namespace

std::vector<fs::path> line_files(const fs::path& directory, const std::string& stem) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    if (name == stem + ".jsonl" || (name.starts_with(stem + ".") && name.ends_with(".jsonl"))) {
      files.push_back(entry.path());
    }
  }
  require<InputError>(!error, "{}: cannot be read: {}", directory.string(), error.message());
  std::ranges::sort(files);
  return files;
}

bool is_text(const json& value) { return value.is_string(); }
bool is_object(const json& value) { return value.is_object(); }
bool is_number(const json& value) { return value.is_number(); }
bool is_index(const json& value) { return value.is_number_unsigned(); }
bool is_attempt(const json& value) {
  return value.is_number_integer() && value >= 1 && value <= 1'000'000;
}
bool is_plain_name(const json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : "";
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
}

void for_each_line(const fs::path& file, const LineFormat& format,
                   std::vector<std::string>& warnings,
                   const std::function<void(const json&)>& see) {
  const std::string text = read_text(file);
  const std::string family = format.schema.substr(0, format.schema.find('/') + 1);
  size_t number = 0;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    ++number;
    const json line = whole_line(std::string_view(text).substr(begin, end - begin), file, number);
    if (line.is_null()) {
      warnings.push_back(fmt::format("{}:{}: a torn line of {} bytes was left out", file.string(),
                                     number, end - begin));
      continue;
    }
    const json schema = line.value("schema", json());
    require<InputError>(!schema.is_string() || schema == format.schema ||
                            !schema.get<std::string>().starts_with(family),
                        "{}:{}: got schema {}, this program reads {}", file.string(), number,
                        schema.dump(), format.schema);
    const auto fits = [&](const Field& field) {
      return line.contains(field.key) && field.fits(line[field.key]);
    };
    if (schema == format.schema && std::ranges::all_of(format.fields, fits)) {
      see(line);
    } else {
      warnings.push_back(
          fmt::format("{}:{}: not a line of {}, left out", file.string(), number, format.schema));
    }
  }
}

}  // namespace lavo
