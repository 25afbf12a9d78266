// SPDX-License-Identifier: MIT
// Types and devices by the names that the command line and the axes use.
#pragma once

#include <array>
#include <string>

#include "lavo/core/mechanism.h"

namespace lavo {

/// As an axis; the order of kTypeNames.
enum class NumberType { kFloat64, kFloat32, kBfloat16, kFloat16 };
inline const std::vector<std::string> kTypeNames = {"float64", "float32", "bfloat16", "float16"};
torch::ScalarType scalar_type(NumberType type);

/// Throws OptionError with the nearest name; `owner` begins the message.
torch::ScalarType parse_type(const std::string& owner, const std::string& name);
const char* type_name(torch::ScalarType type);  ///< "float32"; LibTorch's own name for other types

/// "cpu", "cuda" or "cuda:1". Throws OptionError where it is none of them.
torch::Device parse_device(const std::string& owner, const std::string& name);

/// The same, and throws OptionError where the build or the machine lacks it.
torch::Device require_device(const std::string& owner, const std::string& name);

}  // namespace lavo
