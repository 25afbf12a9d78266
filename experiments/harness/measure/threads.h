// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace lavo {

/// "2 threads were asked for, 1 ran", or "2 threads ran on 1 core(s)", measured by a parallel loop
/// with so many jobs; "" where as many ran, each with a core to itself.
std::string thread_warning(int64_t wanted);

}  // namespace lavo
