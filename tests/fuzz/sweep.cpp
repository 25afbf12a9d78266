// SPDX-License-Identifier: MIT
// Sweep files: tables, conditions and limits. A file that is refused is refused alike under every
// profile.
#include "experiments/harness/sweep/sweep.h"

#include "tests/fuzz/contract.h"
#include "tests/support/scratch.h"

using namespace lavo;

namespace {

constexpr double kMostPoints = 1000;  ///< more than that costs time and shows nothing new

double count(const std::vector<Axis>& axes) {
  double points = 1;
  for (const Axis& axis : axes) points *= static_cast<double>(axis.values.size());
  return points;
}

void look_at_points(const Sweep& sweep) {
  double points = count(sweep.axes);
  for (const auto& table : sweep.cells) points += count(table);
  if (points * count(sweep.match) > kMostPoints) return;
  for (const Point& point : combinations(sweep)) {
    for (const auto& [name, value] : point.axes.items()) {
      demand(!sweep.place_of(name, point.table).empty(), "every value has a place in the file");
    }
    for (const Only& only : sweep.only) only.when.holds(point.axes);
    for (const Expression& exclude : sweep.exclude) {
      exclude.holds(point.axes);
      for (const std::string& name : exclude.names()) exclude.texts_compared_with(name);
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  static const Scratch folder;
  const auto file =
      folder.write("sweep.toml", std::string(reinterpret_cast<const char*>(data), size));
  std::string first;
  for (const std::string& profile : kProfiles) {
    const std::string refusal = refusal_of([&] { look_at_points(read_sweep(file, profile)); });
    if (profile == kProfiles.front()) first = refusal;
    demand(refusal == first, "a mistake shows whichever profile is run");
  }
  return 0;
}
