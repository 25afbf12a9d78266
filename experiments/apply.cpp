// SPDX-License-Identifier: MIT
#include "experiments/apply.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "baselines/table.h"
#include "lavo/core/check.h"
#include "lavo/core/pieces.h"
#include "lavo/core/problem.h"

namespace lavo {
namespace {

constexpr const char* kExpected = "expected_";
const std::vector<std::string> kInputNames = {"query",    "key",         "value",
                                              "key_mask", "grad_output", "cu_seqlens"};

constexpr std::string_view kInitialState = "initial_state", kFinalState = "final_state";
constexpr const char* kPosition = "position";

/// "initial_state" for "", "initial_state_key" for "key".
std::string state_name(std::string_view prefix, const std::string& name) {
  return std::string(prefix) + (name.empty() ? "" : "_" + name);
}

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
      "apply: key_mask must be [{}, {}], got {}", s.B, s.S, sizes_text(in.key_mask));
}

/// One call: the mechanism with what the file gives, and what is asked of it.
class Call {
 public:
  Call(const ApplyRequest& request, const NamedTensors& given, const std::string& source)
      : request_(request),
        given_(given),
        source_(source),
        entry_(find_mechanism(request.mechanism)) {
    require<OptionError>(
        request.chunks.empty() || entry_.facts.has_state,
        "apply: --chunks: {} has no streaming state: its output depends on the whole sequence",
        entry_.name);
    read_tokens();
    make_mechanism();
    read_declared();
    replace_tensors();
    begin_state();
  }

  NamedTensors result() {
    if (request_.grad) return forward_backward();
    torch::NoGradGuard no_grad;
    if (request_.reference) {
      std::vector<int64_t> rows(static_cast<size_t>(in_.query.size(2)));
      std::iota(rows.begin(), rows.end(), 0);
      return {{"output", mechanism_->reference(in_, rows)}};
    }
    NamedTensors made;
    if (!request_.chunks.empty()) {
      made["output"] = stream();
    } else {
      made["output"] =
          starts_from_state_ ? mechanism_->forward(in_, *state_) : mechanism_->forward(in_);
    }
    add_final_state(made);
    return made;
  }

 private:
  void read_tokens() {
    in_ = {.query = read_input(given_, "query", request_, source_),
           .key = read_input(given_, "key", request_, source_),
           .value = read_input(given_, "value", request_, source_),
           .causal = request_.causal,
           .cross = request_.cross};
    if (const auto mask = given_.find("key_mask"); mask != given_.end()) {
      in_.key_mask = mask->second.to(request_.device);
    }
    if (const auto edges = given_.find("cu_seqlens"); edges != given_.end()) {
      in_.cu_seqlens = edges->second;
    }
  }

  /// With the counts that the given tensors say.
  void make_mechanism() {
    const Shape shape = in_.shape();
    const Setting setting{.heads = shape.H,
                          .head_dim = shape.D,
                          .value_dim = shape.E,
                          .query_length = shape.T,
                          .key_length = shape.S,
                          .causal = request_.causal,
                          .cross = in_.is_cross()};
    json options = request_.options;
    for (const InputSpec& spec : entry_.create(options, setting, request_.seed)->inputs()) {
      const auto found = given_.find(spec.name);
      const size_t at = spec.letters.find_first_of("ML");
      if (found == given_.end() || spec.count_option.empty() || at == std::string::npos ||
          found->second.dim() != static_cast<int64_t>(spec.letters.size())) {
        continue;
      }
      const int64_t count = found->second.size(static_cast<int64_t>(at));
      const json asked = request_.options.value(spec.count_option, json());
      require<OptionError>(asked.is_null() || asked == count,
                           "{}: '{}' is {}: option '{}' must be {} or left out, got {}", source_,
                           spec.name, sizes(found->second.sizes()), spec.count_option, count,
                           asked.dump());
      options[spec.count_option] = count;
    }
    mechanism_ = lavo::make_mechanism(entry_.name, options, setting, request_.seed,
                                      in_.query.scalar_type(), request_.device);
    options_ = entry_.resolve(options, setting);
    mechanism_->eval();  // no forward counts as one of training
  }

  void read_declared() {
    std::optional<Inputs> drawn;
    for (const InputSpec& spec : mechanism_->inputs()) {
      const auto found = given_.find(spec.name);
      if (found != given_.end()) {
        require<InputError>(found->second.is_floating_point(),
                            "{}: '{}' must be a floating type, got {}", source_, spec.name,
                            toString(found->second.scalar_type()));
        in_.set(spec, found->second.to(in_.query.options()));
        declared_.push_back(spec.name);
        continue;
      }
      require<InputError>(!spec.is_per_token(), "{}: tensor '{}' [{}] is missing: {} takes it, {}",
                          source_, spec.name, fmt::join(spec.letters, ", "), entry_.name,
                          spec.meaning);
      if (!drawn) {
        drawn = random_inputs(*mechanism_, in_.shape(), in_.query.scalar_type(), request_.seed,
                              {.device = request_.device}, options_);
      }
      in_.set(spec, (*drawn)[spec.name]);
    }
  }

  void replace_tensors() {
    for (const auto& [name, x] : given_) {
      const bool is_declared = std::ranges::find(declared_, name) != declared_.end();
      if (is_input(name) || is_declared || name.starts_with(kExpected) ||
          name.starts_with(kInitialState)) {
        continue;
      }
      replace_tensor(*mechanism_, name, x, source_, in_.shape().H);
    }
  }

  /// A state where the call has one, with what the file gives in it.
  void begin_state() {
    if (!request_.chunks.empty()) {
      check_whole(in_);
      require<ShapeError>(!in_.is_cross() && !in_.cu_seqlens.defined(),
                          "apply: --chunks streams causal self attention of one document, got {}",
                          in_.is_cross() ? "--cross" : "cu_seqlens");
    }
    // Before pieces are cut from gates that are too short for it.
    check_inputs(in_, mechanism_->inputs(), mechanism_->kind());
    const bool streams = in_.pattern() == Pattern::kCausalSelf && entry_.facts.has_state &&
                         !in_.cu_seqlens.defined() && !request_.reference;
    try {
      if (streams) state_ = mechanism_->new_state();
    } catch (const OptionError&) {  // with these options it has none
      if (!request_.chunks.empty()) throw;
    }
    std::vector<std::pair<std::string, Tensor>> initial;
    for (const auto& [name, x] : given_) {
      if (name.starts_with(kInitialState)) initial.emplace_back(name, x);
    }
    if (initial.empty()) return;
    require<InputError>(
        state_ != nullptr,
        "{}: '{}': this call of {} has no state to begin from: it takes causal self attention of "
        "one document{}",
        source_, initial[0].first, entry_.name, request_.reference ? ", not --reference" : "");
    const auto probe = mechanism_->new_state();
    {
      torch::NoGradGuard no_grad;
      Inputs one = in_.narrow(0, 1);  // with a mask: the file's state may have one
      if (!one.key_mask.defined()) {
        const auto type = torch::TensorOptions(torch::kBool).device(one.key.device());
        one.key_mask = torch::ones({one.key.size(0), 1}, type);
      }
      mechanism_->forward(one, *probe);
    }
    for (const auto& [name, x] : initial) assign_state(name, x, *probe);
    check_state(*probe);
    starts_from_state_ = true;
  }

  /// All that has no tokens must be given; of what has, all or none, for the same tokens, and then
  /// the position behind them too, as for a state that means nothing without it.
  void check_state(const State& probe) {
    std::vector<std::string> missing;
    std::optional<int64_t> tokens;
    for (const auto& [name, like] : probe.named()) {
      const std::string full_name = state_name(kInitialState, name);
      const auto found = given_.find(full_name);
      const int64_t dim = probe.token_dim(name);
      if (found == given_.end()) {
        require<InputError>(dim >= 0, "{}: tensor '{}' {} is missing", source_, full_name,
                            sizes_text(like));
        if (like.is_floating_point()) missing.push_back(full_name);
        continue;
      }
      if (dim < 0) continue;
      const int64_t count = found->second.size(dim);
      require<InputError>(count == tokens.value_or(count), "{}: '{}' has {} tokens, another has {}",
                          source_, full_name, count, tokens.value_or(count));
      tokens = count;
    }
    if (!tokens && !probe.needs_position()) return;
    require<InputError>(!tokens || missing.empty(), "{}: tensor '{}' is missing beside the others",
                        source_, missing.empty() ? "" : missing[0]);
    const std::string position = state_name(kInitialState, kPosition);
    require<InputError>(given_.contains(position), "{}: tensor '{}' is missing: tokens so far",
                        source_, position);
  }

  void assign_state(const std::string& full_name, const Tensor& x, const State& probe) {
    if (full_name == state_name(kInitialState, kPosition)) {
      require<InputError>(
          x.numel() == 1 && torch::isIntegralType(x.scalar_type(), false) && x.item<int64_t>() >= 0,
          "{}: '{}' must be one whole number >= 0", source_, full_name);
      state_->position = x.item<int64_t>();
      return;
    }
    std::vector<std::string> known = {state_name(kInitialState, kPosition)};
    for (const auto& [name, like] : probe.named()) {
      known.push_back(state_name(kInitialState, name));
      if (known.back() != full_name) continue;
      const int64_t free = probe.token_dim(name);
      bool fits = x.dim() == like.dim() && x.is_floating_point() == like.is_floating_point();
      for (int64_t d = 0; fits && d < x.dim(); ++d) fits = d == free || x.size(d) == like.size(d);
      require<InputError>(fits, "{}: '{}' must be {}, got {} {}", source_, full_name,
                          sizes_text(like), toString(x.scalar_type()), sizes_text(x));
      Tensor leaf = x.to(like.options()).clone();
      if (request_.grad && leaf.is_floating_point()) leaf.requires_grad_();
      state_->assign(name, leaf);
      initial_.emplace_back(full_name, leaf);
      return;
    }
    throw InputError(fmt::format("{}: {}", source_, unknown_name("tensor", full_name, known)));
  }

  Tensor stream() {
    const int64_t T = in_.query.size(2);
    Pieces outputs(T);
    for (int64_t begin = 0, i = 0; begin < T; ++i) {
      const int64_t asked = request_.chunks[static_cast<size_t>(i) % request_.chunks.size()];
      const int64_t count = std::min(T - begin, asked);
      outputs.add(mechanism_->forward(in_.narrow(begin, count), *state_));
      begin += count;
    }
    return outputs.result();
  }

  void add_final_state(NamedTensors& made) {
    if (!state_) return;
    if (!starts_from_state_ && request_.chunks.empty()) {
      torch::NoGradGuard no_grad;
      mechanism_->forward(in_, *state_);
    }
    for (const auto& [name, x] : state_->named()) {
      made[state_name(kFinalState, name)] = x.detach().contiguous();
    }
    made[state_name(kFinalState, kPosition)] = torch::tensor(state_->position, torch::kLong);
  }

  NamedTensors forward_backward() {
    Inputs in = in_.leaves();
    const Tensor output =
        starts_from_state_ ? mechanism_->forward(in, *state_) : mechanism_->forward(in);
    Tensor weight = torch::ones_like(output);
    if (const auto found = given_.find("grad_output"); found != given_.end()) {
      require<InputError>(
          found->second.sizes() == output.sizes() && found->second.is_floating_point(),
          "{}: 'grad_output' must be a floating {}, got {} {}", source_, sizes(output.sizes()),
          toString(found->second.scalar_type()), sizes(found->second.sizes()));
      weight = found->second.to(output.options());
    }
    output.backward(weight);
    NamedTensors made = {{"output", output.detach()}};
    const auto add = [&](const std::string& name, const Tensor& x) {
      made["grad_" + name] = x.grad().defined() ? x.grad() : torch::zeros_like(x);
    };
    in.each([&](const std::string& name, const Tensor& x, const std::string&) {
      if (given_.contains(name)) add(name, x);
    });
    for (const auto& [name, x] : initial_) {
      if (x.is_floating_point()) add(name, x);
    }
    for (const auto& parameter : mechanism_->named_parameters()) {
      if (parameter->requires_grad()) add(parameter.key(), parameter.value());
    }
    add_final_state(made);
    return made;
  }

  const ApplyRequest& request_;
  const NamedTensors& given_;
  const std::string& source_;
  const Entry& entry_;
  Inputs in_;
  std::shared_ptr<Mechanism> mechanism_;
  json options_;
  std::vector<std::string> declared_;  ///< that the file gives
  std::unique_ptr<State> state_;       ///< null where the call has none
  bool starts_from_state_ = false;
  std::vector<std::pair<std::string, Tensor>> initial_;  ///< what the file gives of it
};

}  // namespace

NamedTensors apply(const ApplyRequest& request, const NamedTensors& given,
                   const std::string& source) {
  check_request(request);
  return Call(request, given, source).result();
}

std::vector<Agreement> compare_expected(const NamedTensors& made, const NamedTensors& given,
                                        const ToleranceOf& tolerance_of, const std::string& source,
                                        bool reference) {
  std::vector<Agreement> agreements;
  for (const auto& [name, expected] : given) {
    if (!name.starts_with(kExpected)) continue;
    Agreement agreement{.name = name.substr(std::string(kExpected).size())};
    const auto found = made.find(agreement.name);
    const bool is_gradient = agreement.name.starts_with("grad_");
    const bool may_lack = is_gradient
                              ? !made.contains("grad_query") ||  // --grad was not given
                                    given.contains(agreement.name.substr(5))           // a buffer
                              : reference && agreement.name.starts_with(kFinalState);  // makes none
    require<InputError>(found != made.end() || may_lack, "{}: '{}': {}", source, name,
                        is_gradient
                            ? "there is no such gradient"
                            : "apply makes output, grad_* and final_state*, nothing of that name");
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
      const Tolerance tolerance = tolerance_of(agreement.name);
      agreement.excess = (error - (tolerance.atol + tolerance.rtol * b.abs()))
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
