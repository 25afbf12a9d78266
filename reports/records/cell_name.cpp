// SPDX-License-Identifier: MIT
#include "reports/records/cell_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace lavo {
namespace {

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || c == '/' || c == '%') {
      result += fmt::format("%{:02X}", byte);
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

std::string axis_text(const nlohmann::json& value) {
  if (value.is_null()) return "unset";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string cell_name(const std::string& experiment, const nlohmann::json& axes) {
  std::string name = escaped(experiment);
  const auto add = [&](const std::string& axis, const nlohmann::json& value) {
    name += "/" + escaped(axis) + ":" + escaped(axis_text(value));
  };
  for (const char* axis : kLeadingAxes) {
    if (const auto found = axes.find(axis); found != axes.end()) add(axis, *found);
  }
  for (const auto& [axis, value] : axes.items()) {
    if (std::ranges::find(kLeadingAxes, axis) == kLeadingAxes.end()) add(axis, value);
  }
  return name;
}

}  // namespace lavo
