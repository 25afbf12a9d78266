// SPDX-License-Identifier: MIT
#include "experiments/data/titles.h"

#include <algorithm>
#include <set>

namespace lavo {
namespace {

void add_headings(std::string_view text, std::set<std::string>& titles) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.ends_with(' ')) line.remove_suffix(1);
    if (!line.starts_with(" = ") || !line.ends_with(" =") || line.size() < 6) continue;
    line = line.substr(3, line.size() - 5);
    if (!line.starts_with("= ")) titles.emplace(line);  // a section's heading has two
  }
}

/// A document that is cut into splits shares its file's name by design.
std::set<std::string> titles_of(const std::vector<Document>& documents,
                                const std::vector<Document>& others) {
  std::set<std::string> titles;
  for (const Document& d : documents) {
    const bool cut = std::ranges::any_of(
        others, [&](const Document& other) { return other.mapping && other.mapping == d.mapping; });
    if (!cut) titles.insert(std::filesystem::path(d.name).stem().string());
    add_headings(d.text, titles);
  }
  return titles;
}

}  // namespace

std::vector<std::string> shared_titles(const std::vector<Document>& train,
                                       const std::vector<Document>& test) {
  const std::set<std::string> a = titles_of(train, test), b = titles_of(test, train);
  std::vector<std::string> shared;
  std::ranges::set_intersection(a, b, std::back_inserter(shared));
  return shared;
}

}  // namespace lavo
