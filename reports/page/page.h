// SPDX-License-Identifier: MIT
#pragma once

#include "reports/page/sections.h"

namespace lavo::report {

/// The whole page: style, scripts, tables and charts in one file that asks the network for nothing.
/// `warnings` stand at the top. `bundle`: the libraries that draw the charts; "" leaves tables
/// only. `pictures`: whether ID.png and ID.svg lie beside the page.
std::string render_page(const std::vector<Section>& sections, const Results& results,
                        const std::vector<std::string>& warnings, const std::string& bundle,
                        bool pictures);

}  // namespace lavo::report
