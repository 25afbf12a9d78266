// SPDX-License-Identifier: MIT
#include "experiments/apply.h"

#include <fmt/ranges.h>

#include <charconv>

#include "experiments/cli/command.h"
#include "experiments/harness/machine/resources.h"
#include "experiments/harness/measure/memory.h"
#include "experiments/place.h"
#include "lavo/core/check.h"
#include "lavo/core/files.h"

namespace lavo {
namespace {

struct ApplyArguments {
  std::string mechanism, options = "{}", input, output, type, device = "cpu", chunks;
  std::string tolerances, case_id;
  std::optional<double> rtol, atol;
  bool causal = false, cross = false, grad = false, reference = false, check = false;
  int64_t seed = 0;
};

std::vector<int64_t> parse_lengths(const std::string& text) {
  std::vector<int64_t> lengths;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    int64_t length = 0;
    const auto [rest, error] = std::from_chars(at, end, length);
    require<OptionError>(error == std::errc() && length > 0 && (rest == end || *rest == ','),
                         "apply: --chunks must be lengths >= 1 with commas between, got '{}'",
                         text);
    lengths.push_back(length);
    if (rest == end) return lengths;
    at = rest + 1;
  }
}

json parse_options(const std::string& text) {
  json options = json::parse(text, nullptr, /*allow_exceptions=*/false);
  require<OptionError>(!options.is_discarded(), "apply: --options is not JSON: {}", text);
  return options;
}

/// The closest that any two right implementations need to come: --rtol and --atol, or a case of an
/// index, or by type.
ToleranceOf tolerances(const ApplyArguments& a, torch::ScalarType type) {
  ToleranceOf from_file;
  if (!a.tolerances.empty()) {
    from_file = golden_tolerances(read_json(a.tolerances), a.case_id, type, a.tolerances);
  }
  return [=, rtol = a.rtol, atol = a.atol](const std::string& tensor) {
    const Tolerance given = from_file ? from_file(tensor) : default_tolerance(type);
    return Tolerance{rtol.value_or(given.rtol), atol.value_or(given.atol)};
  };
}

/// Prints a line for each expected tensor; true when all agree.
bool report(const std::vector<Agreement>& agreements, const ToleranceOf& tolerance_of) {
  bool all = true;
  for (const Agreement& a : agreements) {
    all = all && a.agrees();
    if (!a.compared) {
      fmt::print("{:<20} not compared: this call did not make it\n", a.name);
      continue;
    }
    const Tolerance allowed = tolerance_of(a.name);
    fmt::print("{:<20} worst error {:.3g}  {} (|a - b| <= {:g} + {:g} |b|)\n", a.name, a.error,
               a.agrees() ? "agrees" : "DISAGREES", allowed.atol, allowed.rtol);
  }
  fmt::print("{}\n", all ? "agreement" : "disagreement");
  return all;
}

int run_apply(const ApplyArguments& arguments) {
  ApplyRequest request{.mechanism = arguments.mechanism,
                       .options = parse_options(arguments.options),
                       .causal = arguments.causal,
                       .cross = arguments.cross,
                       .type = {},
                       .device = require_device("apply", arguments.device),
                       .grad = arguments.grad,
                       .reference = arguments.reference,
                       .chunks = {},
                       .seed = static_cast<uint64_t>(arguments.seed)};
  if (!arguments.type.empty()) request.type = parse_type("apply", arguments.type);
  if (!arguments.chunks.empty()) request.chunks = parse_lengths(arguments.chunks);
  // Refused by our own allocator, not killed by the system.
  limit_cpu_memory(static_cast<int64_t>(available_memory()));
  const NamedTensors given = read_safetensors(arguments.input);
  const NamedTensors made = apply(request, given, arguments.input);
  const auto tolerance_of =
      tolerances(arguments, request.type.value_or(given.at("query").scalar_type()));
  std::vector<Agreement> agreements;
  if (arguments.check) {
    agreements = compare_expected(made, given, tolerance_of, arguments.input, request.reference);
  }
  write_safetensors(arguments.output, made);
  return !arguments.check || report(agreements, tolerance_of) ? kSuccess : kFailure;
}

}  // namespace

void add_apply(CLI::App& program, int& exit_code) {
  auto* command = program.add_subcommand("apply", "One mechanism on the tensors of a file");
  auto a = std::make_shared<ApplyArguments>();
  command->add_option("--mechanism", a->mechanism, "its name in `lavo-bench list`")->required();
  command->add_option("--options", a->options, "its options, a JSON object");
  command
      ->add_option("--input", a->input,
                   "safetensors: query, key, value [batch, heads, length, width]; optional "
                   "gates and slots by name, key_mask, cu_seqlens, grad_output, initial_state*, "
                   "expected_*, parameters by name")
      ->required()
      ->check(not_empty());
  command->add_option("--output", a->output, "safetensors to write: output, grad_*, final_state*")
      ->required()
      ->check(not_empty());
  command->add_flag("--causal", a->causal, "output t depends on queries (and keys) <= t only");
  command->add_flag("--cross", a->cross, "keys are of another sequence, whatever the lengths");
  command->add_option("--dtype", a->type, "float64, float32, bfloat16, float16; default: query's")
      ->check(not_empty());
  command->add_option("--device", a->device, "cpu, cuda, cuda:1 ...; default: cpu");
  command->add_flag("--grad", a->grad, "also gradients of sum(output * grad_output)");
  command->add_option("--chunks", a->chunks, "stream in pieces of these lengths, repeated: 64,1")
      ->check(not_empty());
  command->add_flag("--reference", a->reference, "run the float64 oracle; output is float64");
  command->add_option("--seed", a->seed, "of parameters that are not given; default: 0")
      ->check(integer_at_least_zero());
  auto* check = command->add_flag(
      "--check", a->check, "compare with expected_*: exit 1 where |a - b| > atol + rtol |b|");
  command->add_option("--rtol", a->rtol, "default by type: 1e-9 in float64")
      ->needs(check)
      ->check(number_in(0));
  command->add_option("--atol", a->atol, "default by type: 1e-10 in float64")
      ->needs(check)
      ->check(number_in(0));
  auto* tolerances =
      command
          ->add_option("--tolerances", a->tolerances,
                       "an index of cases with tolerances by tensor and type, as tests/golden has")
          ->needs(check)
          ->check(not_empty());
  auto* case_id = command->add_option("--case", a->case_id, "which of its cases this is")
                      ->needs(tolerances)
                      ->check(not_empty());
  tolerances->needs(case_id);
  command->footer(
      "Example: lavo-bench apply --mechanism local --options '{\"window\": 8}' --causal\n"
      "           --input in.safetensors --output out.safetensors --grad --check");
  command->callback([a, &exit_code] { exit_code = run_apply(*a); });
}

}  // namespace lavo
