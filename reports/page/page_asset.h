// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace lavo {

/// A file of reports/page/assets: "style.css".
std::string_view page_asset(std::string_view name);

}  // namespace lavo
