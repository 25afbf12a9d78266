// SPDX-License-Identifier: MIT
// For what needs no LibTorch, or little of it: a file that uses the other precompiled header spends
// two seconds on templates of LibTorch that it never asked for.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
