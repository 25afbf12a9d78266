// SPDX-License-Identifier: MIT
// What can be said of a mechanism without making one. No LibTorch here: planning, reporting and the
// command line read the table too.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lavo/core/options.h"

namespace lavo {

class Mechanism;

/// The patterns of the CAB benchmark. Causal self: output t depends on inputs <= t. Causal cross:
/// output t depends on queries <= t and on all keys.
enum class Pattern { kNoncausalSelf, kCausalSelf, kNoncausalCross, kCausalCross };
inline constexpr std::array kPatterns = {Pattern::kNoncausalSelf, Pattern::kCausalSelf,
                                         Pattern::kNoncausalCross, Pattern::kCausalCross};
inline Pattern pattern_of(bool causal, bool cross) {
  return static_cast<Pattern>((cross ? 2 : 0) + (causal ? 1 : 0));
}
inline bool is_causal(Pattern pattern) { return static_cast<int>(pattern) % 2 == 1; }
inline bool is_cross(Pattern pattern) { return static_cast<int>(pattern) >= 2; }
const char* pattern_name(Pattern pattern);  ///< "NS", "CS", "NC", "CC"
const char* pattern_text(Pattern pattern);  ///< "noncausal self", ...

/// Of one mechanism, all with the same result: by a fused kernel; composed of LibTorch operators in
/// tiles or chunks; with everything that the formula names built whole.
enum class Implementation { kFused, kComposed, kNaive };
inline const std::vector<std::string> kImplementations = {"fused", "composed", "naive"};

/// For each pattern the reason why it is refused; empty where it is exact.
struct Patterns {
  std::array<std::string, 4> refusal;
  bool include(Pattern pattern) const { return refusal[static_cast<size_t>(pattern)].empty(); }
};

/// Where a mechanism is used: what sizes its parameters, and what its unset options are resolved
/// for.
struct Setting {
  int64_t heads = 1;
  int64_t head_dim = 1;
  int64_t value_dim = 1;
  int64_t model_dim = 0;     ///< > 0 inside a layer
  int64_t query_length = 0;  ///< 0: not known
  int64_t key_length = 0;
  int64_t longest = 0;  ///< tokens of the longest sequence that the use comes to; 0: not known
  bool causal = false;
  bool cross = false;
  int64_t layer = 0, layers = 1;  ///< which of the layers of a model it is in
  bool in_layer() const { return model_dim > 0; }
  bool causal_self() const { return causal && !cross; }
};

/// What holds for all options of a mechanism. The defaults are those of most.
struct Facts {
  bool equal_widths = false;     ///< needs E = D
  bool has_state = true;         ///< can be streamed
  const char* fused_calls = "";  ///< which calls a fused kernel takes, for people; "": none
  bool composed = true;          ///< has a form composed of LibTorch operators
  bool naive = false;            ///< has a form that builds everything, to be compared with
  bool own_positions = false;    ///< encodes positions itself: a layer adds none unless asked to
  bool running_mean = false;     ///< its memory is RunningMean (lavo/parts)
  bool mixes = true;             ///< an output depends on other tokens than its own
  bool softmax = false;          ///< softmax over all q . k / sqrt(D): more columns bias it
  /// The option that sizes its state; "": the width of its heads does.
  const char* state_option = "";
};

/// In the order of lists.
inline const std::vector<std::string> kGroups = {
    "LAVO", "softmax", "2020 to 2022", "recurrent", "slots", "state space", "controls"};

/// A line of the table of mechanisms: what can be said without making one, and how to make one.
struct Entry {
  std::string name;
  std::string title;     ///< "linear transformer"
  std::string citation;  ///< authors, year, arXiv number
  std::string group;     ///< what it is listed with: one of kGroups
  Patterns patterns;     ///< with the default options, where Setting says what these depend on
  std::vector<OptionInfo> options;
  Facts facts;
  /// What its paper puts around it, by the names of the layers' switches; of the others, and of all
  /// where it is empty, the plain layer's values hold.
  json layer = json::object();
  json module = {};  ///< what a fresh process loads to have it too; null: it is in the table
  /// Checks the given options and fills every default for this use; unset ones that stay unset are
  /// null.
  std::function<json(const json& given, const Setting&)> resolve;
  /// In float64, in training mode, with random parameters from `seed`: the same bits every time.
  std::function<std::shared_ptr<Mechanism>(const json& given, const Setting&, uint64_t seed)>
      create;
  bool is_fused() const { return *facts.fused_calls != '\0'; }
};

}  // namespace lavo
