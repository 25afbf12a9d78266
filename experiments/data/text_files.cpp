// SPDX-License-Identifier: MIT
#include "experiments/data/text_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "lavo/core/check.h"

namespace lavo {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

struct NoText {
  std::string_view begin;  ///< how such a file begins
  const char* ending;      ///< its name's, "" where there is no usual one
  const char* what;
  const char* remedy;
};

constexpr NoText kNoText[] = {
    {"\x1f\x8b", ".gz", "compressed by gzip", "gunzip it first"},
    {"BZh", ".bz2", "compressed by bzip2", "bunzip2 it first"},
    {"\xfd\x37zXZ\0"sv, ".xz", "compressed by xz", "unxz it first"},
    {"\x28\xb5\x2f\xfd", ".zst", "compressed by zstd", "unzstd it first"},
    {"\x04\x22\x4d\x18", ".lz4", "compressed by lz4", "unlz4 it first"},
    {"PK\x03\x04", ".zip", "a zip archive", "unzip it into a folder first"},
    {"7z\xbc\xaf\x27\x1c", ".7z", "a 7z archive", "unpack it into a folder first"},
    {"Rar!", ".rar", "a rar archive", "unpack it into a folder first"},
    {"PAR1", ".parquet", "a Parquet table", "write its column of text to a .txt file first"},
    {"ARROW1", ".arrow", "an Arrow table", "write its column of text to a .txt file first"},
    {"\x93NUMPY", ".npy", "a NumPy array", "write its text to a .txt file first"},
    {"\x89HDF", ".h5", "an HDF5 file", "write its text to a .txt file first"},
    {"SQLite format 3\0"sv, "", "a SQLite database", "write its text to a .txt file first"},
    {"%PDF-", "", "a PDF", "pdftotext it first"},
    {"\xff\xfe\0\0"sv, "", "UTF-32 text", "iconv -f UTF-32 -t UTF-8 it first"},
    {"\0\0\xfe\xff"sv, "", "UTF-32 text", "iconv -f UTF-32 -t UTF-8 it first"},
    {"\xff\xfe", "", "UTF-16 text", "iconv -f UTF-16 -t UTF-8 it first"},
    {"\xfe\xff", "", "UTF-16 text", "iconv -f UTF-16 -t UTF-8 it first"},
};
constexpr const char* kOtherEndings[] = {".tgz", ".tar", ".npz", ".feather", ".tbz2", ".txz"};
constexpr size_t kLookedAt = size_t{1} << 20;  ///< bytes, for what text does not hold

/// What a file is that is no text, and what to do; nothing where it may be one.
std::optional<std::string> no_text(std::string_view bytes) {
  for (const NoText& kind : kNoText) {
    if (bytes.starts_with(kind.begin)) return fmt::format("{}: {}", kind.what, kind.remedy);
  }
  if (bytes.size() > 262 && bytes.substr(257, 5) == "ustar") {
    return "a tar archive: unpack it into a folder first";
  }
  const std::string_view head = bytes.substr(0, kLookedAt);
  const auto zeros = static_cast<size_t>(std::ranges::count(head, '\0'));
  if (zeros == 0) return {};
  return 4 * zeros > head.size() ? "UTF-16 text: iconv -f UTF-16 -t UTF-8 it first"
                                 : "no text, it holds NUL bytes: write its text to a .txt file";
}

bool has_packed_name(const fs::path& path) {
  const std::string ending = path.extension().string();
  return std::ranges::any_of(kNoText,
                             [&](const NoText& k) { return *k.ending && ending == k.ending; }) ||
         std::ranges::find(kOtherEndings, ending) != std::end(kOtherEndings);
}

bool has_text_name(const fs::path& path) {
  static const std::vector<std::string> kinds = {".txt", ".text", ".md", ".raw", ".tokens"};
  return std::ranges::find(kinds, path.extension().string()) != kinds.end();
}

bool is_hidden(const std::string& name) { return name.starts_with('.') || name == "__MACOSX"; }

FileMark mark_of(const fs::path& path, const struct stat& status) {
  return {path, status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size),
          status.st_mtim.tv_sec * int64_t{1000000000} + status.st_mtim.tv_nsec};
}

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
  const FileMark mark = mark_of(path, status);
  if (!data) return {name, "", nullptr, mark};
  return {name,
          {static_cast<const char*>(data), size},
          std::shared_ptr<const void>(data, [size](void* p) { ::munmap(p, size); }),
          mark};
}

class Folder {
 public:
  explicit Folder(fs::path top) : top_(std::move(top)) { walk(top_, ""); }
  TextFiles result() && {
    std::ranges::sort(files_.documents, {}, &Document::name);
    std::ranges::sort(files_.left_out, {}, &LeftOut::name);
    return std::move(files_);
  }

 private:
  void walk(const fs::path& folder, const std::string& prefix) {
    struct stat status = {};
    ::stat(folder.c_str(), &status);
    const std::pair place(status.st_dev, status.st_ino);
    require<InputError>(std::ranges::find(above_, place) == above_.end(),
                        "{}: a link to a folder that holds it", folder.string());
    above_.push_back(place);
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      take(entry.path(), prefix + entry.path().filename().string());
    }
    require<InputError>(!error, "{}: cannot be read: {}", folder.string(), error.message());
    above_.pop_back();
  }

  void take(const fs::path& path, const std::string& name) {
    if (is_hidden(path.filename().string())) return leave_hidden(path, name);
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found || status.type() == fs::file_type::none) {
      fail<InputError>(
          "{}: {}", path.string(),
          status.type() == fs::file_type::not_found ? "a broken link" : error.message());
    }
    if (fs::is_directory(status)) return walk(path, name + "/");
    if (!fs::is_regular_file(status)) return leave(name, "no file");
    const std::string stem = path.stem().string();
    if (stem == "README" || stem == "LICENSE" || name == "splits.json") return;  // about the texts
    if (has_packed_name(path)) read_text_file(path, name);                       // says what it is
    if (!has_text_name(path)) return leave(name, "no name of a text");
    Document document = read_text_file(path, name);
    if (document.text.empty()) return leave(name, "empty");
    files_.documents.push_back(std::move(document));
  }

  /// Each file of a hidden folder counts; links are not followed there.
  void leave_hidden(const fs::path& path, const std::string& name) {
    std::error_code ignored;
    if (!fs::is_directory(fs::symlink_status(path, ignored))) return leave(name, "hidden");
    for (const auto& entry : fs::recursive_directory_iterator(
             path, fs::directory_options::skip_permission_denied, ignored)) {
      if (entry.is_directory(ignored)) continue;
      leave(name + "/" + entry.path().lexically_relative(path).generic_string(),
            "in a hidden folder");
    }
  }

  void leave(const std::string& name, const std::string& reason) {
    files_.left_out.push_back({name, reason});
  }

  fs::path top_;
  std::vector<std::pair<dev_t, ino_t>> above_;  ///< folders that are being walked
  TextFiles files_;
};

}  // namespace

void require_unchanged(const FileMark& mark) {
  struct stat status = {};
  if (mark.path.empty() || ::stat(mark.path.c_str(), &status) != 0) return;
  const FileMark now = mark_of(mark.path, status);
  const bool same_file = now.device == mark.device && now.inode == mark.inode;
  require<InputError>(!same_file || (now.bytes == mark.bytes && now.changed_ns == mark.changed_ns),
                      "{}: was written while it was being read", mark.path.string());
}

Document read_text_file(const fs::path& path, const std::string& name) {
  Document document = map_document(path, name);
  const auto what = no_text(document.text);
  require<InputError>(!what && !has_packed_name(path), "{}: {}", path.string(),
                      what.value_or("no text by its name: unpack it first"));
  return document;
}

TextFiles read_text_folder(const fs::path& folder) { return Folder(folder).result(); }

}  // namespace lavo
