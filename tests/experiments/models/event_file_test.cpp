// SPDX-License-Identifier: MIT
#include "experiments/models/event_file.h"

#include <cstring>

#include "lavo/core/files.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace lavo;

namespace {

uint64_t number(const std::string& bytes, size_t at, size_t size) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, size);
  return value;
}

uint32_t masked(const std::string& bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

}  // namespace

TEST_CASE("CRC-32C of the check string and of RFC 3720's examples") {
  CHECK(crc32c("123456789") == 0xe3069283U);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aaU);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
}

TEST_CASE("an event file is a chain of checked records that hold the scalars") {
  const Scratch folder;
  {
    EventFile events(folder.path() / "run");
    events.session_start(300);
    events.scalar("loss/train", 300, 2.5F);
    events.scalar("loss/train", 301, -1.0F);
  }
  const auto entry = *std::filesystem::directory_iterator(folder.path() / "run");
  CHECK_THAT(entry.path().filename().string(), ContainsSubstring("events.out.tfevents."));
  const std::string file = read_text(entry.path());
  std::vector<std::string> events;
  for (size_t at = 0; at < file.size();) {
    const size_t length = number(file, at, 8);
    REQUIRE(at + 16 + length <= file.size());
    CHECK(number(file, at + 8, 4) == masked(file.substr(at, 8)));
    events.push_back(file.substr(at + 12, length));
    CHECK(number(file, at + 12 + length, 4) == masked(events.back()));
    at += 16 + length;
  }
  REQUIRE(events.size() == 4);
  CHECK_THAT(events[0], ContainsSubstring("brain.Event:2"));
  // After the wall time (9 bytes): step 300 is varint ac 02; then the session's log, or the summary
  // with its one value.
  CHECK(events[1].substr(9) == std::string("\x10\xac\x02\x3a\x02\x08\x01", 7));
  const std::string expected =
      std::string("\x10\xac\x02\x2a\x13\x0a\x11\x0a\x0aloss/train\x15\x00\x00\x20\x40", 24);
  CHECK(events[2].substr(9) == expected);
}
