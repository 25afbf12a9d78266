// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace lavo {

/// A file of reports/records/schema: "cell.json".
std::string_view schema_text(std::string_view name);

}  // namespace lavo
