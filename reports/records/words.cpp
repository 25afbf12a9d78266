// SPDX-License-Identifier: MIT
#include "reports/records/words.h"

namespace lavo {

const std::vector<std::string> WordsOf<Status>::words = {
    "ok", "out_of_memory", "timeout", "not_finite", "wrong", "error", "crashed", "skipped"};
const std::vector<std::string> WordsOf<Better>::words = {"lower", "higher", "none"};
const std::vector<std::string> WordsOf<Kind>::words = {"timing", "exact", "bound", "seeded"};

}  // namespace lavo
