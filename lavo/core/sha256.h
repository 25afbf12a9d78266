// SPDX-License-Identifier: MIT
// Names by content: cells of a sweep, corpora, trained models.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lavo {

/// SHA-256 (FIPS 180-4), fed in pieces.
class Sha256 {
 public:
  void update(std::string_view bytes);
  /// 64 hexadecimal digits. Ends the object's use.
  std::string hex();

 private:
  void compress(const unsigned char* block);

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> pending_ = {};
  uint64_t length_ = 0;
};

std::string sha256(std::string_view bytes);

/// Of a file's content, read in pieces. Throws InputError naming the file.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace lavo
