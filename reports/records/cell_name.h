// SPDX-License-Identifier: MIT
// One name for a cell, the same in every format and every run:
//
//   name  = experiment *( "/" axis ":" value )
//
// mechanism, length and pass come first, then the other axes by name. Every axis is there, defaults
// too, so that a name means the same in a history of many sweeps. In a value "/", "%", spaces and
// control characters are written %XX; null is "unset".
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>

namespace lavo {

/// The axes that stand first wherever a cell is named.
inline constexpr std::array kLeadingAxes = {"mechanism", "length", "pass"};

/// "4096", "0.5", "true", "shared", "unset". 1 and 1.0 are the same.
std::string axis_text(const nlohmann::json& value);

std::string cell_name(const std::string& experiment, const nlohmann::json& axes);

}  // namespace lavo
