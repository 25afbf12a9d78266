// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "experiments/data/text_files.h"

namespace lavo {

/// Titles that occur on both sides, in order: a file's name without its folder and ending, and the
/// headings of articles as WikiText writes them, a line " = Title = ".
std::vector<std::string> shared_titles(const std::vector<Document>& train,
                                       const std::vector<Document>& test);

}  // namespace lavo
