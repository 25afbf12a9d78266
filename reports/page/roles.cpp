// SPDX-License-Identifier: MIT
#include "reports/page/roles.h"

#include <algorithm>

namespace lavo::report {

bool is_yardstick(const std::string& mechanism) {
  return std::ranges::find(kYardsticks, mechanism, &Yardstick::mechanism) != kYardsticks.end();
}

size_t rank_of(const std::string& mechanism) {
  const std::vector<std::string> first = {kFused.mechanism, kMath.mechanism, kSubject,
                                          kWindowAlone};
  return static_cast<size_t>(std::ranges::find(first, mechanism) - first.begin());
}

}  // namespace lavo::report
