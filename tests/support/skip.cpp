// SPDX-License-Identifier: MIT
#include "tests/support/skip.h"

#include <iostream>

namespace lavo {
namespace {
bool skipped_one = false;
}  // namespace

void skip(const std::string& reason) {
  skipped_one = true;
  std::cout << "skipped: " << reason << std::endl;
}

bool any_skipped() { return skipped_one; }

}  // namespace lavo
