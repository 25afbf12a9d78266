// SPDX-License-Identifier: MIT
// Compiled once and shared by every target: LibTorch's headers take longer to read than our own
// code. Not torch/torch.h: every file would spend three more seconds on what it instantiates.
#include <fmt/format.h>
#include <torch/nn/module.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
