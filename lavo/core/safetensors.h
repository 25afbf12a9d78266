// SPDX-License-Identifier: MIT
// The safetensors format: 8 bytes of header length (little endian), a JSON header {name: {dtype,
// shape, data_offsets}}, then the data. https://huggingface.co/docs/safetensors
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "lavo/core/mechanism.h"

namespace lavo {

using NamedTensors = std::map<std::string, Tensor>;

/// Reads every tensor to the CPU. Refuses, with one line that names the file and the tensor: a
/// header longer than the file, invalid JSON, duplicate names, unknown types, offsets out of
/// bounds, overlapping or leaving bytes unused, and sizes that disagree with shape and type.
NamedTensors read_safetensors(const std::filesystem::path& path);

/// The same from memory; `source` names it in messages.
NamedTensors parse_safetensors(std::string_view bytes, const std::string& source);

/// Written to a temporary file and renamed. Types: float64, float32, float16, bfloat16, int64,
/// int32, int16, int8, uint8, bool.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace lavo
