// SPDX-License-Identifier: MIT
// What every reader promises of every input: it is read, or refused with an InputError or an
// OptionError of one line. Whatever else comes out of a target ends the program, and so is found.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lavo/core/check.h"

namespace lavo {

/// Ends the program unless `condition` holds.
inline void demand(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

/// The text of the refusal, or "" where `read` returned.
template <class Read>
std::string refusal_of(Read&& read) {
  std::string text;
  try {
    read();
    return text;
  } catch (const InputError& error) {
    text = error.what();
  } catch (const OptionError& error) {
    text = error.what();
  }
  demand(!text.empty(), "a refusal says why");
  demand(text.find('\n') == std::string::npos, "a refusal is one line");
  return text;
}

}  // namespace lavo

/// libFuzzer's name for a target: one input, always 0.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size);
