// SPDX-License-Identifier: MIT
#include <ATen/Context.h>

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#endif
#include "tests/support/catch.h"
#include "tests/support/main.h"
#include "tests/support/skip.h"

std::vector<std::function<void()>>& lavo::before_tests() {
  static std::vector<std::function<void()>> actions;
  return actions;
}

// Tensors that nobody has written hold NaN, so that a result which reads one cannot look right.
int main(int argc, char** argv) {
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(true);
  for (const auto& action : lavo::before_tests()) action();
  // Catch2 returns the number of failed checks, which could be kSkipped.
  if (Catch::Session().run(argc, argv) != 0) return 1;
  return lavo::any_skipped() ? lavo::kSkipped : 0;
}
