// SPDX-License-Identifier: MIT
#include "reports/page/charts/palette.h"

#include <algorithm>
#include <array>

#include "reports/page/roles.h"

namespace lavo::report {
namespace {

// After Okabe and Ito 2008, distinguishable with colour-blind eyes; the subject and the yardsticks,
// vermilion and greys, share theirs with nobody.
constexpr auto kSubjectColor = "#D55E00";
constexpr std::array kYardstickColors = {"#5C6470", "#9AA1AB"};
constexpr std::array kColors = {"#E69F00", "#56B4E9", "#0072B2", "#CC79A7",
                                "#009E73", "#8C6BB1", "#A6761D", "#1B4F72"};
constexpr size_t kLaps = 3;

std::vector<std::string>& others() {
  static std::vector<std::string> names;
  return names;
}

}  // namespace

void set_palette(const std::vector<std::string>& mechanisms) {
  others().clear();
  for (const std::string& name : mechanisms) {
    const bool known = std::ranges::find(others(), name) != others().end();
    if (!known && name != kSubject && !is_yardstick(name)) others().push_back(name);
  }
}

Ink ink_of(const std::string& mechanism) {
  if (mechanism == kSubject) return {kSubjectColor};
  const auto yardstick = std::ranges::find(kYardsticks, mechanism, &Yardstick::mechanism);
  if (yardstick != kYardsticks.end()) {
    return {kYardstickColors.at(static_cast<size_t>(yardstick - kYardsticks.begin()))};
  }
  const auto rank = static_cast<size_t>(std::ranges::find(others(), mechanism) - others().begin());
  return {kColors.at(rank % kColors.size()), rank / kColors.size() % kLaps};
}

}  // namespace lavo::report
