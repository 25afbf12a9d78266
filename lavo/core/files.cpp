// SPDX-License-Identifier: MIT
#include "lavo/core/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "lavo/core/check.h"

namespace lavo {
namespace {

void sync(const std::filesystem::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags);
  const bool ok = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  require<InputError>(ok, "{}: cannot be written to disk: {}", path.string(),
                      std::strerror(reason));
}

constexpr int kDeepest = 100;

/// Where the first bracket opens that lies deeper than `deepest`; npos where none does.
size_t find_deeper(std::string_view text, int deepest) {
  int depth = 0;
  bool in_text = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      i += c == '\\';  // what is escaped ends no text
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '[' || c == '{') {
      if (++depth > deepest) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return text.npos;
}

/// Behind the text in quotes that begins at `at`.
size_t end_of_text(std::string_view json, size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) at += json[at] == '\\';
  return std::min(at + 1, json.size());
}

/// Where key number `count` (from 0) of all objects begins, in the order of the text.
size_t find_key(std::string_view json, size_t count) {
  for (size_t at = json.find('"'); at < json.size(); at = json.find('"', at)) {
    const size_t end = end_of_text(json, at);
    const size_t next = std::min(json.find_first_not_of(" \t\r\n", end), json.size());
    if (next < json.size() && json[next] == ':' && count-- == 0) return at;
    at = end;
  }
  return json.size();
}

/// What links lead to, whether it is there or not; the path itself where it is no link.
std::filesystem::path linked_file(std::filesystem::path path) {
  constexpr int kMost = 40;
  std::error_code none;
  const std::filesystem::path given = path;
  for (int links = 0; std::filesystem::is_symlink(path, none); ++links) {
    require<InputError>(links < kMost, "{}: cannot be written: its links lead in a circle",
                        given.string());
    path = path.parent_path() / std::filesystem::read_symlink(path);
  }
  return path;
}

}  // namespace

void require_utf8(const std::string& what, const std::string& name) {
  const std::string shown = valid_utf8(name);
  require<InputError>(shown == name, "{}: got {}, a name that is no UTF-8", what,
                      nlohmann::json(shown).dump());
}

std::string read_text(const std::filesystem::path& path) {
  require<InputError>(!std::filesystem::is_directory(path), "{}: is a directory, wanted a file",
                      path.string());
  std::ifstream file(path, std::ios::binary);
  require<InputError>(file.good(), "{}: cannot be read: {}", path.string(), std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

nlohmann::json parse_json(std::string_view text, const std::string& name, size_t first_line) {
  const auto place = [&](size_t at) {
    const size_t start = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
    const auto before =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    return fmt::format("{}:{}:{}", name, first_line + static_cast<size_t>(before), at - start + 1);
  };
  if (const size_t at = find_deeper(text, kDeepest); at != text.npos) {
    fail<InputError>("{}: nested deeper than {}", place(at), kDeepest);
  }
  if (const size_t at = text.find('\0'); at != text.npos) {
    fail<InputError>("{}: not JSON: a NUL byte", place(at));
  }
  size_t keys = 0;
  std::vector<std::set<std::string>> open;  // the keys so far of each object that is not at its end
  const auto watch = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) open.emplace_back();
    if (event == Event::object_end) open.pop_back();
    if (event == Event::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      require<InputError>(open.back().insert(key).second, "{}: the key '{}' is there twice",
                          place(find_key(text, keys)), key);
      ++keys;
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, watch);
  } catch (const nlohmann::json::parse_error& error) {
    // `byte` counts what was read, the offending character included; its word begins earlier.
    size_t at = std::min(std::max<size_t>(error.byte, 1) - 1, text.size());
    while (at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1]))) --at;
    fail<InputError>("{}: not JSON", place(at));
  } catch (const nlohmann::json::out_of_range&) {
    fail<InputError>("{}: not JSON: a number is too large", name);
  }
}

nlohmann::json read_json(const std::filesystem::path& path) {
  return parse_json(read_text(path), path.string());
}

std::string json_text(const nlohmann::json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string valid_utf8(std::string_view text) {
  const auto replace = nlohmann::json::error_handler_t::replace;
  return nlohmann::json::parse(nlohmann::json(text).dump(-1, ' ', false, replace))
      .get<std::string>();
}

void write_atomically(const std::filesystem::path& given, const std::string& content) {
  const std::filesystem::path path = linked_file(given);
  std::error_code none;
  if (std::filesystem::exists(path, none) && !std::filesystem::is_regular_file(path, none)) {
    std::ofstream device(path,
                         std::ios::binary);  // a pipe or a device must not be replaced by a file
    device << content << std::flush;
    require<InputError>(device.good(), "{}: cannot be written: {}", path.string(),
                        std::strerror(errno));
    return;
  }
  require<InputError>(path.has_filename(), "'{}': cannot be written: wanted the name of a file",
                      path.string());
  const std::filesystem::path directory = path.has_parent_path() ? path.parent_path() : ".";
  const std::filesystem::path temporary = path.string() + fmt::format(".{}.tmp", ::getpid());
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << content;
  file.flush();
  if (!file.good()) {
    const int reason = errno;
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    fail<InputError>("{}: cannot be written: {}", path.string(), std::strerror(reason));
  }
  file.close();
  sync(temporary, O_RDONLY);
  std::error_code failed;
  std::filesystem::rename(temporary, path, failed);
  if (failed) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    fail<InputError>("{}: cannot be written: {}", path.string(), failed.message());
  }
  sync(directory, O_RDONLY | O_DIRECTORY);
}

}  // namespace lavo
