// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace lavo {

/// What a test says that cannot be made here. Its program then exits with kSkipped where it would
/// have passed, and ctest shows it as skipped.
void skip(const std::string& reason);

inline constexpr int kSkipped = 77;  ///< SKIP_RETURN_CODE of every test
bool any_skipped();

}  // namespace lavo
