// SPDX-License-Identifier: MIT
#include "lavo/core/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "lavo/core/check.h"
#include "lavo/core/files.h"

namespace lavo {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little endian");

constexpr std::pair<const char*, torch::ScalarType> kTypes[] = {
    {"F64", torch::kFloat64},   {"F32", torch::kFloat32}, {"F16", torch::kFloat16},
    {"BF16", torch::kBFloat16}, {"I64", torch::kInt64},   {"I32", torch::kInt32},
    {"I16", torch::kInt16},     {"I8", torch::kInt8},     {"U8", torch::kUInt8},
    {"BOOL", torch::kBool}};

constexpr uint64_t kLongestHeader = 100'000'000;  // the format's own limit

struct Slice {
  std::string name;
  torch::ScalarType type;
  std::vector<int64_t> shape;
  uint64_t begin, end;
};

torch::ScalarType type_of(const json& entry, const std::string& where) {
  const json& name = entry.at("dtype");
  for (const auto& [text, type] : kTypes) {
    if (name == text) return type;
  }
  fail<InputError>("{}: type {} is not supported", where,
                   name.dump(-1, ' ', true, json::error_handler_t::replace));
}

/// Bytes of a shape, or a refusal where it is negative, not integral or too large to count.
uint64_t byte_size(const json& shape, torch::ScalarType type, std::vector<int64_t>& sizes,
                   const std::string& where) {
  require<InputError>(shape.is_array(), "{}: shape must be a list", where);
  uint64_t bytes = torch::elementSize(type);
  for (const json& size : shape) {
    require<InputError>(size.is_number_unsigned() && size.get<uint64_t>() <= (uint64_t{1} << 62),
                        "{}: shape must hold integers >= 0, got {}", where, size.dump());
    const auto n = size.get<uint64_t>();
    // A size of 0 makes the others no smaller: strides are their product all the same.
    const uint64_t step = std::max<uint64_t>(n, 1);
    require<InputError>(bytes <= std::numeric_limits<int64_t>::max() / step,
                        "{}: shape is too large to count", where);
    bytes *= step;
    sizes.push_back(static_cast<int64_t>(n));
  }
  return std::ranges::count(sizes, 0) ? 0 : bytes;
}

Slice read_entry(const std::string& name, const json& entry, uint64_t data_size,
                 const std::string& source) {
  const std::string where = fmt::format("{}: tensor '{}'", source, name);
  require<InputError>(entry.is_object() && entry.contains("dtype") && entry.contains("shape") &&
                          entry.contains("data_offsets") && entry.size() == 3,
                      "{}: must have exactly dtype, shape and data_offsets", where);
  Slice slice{name, type_of(entry, where), {}, 0, 0};
  const uint64_t bytes = byte_size(entry["shape"], slice.type, slice.shape, where);
  const json& offsets = entry["data_offsets"];
  require<InputError>(offsets.is_array() && offsets.size() == 2 &&
                          offsets[0].is_number_unsigned() && offsets[1].is_number_unsigned(),
                      "{}: data_offsets must be two integers >= 0", where);
  slice.begin = offsets[0].get<uint64_t>();
  slice.end = offsets[1].get<uint64_t>();
  require<InputError>(slice.begin <= slice.end && slice.end <= data_size,
                      "{}: data_offsets [{}, {}] leave the data of {} bytes", where, slice.begin,
                      slice.end, data_size);
  require<InputError>(slice.end - slice.begin == bytes,
                      "{}: {} bytes of data, its type and shape need {}", where,
                      slice.end - slice.begin, bytes);
  return slice;
}

json read_header(std::string_view text, const std::string& source) {
  json header = parse_json(text, source + ": header");
  require<InputError>(header.is_object(), "{}: the safetensors header is not a JSON object",
                      source);
  return header;
}

}  // namespace

NamedTensors parse_safetensors(std::string_view bytes, const std::string& source) {
  uint64_t length = 0;
  require<InputError>(bytes.size() >= 8, "{}: not a safetensors file: {} bytes, wanted at least 8",
                      source, bytes.size());
  std::memcpy(&length, bytes.data(), 8);
  require<InputError>(length <= bytes.size() - 8 && length <= kLongestHeader,
                      "{}: not a safetensors file: a header of {} bytes in a file of {}", source,
                      length, bytes.size());
  const std::string_view data = bytes.substr(8 + length);
  const json header = read_header(bytes.substr(8, length), source);
  std::vector<Slice> slices;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") slices.push_back(read_entry(name, entry, data.size(), source));
  }
  std::ranges::sort(slices, {}, [](const Slice& s) { return std::pair(s.begin, s.end); });
  uint64_t used = 0;
  NamedTensors tensors;
  for (const Slice& slice : slices) {
    require<InputError>(slice.begin == used,
                        "{}: tensor '{}' begins at byte {}, the one before ends at {}", source,
                        slice.name, slice.begin, used);
    used = slice.end;
    const std::string_view bytes_of = data.substr(slice.begin, slice.end - slice.begin);
    require<InputError>(slice.type != torch::kBool ||
                            std::ranges::all_of(bytes_of, [](char c) { return c == 0 || c == 1; }),
                        "{}: tensor '{}': a BOOL must be a byte 0 or 1, got another", source,
                        slice.name);
    Tensor tensor = torch::empty(slice.shape, slice.type);
    if (!bytes_of.empty()) std::memcpy(tensor.data_ptr(), bytes_of.data(), bytes_of.size());
    tensors.emplace(slice.name, std::move(tensor));
  }
  require<InputError>(used == data.size(), "{}: {} bytes after the last tensor", source,
                      data.size() - used);
  return tensors;
}

NamedTensors read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(read_text(path), path.string());
}

void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const auto* type = std::ranges::find(kTypes, tensor.scalar_type(),
                                         &std::pair<const char*, torch::ScalarType>::second);
    require<InputError>(type != std::end(kTypes),
                        "{}: tensor '{}' has type {}, which has no name in safetensors",
                        path.string(), name, toString(tensor.scalar_type()));
    const Tensor flat = tensor.detach().to(torch::kCPU).contiguous();
    const size_t begin = data.size();
    if (flat.numel() > 0) data.append(static_cast<const char*>(flat.data_ptr()), flat.nbytes());
    header[name] = {{"dtype", type->first},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data starts aligned
  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), 8);
  write_atomically(path, bytes.append(text).append(data));
}

}  // namespace lavo
