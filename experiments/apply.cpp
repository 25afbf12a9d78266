// SPDX-License-Identifier: MIT
#include "experiments/apply.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "baselines/table.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

constexpr const char* kExpected = "expected_";
const std::vector<std::string> kInputNames = {"query",    "key",         "value",
                                              "key_mask", "grad_output", "cu_seqlens"};

std::string sizes(torch::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

bool is_input(const std::string& name) {
  return std::ranges::find(kInputNames, name) != kInputNames.end();
}

void check_request(const ApplyRequest& r) {
  require<OptionError>(!r.reference || (!r.grad && r.chunks.empty()),
                       "apply: --reference runs the oracle on the whole input: it goes with "
                       "neither --grad nor --chunks");
  if (r.chunks.empty()) return;
  require<OptionError>(r.causal, "apply: --chunks streams a causal sequence: it needs --causal");
  require<OptionError>(!r.grad, "apply: --chunks does not go with --grad");
  require<OptionError>(std::ranges::all_of(r.chunks, [](int64_t n) { return n > 0; }),
                       "apply: --chunks must be lengths >= 1, got {}", fmt::join(r.chunks, ","));
}

/// query, key or value as a floating tensor of four dimensions; what else they must be the
/// mechanism says.
Tensor read_input(const NamedTensors& given, const std::string& name, const ApplyRequest& request,
                  const std::string& source) {
  const auto found = given.find(name);
  require<InputError>(found != given.end(), "{}: tensor '{}' is missing", source, name);
  const Tensor& x = found->second;
  require<InputError>(x.is_floating_point(), "{}: '{}' must be a floating type, got {}", source,
                      name, toString(x.scalar_type()));
  require<InputError>(x.dim() == 4 && x.numel() > 0,
                      "{}: '{}' must be [batch, heads, length, width], none of them 0, got {}",
                      source, name, sizes(x.sizes()));
  return x.to(request.device, request.type.value_or(x.scalar_type()));
}

/// Puts `x` in the place of the parameter or buffer of that name.
void replace_tensor(Mechanism& mechanism, const std::string& name, const Tensor& x,
                    const std::string& source, int64_t heads) {
  auto parameters = mechanism.named_parameters();
  auto buffers = mechanism.named_buffers();
  Tensor* own = parameters.find(name);
  if (!own) own = buffers.find(name);
  if (!own) {
    std::vector<std::string> known = kInputNames;
    for (const auto& key : parameters.keys()) known.push_back(key);
    for (const auto& key : buffers.keys()) known.push_back(key);
    fail<InputError>("{}: {} with these options has no tensor '{}'{} tensors: {}", source,
                     mechanism.kind(), name,
                     did_you_mean(name, known).empty() ? "," : did_you_mean(name, known),
                     fmt::join(known, ", "));
  }
  std::vector<std::vector<int64_t>> allowed = {own->sizes().vec()};
  if (mechanism.one_or_per_head(name)) {
    std::vector<int64_t> shape = own->sizes().slice(own->dim() - 2).vec();
    allowed = {shape, {heads, shape[0], shape[1]}};
  }
  if (std::ranges::find(allowed, x.sizes().vec()) == allowed.end()) {
    std::vector<std::string> texts;
    for (const auto& shape : allowed) texts.push_back(sizes(shape));
    fail<InputError>("{}: '{}' must be {} for {} with these options, got {}", source, name,
                     fmt::join(texts, " or "), mechanism.kind(), sizes(x.sizes()));
  }
  require<InputError>(x.is_floating_point() == own->is_floating_point(),
                      "{}: '{}' must be {}, got {}", source, name, toString(own->scalar_type()),
                      toString(x.scalar_type()));
  own->set_data(x.to(own->options()).clone());
}

/// The mechanism sees pieces only: what the cutting would drop or trip over is refused here.
void check_whole(const Inputs& in) {
  const Shape s = in.shape();
  require<ShapeError>(s.T == s.S && s.S == in.value.size(2),
                      "apply: --chunks streams self attention: query, key and value must be "
                      "equally long, got {}, {} and {}",
                      s.T, s.S, in.value.size(2));
  require<ShapeError>(
      !in.key_mask.defined() || (in.key_mask.dim() == 2 && in.key_mask.size(1) == s.S),
      "apply: key_mask must be [{}, {}], got {}", s.B, s.S,
      in.key_mask.defined() ? sizes(in.key_mask.sizes()) : "nothing");
}

Tensor stream(Mechanism& mechanism, const Inputs& in, const std::vector<int64_t>& chunks) {
  check_whole(in);
  const auto state = mechanism.new_state();
  const int64_t T = in.query.size(2);
  Pieces outputs(T);
  for (int64_t begin = 0, i = 0; begin < T; ++i) {
    const int64_t count = std::min(T - begin, chunks[static_cast<size_t>(i) % chunks.size()]);
    Inputs piece = in;
    for (Tensor* x : {&piece.query, &piece.key, &piece.value}) *x = x->narrow(2, begin, count);
    if (in.key_mask.defined()) piece.key_mask = in.key_mask.narrow(1, begin, count);
    outputs.add(mechanism.forward(piece, *state));
    begin += count;
  }
  return outputs.result();
}

NamedTensors forward_backward(Mechanism& mechanism, Inputs in, const NamedTensors& given,
                              const std::string& source) {
  for (Tensor* x : {&in.query, &in.key, &in.value}) *x = x->detach().requires_grad_();
  const Tensor output = mechanism.forward(in);
  Tensor weight = torch::ones_like(output);
  if (const auto found = given.find("grad_output"); found != given.end()) {
    require<InputError>(
        found->second.sizes() == output.sizes() && found->second.is_floating_point(),
        "{}: 'grad_output' must be a floating {}, got {} {}", source, sizes(output.sizes()),
        toString(found->second.scalar_type()), sizes(found->second.sizes()));
    weight = found->second.to(output.options());
  }
  output.backward(weight);
  NamedTensors made = {{"output", output.detach()}};
  const auto add = [&](const std::string& name, const Tensor& x) {
    made["grad_" + name] = x.grad().defined() ? x.grad() : torch::zeros_like(x);
  };
  add("query", in.query);
  add("key", in.key);
  add("value", in.value);
  for (const auto& parameter : mechanism.named_parameters()) {
    if (parameter->requires_grad()) add(parameter.key(), parameter.value());
  }
  return made;
}

}  // namespace

NamedTensors apply(const ApplyRequest& request, const NamedTensors& given,
                   const std::string& source) {
  check_request(request);
  const Entry& entry = find_mechanism(request.mechanism);
  require<OptionError>(
      request.chunks.empty() || entry.has_state,
      "apply: --chunks: {} has no streaming state: its output depends on the whole sequence",
      entry.name);

  Inputs in{.query = read_input(given, "query", request, source),
            .key = read_input(given, "key", request, source),
            .value = read_input(given, "value", request, source),
            .causal = request.causal,
            .cross = request.cross};
  if (const auto mask = given.find("key_mask"); mask != given.end()) {
    in.key_mask = mask->second.to(request.device);
  }
  if (const auto edges = given.find("cu_seqlens"); edges != given.end()) {
    in.cu_seqlens = edges->second;
  }
  const Shape shape = in.shape();
  const Setting setting{.heads = shape.H,
                        .head_dim = shape.D,
                        .value_dim = shape.E,
                        .query_length = shape.T,
                        .key_length = shape.S,
                        .causal = request.causal,
                        .cross = in.is_cross()};
  const auto mechanism = make_mechanism(entry.name, request.options, setting, request.seed,
                                        in.query.scalar_type(), request.device);
  for (const auto& [name, x] : given) {
    if (!is_input(name) && !name.starts_with(kExpected)) {
      replace_tensor(*mechanism, name, x, source, shape.H);
    }
  }

  if (request.grad) return forward_backward(*mechanism, in, given, source);
  torch::NoGradGuard no_grad;
  if (request.reference) {
    std::vector<int64_t> rows(static_cast<size_t>(shape.T));
    std::iota(rows.begin(), rows.end(), 0);
    return {{"output", mechanism->reference(in, rows)}};
  }
  if (!request.chunks.empty()) return {{"output", stream(*mechanism, in, request.chunks)}};
  return {{"output", mechanism->forward(in)}};
}

std::vector<Agreement> compare_expected(const NamedTensors& made, const NamedTensors& given,
                                        double rtol, double atol, const std::string& source) {
  std::vector<Agreement> agreements;
  for (const auto& [name, expected] : given) {
    if (!name.starts_with(kExpected)) continue;
    Agreement agreement{.name = name.substr(std::string(kExpected).size())};
    const auto found = made.find(agreement.name);
    const bool is_gradient = agreement.name.starts_with("grad_");
    const bool may_lack = is_gradient && (!made.contains("grad_query") ||  // --grad was not given
                                          given.contains(agreement.name.substr(5)));  // a buffer
    require<InputError>(found != made.end() || may_lack, "{}: '{}': {}", source, name,
                        is_gradient ? "there is no such gradient"
                                    : "apply makes output and grad_*, nothing of that name");
    if (found != made.end()) {
      require<InputError>(expected.sizes() == found->second.sizes(), "{}: '{}' is {}, {} is {}",
                          source, name, sizes(expected.sizes()), agreement.name,
                          sizes(found->second.sizes()));
      const Tensor a = found->second.to(torch::kCPU, torch::kFloat64);
      const Tensor b = expected.to(torch::kFloat64);
      const Tensor error = (a - b).abs().nan_to_num(std::numeric_limits<double>::infinity(),
                                                    std::numeric_limits<double>::infinity());
      agreement.compared = true;
      agreement.error = error.max().item<double>();
      agreement.excess = (error - (atol + rtol * b.abs()))
                             .nan_to_num(std::numeric_limits<double>::infinity())
                             .max()
                             .item<double>();
    }
    agreements.push_back(agreement);
  }
  require<InputError>(std::ranges::any_of(agreements, &Agreement::compared),
                      "{}: --check: no expected_output or expected_grad_* to compare with", source);
  return agreements;
}

}  // namespace lavo
