// SPDX-License-Identifier: MIT
#include "experiments/models/event_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>

namespace lavo {
namespace {

double wall_time_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string little_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// The rotation and the constant keep a checksum of data that holds checksums from being weak.
std::string masked_crc(std::string_view bytes) {
  return little_endian(std::rotr(crc32c(bytes), 15) + 0xa282ead8U, 4);
}

std::string varint(uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) text += static_cast<char>((value & 0x7f) | 0x80);
  return text + static_cast<char>(value);
}

// Fields of a protocol buffer message: number and wire type, then the value.
std::string field_double(int number, double value) {
  return varint(static_cast<uint64_t>(number << 3 | 1)) +
         little_endian(std::bit_cast<uint64_t>(value), 8);
}
std::string field_float(int number, float value) {
  return varint(static_cast<uint64_t>(number << 3 | 5)) +
         little_endian(std::bit_cast<uint32_t>(value), 4);
}
std::string field_integer(int number, int64_t value) {
  return varint(static_cast<uint64_t>(number << 3)) + varint(static_cast<uint64_t>(value));
}
std::string field_bytes(int number, const std::string& value) {
  return varint(static_cast<uint64_t>(number << 3 | 2)) + varint(value.size()) + value;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = c & 1 ? c >> 1 ^ 0x82f63b78U : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ crc >> 8;
  }
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto now = static_cast<int64_t>(wall_time_s());
  file_.open(folder / fmt::format("events.out.tfevents.{}.{}.{}", now, host.data(), ::getpid()),
             std::ios::binary | std::ios::app);
  record(field_double(1, wall_time_s()) + field_bytes(3, "brain.Event:2"));
}

void EventFile::session_start(int64_t first_step) {
  record(field_double(1, wall_time_s()) + field_integer(2, first_step) +
         field_bytes(7, field_integer(1, /*START*/ 1)));
}

void EventFile::scalar(const std::string& tag, int64_t step, float value) {
  const std::string summary_value = field_bytes(1, tag) + field_float(2, value);
  record(field_double(1, wall_time_s()) + field_integer(2, step) +
         field_bytes(5, field_bytes(1, summary_value)));
}

void EventFile::record(const std::string& event) {
  const std::string length = little_endian(event.size(), 8);
  file_ << length << masked_crc(length) << event << masked_crc(event);
}

}  // namespace lavo
