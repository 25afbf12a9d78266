// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace lavo {

/// CRC-32C (Castagnoli), the checksum of TensorBoard's records.
uint32_t crc32c(std::string_view bytes);

/// A TensorBoard event file of scalars: a new file in `folder`, appended to as training goes on.
///
/// Each record is length (8 B), masked CRC of it (4), an Event message, masked CRC of that (4),
/// little endian. Event: wall_time 1, step 2, file_version 3, summary 5 {value 1 {tag 1,
/// simple_value 2}}, session_log 7 {status 1, START = 1} (tensorflow/core/util/event.proto and
/// framework/summary.proto).
class EventFile {
 public:
  explicit EventFile(const std::filesystem::path& folder);
  /// Readers drop what earlier files of the folder hold of this step and later ones: a training
  /// that goes on is one curve.
  void session_start(int64_t first_step);
  void scalar(const std::string& tag, int64_t step, float value);
  void flush() { file_.flush(); }

 private:
  void record(const std::string& event);
  std::ofstream file_;
};

}  // namespace lavo
