// SPDX-License-Identifier: MIT
// Tensors in the safetensors format. What was read is written and read again, bit for bit.
#include "lavo/core/safetensors.h"

#include <cstring>

#include "tests/fuzz/contract.h"
#include "tests/support/scratch.h"

using namespace lavo;

namespace {

bool is_same(const Tensor& a, const Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         (a.numel() == 0 || std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0);
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  static const Scratch folder;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  NamedTensors tensors;
  if (!refusal_of([&] { tensors = parse_safetensors(bytes, "input"); }).empty()) return 0;
  const auto copy = folder.path() / "copy.safetensors";
  write_safetensors(copy, tensors);
  const NamedTensors again = read_safetensors(copy);
  demand(tensors.size() == again.size(), "every tensor comes back");
  for (const auto& [name, tensor] : tensors) {
    demand(again.contains(name) && is_same(tensor, again.at(name)),
           "a tensor comes back as it was");
  }
  return 0;
}
