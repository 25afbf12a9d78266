// SPDX-License-Identifier: MIT
// What is asked of inputs whatever the mechanism.
#include <fmt/ranges.h>

#include <algorithm>

#include "lavo/core/check.h"
#include "lavo/core/inputs.h"

namespace lavo {
namespace {

bool is_supported_type(torch::ScalarType type) {
  return type == torch::kFloat64 || type == torch::kFloat32 || type == torch::kBFloat16 ||
         type == torch::kFloat16;
}

std::string type_and_device(const Tensor& x) {
  return fmt::format("{} on {}", toString(x.scalar_type()), x.device().str());
}

void check_tensor(const std::string& owner, const std::string& name, const Tensor& x,
                  const Tensor& query) {
  require<ShapeError>(std::ranges::all_of(x.sizes(), [](int64_t n) { return n > 0; }),
                      "{}: {} must not be empty, got {}", owner, name, sizes_text(x));
  require<ShapeError>(is_supported_type(x.scalar_type()),
                      "{}: {} must be float64, float32, bfloat16 or float16, got {}", owner, name,
                      toString(x.scalar_type()));
  require<ShapeError>(x.scalar_type() == query.scalar_type() && x.device() == query.device(),
                      "{}: {} is {}, query is {}", owner, name, type_and_device(x),
                      type_and_device(query));
}

void check_query_key_value(const std::string& owner, const Inputs& in) {
  const Tensor &query = in.query, &key = in.key, &value = in.value;
  const std::pair<const char*, const Tensor*> named[] = {
      {"query", &query}, {"key", &key}, {"value", &value}};
  for (const auto& [name, x] : named) {
    require<ShapeError>(x->defined() && x->dim() == 4,
                        "{}: {} must be [batch, heads, length, width], got {}", owner, name,
                        sizes_text(*x));
    check_tensor(owner, name, *x, query);
  }
  const int64_t H = query.size(1);
  require<ShapeError>(key.size(0) == query.size(0) && H % key.size(1) == 0,
                      "{}: key is {}, query is {}: batch and heads must agree, or heads divide "
                      "those of the query",
                      owner, sizes_text(key), sizes_text(query));
  require<ShapeError>(key.size(3) == query.size(3), "{}: key is {}, query is {}: widths must agree",
                      owner, sizes_text(key), sizes_text(query));
  const bool grouped_values = key.size(1) == H && value.size(1) % H == 0;
  require<ShapeError>(value.size(0) == key.size(0) && value.size(2) == key.size(2) &&
                          (value.size(1) == key.size(1) || grouped_values),
                      "{}: value is {}, key is {}: batch, heads and lengths must agree; values may "
                      "have more heads, "
                      "a multiple, where keys have those of the query",
                      owner, sizes_text(value), sizes_text(key));
}

void check_mask(const std::string& owner, const Inputs& in) {
  const Tensor& mask = in.key_mask;
  if (!mask.defined()) return;
  const bool fits =
      mask.dim() == 2 && mask.size(0) == in.key.size(0) && mask.size(1) == in.key.size(2);
  require<ShapeError>(fits, "{}: key_mask must be [{}, {}], got {}", owner, in.key.size(0),
                      in.key.size(2), sizes_text(mask));
  require<ShapeError>(mask.scalar_type() == torch::kBool || mask.scalar_type() == torch::kByte,
                      "{}: key_mask must be bool or uint8, got {}", owner,
                      toString(mask.scalar_type()));
  require<ShapeError>(mask.device() == in.query.device(), "{}: key_mask is on {}, query is on {}",
                      owner, mask.device().str(), in.query.device().str());
}

/// What the letters stand for; -1 where any number will do.
int64_t size_of(char letter, const Inputs& in) {
  const Shape s = in.shape();
  switch (letter) {
    case 'B':
      return s.B;
    case 'H':
      return s.H;
    case 'T':
      return s.T;
    case 'S':
      return s.S;
    case 'D':
      return s.D;
    case 'E':
      return s.E;
    default:
      return -1;
  }
}

void check_extra(const std::string& owner, const InputSpec& spec, const Inputs& in) {
  const Tensor x = in[spec.name];
  require<ShapeError>(x.defined(), "{}: '{}' {} is missing: {}", owner, spec.name, spec.letters,
                      spec.meaning);
  std::vector<std::string> wanted;
  bool fits = x.dim() == static_cast<int64_t>(spec.letters.size());
  for (size_t i = 0; i < spec.letters.size(); ++i) {
    const char letter = spec.letters[i];
    const int64_t size = size_of(letter, in);
    wanted.push_back(size < 0 ? std::string(1, letter) : std::to_string(size));
    if (!fits || size < 0) continue;
    const int64_t own = x.size(static_cast<int64_t>(i));
    // A head of keys and values shares what is its own with the queries that it serves.
    fits = own == size || (letter == 'H' && own == in.value.size(1));
  }
  require<ShapeError>(fits, "{}: '{}' must be [{}], got {}", owner, spec.name,
                      fmt::join(wanted, ", "), sizes_text(x));
  check_tensor(owner, fmt::format("'{}'", spec.name), x, in.query);
}

}  // namespace

void check_inputs(const Inputs& in, const std::vector<InputSpec>& specs, const std::string& owner) {
  check_query_key_value(owner, in);
  check_mask(owner, in);
  for (const InputSpec& spec : specs) check_extra(owner, spec, in);
  for (const auto& [name, given] : in.extra) {
    const bool declared = std::ranges::find(specs, name, &InputSpec::name) != specs.end();
    require<ShapeError>(declared, "{}: with these options it takes no '{}'", owner, name);
  }
}

}  // namespace lavo
