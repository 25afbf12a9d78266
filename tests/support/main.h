// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <vector>

namespace lavo {

/// What a program of tests does before the first of them, for what needs every static object.
std::vector<std::function<void()>>& before_tests();

}  // namespace lavo
