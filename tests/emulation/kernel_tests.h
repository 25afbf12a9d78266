// SPDX-License-Identifier: MIT
// The kernels against float64, in several thread orders. The same program runs them on a GPU when
// it is built with LAVO_TEST_ON_GPU.
#pragma once

#include <string>

namespace lavo::cuda::test {

bool test_lavo();
bool test_causal_sum();

/// In which order threads run from now on, see emulation.h; a GPU has its own.
void set_order(unsigned order);

/// Prints one line; whether nothing is wrong.
bool report(const std::string& name, const char* what, unsigned order, const std::string& wrong);

}  // namespace lavo::cuda::test
