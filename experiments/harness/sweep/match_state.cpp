// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/match_state.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "experiments/mechanism_axes.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

/// Ratios that are not worth a word, and those beyond which nothing is compared.
constexpr double kNear = 0.02, kFarthest = 2;
/// A step between widths is found below this one: it is the heads, or twice as many.
constexpr int64_t kWidestStep = 4096;
/// Values tried one by one, and those that must stand at equal steps to be searched instead.
constexpr int64_t kFew = 128, kLooked = 8;
constexpr double kTooLarge = std::numeric_limits<double>::infinity();

json with(json axes, const std::string& name, int64_t value) {
  axes[name] = value;
  return axes;
}

const OptionInfo* info_of(const std::vector<OptionInfo>& infos, const std::string& name) {
  const auto found = std::ranges::find(infos, name, &OptionInfo::name);
  return found == infos.end() ? nullptr : &*found;
}

/// Why no value of anything gives its state a size; empty where one may.
std::string why_unsized(const StateUse& use) {
  if (!use.setting.causal_self()) return "a state is of causal self attention";
  const auto mechanism = find_mechanism(use.mechanism).create(use.options, use.setting, /*seed=*/0);
  const std::string refusal = refused_pattern(*mechanism, Pattern::kCausalSelf);
  if (!refusal.empty()) return refusal;
  mechanism->new_state();  // throws where there is none
  return mechanism->state_grows() ? "its state grows with the tokens seen" : "";
}

/// What `find_reason` says, or why the mechanism with these options cannot be asked.
template <class FindReason>
std::string reason(const FindReason& find_reason) {
  try {
    return find_reason();
  } catch (const OptionError& error) {
    return error.what();
  } catch (const c10::Error& error) {  // too large for its parameters to be made
    const std::string text = error.what_without_backtrace();
    return "its state cannot be counted: " + text.substr(0, text.find('\n'));
  }
}

}  // namespace

json StateMatch::note() const {
  return {{"by", budget.by},
          {"value", value},
          {"budget_bytes", budget.bytes},
          {"counted_bytes", 4 * size.numbers},
          {"true_bytes", size.bytes},
          {"ratio", ratio()}};
}

std::string StateMatch::off_budget(const std::string& mechanism) const {
  if (std::abs(ratio() - 1) <= kNear) return "";
  return fmt::format("{} {}={}: a state of {} bytes, {:.3f} of {} {}", mechanism, budget.by, value,
                     4 * size.numbers, ratio(), kMatchStateBytes, budget.bytes);
}

void check_match_by(const Axis& axis, const Experiment& experiment) {
  std::vector<std::string> sizes;
  const auto add = [&](const std::vector<OptionInfo>& infos) {
    for (const OptionInfo& info : infos) {
      if (info.kind == "integer") sizes.push_back(info.name);
    }
  };
  add(experiment.axes());
  for (const Entry& entry : mechanisms()) add(entry.options);
  for (const json& value : axis.values) {
    const std::string name = value;
    require<InputError>(std::ranges::find(sizes, name) != sizes.end(), "{}: {}: {}", axis.place,
                        axis.name, unknown_name("integer axis or option", name, sizes));
  }
}

std::string StateMatcher::solved_name(const json& given, const std::string& wished) const {
  const std::vector<OptionInfo> own = experiment_.axes();
  const json mechanism = given.value("mechanism", info_of(own, "mechanism")->default_value);
  if (!mechanism.is_string()) experiment_.resolve(given);  // says what is wrong
  const Entry& entry = find_mechanism(mechanism.get<std::string>());
  if (!wished.empty() && (info_of(own, wished) || info_of(entry.options, wished))) return wished;
  return *entry.facts.state_option ? entry.facts.state_option : experiment_.width_axis();
}

/// Nothing where the experiment refuses the value.
std::optional<json> StateMatcher::resolved(const json& given, const std::string& name,
                                           int64_t value) const {
  try {
    return experiment_.resolve(with(given, name, value));
  } catch (const OptionError&) {
    return {};
  }
}

std::optional<StateMatcher::Values> StateMatcher::allowed_values(const json& given,
                                                                 const std::string& name) const {
  std::optional<int64_t> first;
  for (int64_t value = 0; value <= 2 * kWidestStep; ++value) {
    if (!resolved(given, name, value)) continue;
    if (first) return Values{*first, value - *first};
    first = value;
  }
  return {};
}

/// What the size depends on: not the length, which is the cell's. Counted once.
StateSize StateMatcher::counted(const StateUse& use) {
  const Setting& s = use.setting;
  const json key = {use.mechanism, use.options, s.heads,  s.head_dim,
                    s.value_dim,   s.model_dim, use.type, use.implementation};
  const auto found = counted_.find(key.dump());
  if (found != counted_.end()) return found->second;
  const auto mechanism = make_mechanism(use.mechanism, use.options, s, /*seed=*/0, use.type);
  mechanism->use(use.implementation);
  return counted_[key.dump()] = largest_state(*mechanism, s, use.type, use.options);
}

/// Looks for the value whose state is nearest to the budget: between values at equal steps where
/// the size rises with them, else (heads of a fixed width) among all that there are.
struct StateMatcher::Search {
  StateMatcher& matcher;
  const json& given;
  StateMatch& match;
  Values values;
  std::map<int64_t, StateSize> seen = {};
  int tries = 0;

  int64_t value(int64_t step) const { return values.first + step * values.step; }

  /// Bytes as they are counted after so many steps. What the experiment refuses is too large.
  double bytes(int64_t step) {
    const auto axes = matcher.resolved(given, match.budget.by, value(step));
    if (!axes) return kTooLarge;
    seen[step] = matcher.counted(matcher.experiment_.state_use(*axes));
    return 4 * static_cast<double>(seen[step].numbers);
  }

  /// On the line through both sizes; half way where that is tried in vain.
  int64_t meeting(int64_t below, int64_t above) {
    if (++tries % 3 == 0 || !seen.contains(above)) return (below + above) / 2;
    const double low = 4 * static_cast<double>(seen[below].numbers);
    const double high = 4 * static_cast<double>(seen[above].numbers);
    const double share = (static_cast<double>(match.budget.bytes) - low) / (high - low);
    const auto steps = static_cast<int64_t>(share * static_cast<double>(above - below));
    return std::clamp(below + steps, below + 1, above - 1);
  }

  /// Whether the size rises with the value, which stands at equal steps as far as one looks here.
  bool is_rising() {
    for (int64_t step = 2; step < kLooked; ++step) {
      if (!matcher.resolved(given, match.budget.by, value(step))) return false;
    }
    return bytes(0) <= bytes(1);
  }

  /// The same as run() of values that are few and stand at no equal steps. What cannot be made to
  /// be counted is too large.
  std::string try_all() {
    double nearest = kTooLarge;
    std::string failed;
    int found = 0;
    for (int64_t now = 0; now <= 2 * kWidestStep && found < kFew; ++now) {
      const auto axes = matcher.resolved(given, match.budget.by, now);
      if (!axes) continue;
      ++found;
      StateSize size;
      failed = reason([&] {
        size = matcher.counted(matcher.experiment_.state_use(*axes));
        return std::string();
      });
      const double distance = failed.empty() ? std::abs(4 * static_cast<double>(size.numbers) -
                                                        static_cast<double>(match.budget.bytes))
                                             : kTooLarge;
      if (distance >= nearest) continue;
      nearest = distance;
      match.value = now;
      match.size = size;
    }
    return nearest == kTooLarge ? failed : too_far();
  }

  std::string too_far() const {
    if (match.ratio() <= kFarthest && match.ratio() * kFarthest >= 1) return "";
    return fmt::format("its nearest state, with {} = {}, has {} bytes", match.budget.by,
                       match.value, match.counted_bytes());
  }

  /// Fills `match` and leaves in `start` the number of steps; or says why there is no such value.
  std::string run(int64_t& start) {
    if (!is_rising()) return try_all();
    const double budget = static_cast<double>(match.budget.bytes);
    constexpr int64_t unknown = std::numeric_limits<int64_t>::max() / 2;
    int64_t below = -1, above = unknown;  // the last step below the budget, the first that is not
    for (int64_t step = start, stride = 1; above - below > 1; stride *= 2) {
      const double now = bytes(step);
      const bool is_flat = seen.contains(below) && seen[below].numbers == seen[step].numbers;
      if (above == unknown && now < budget && is_flat) {
        return fmt::format("its state has {} bytes whatever {} is", now, match.budget.by);
      }
      (now < budget ? below : above) = step;
      // Away from the start in growing strides, then where a straight line meets the budget.
      step = above == unknown ? below + stride
             : below < 0      ? std::max<int64_t>(0, above - stride)
                              : meeting(below, above);
    }
    const auto distance = [&](int64_t step) {
      if (!seen.contains(step)) return kTooLarge;
      return std::abs(4 * static_cast<double>(seen[step].numbers) - budget);
    };
    start = distance(above) < distance(below) ? above : below;
    match.value = value(start);
    match.size = seen[start];
    return too_far();
  }
};

StateMatch StateMatcher::solve(const json& given, const StateBudget& budget) {
  StateMatch match;
  match.budget = {budget.bytes, solved_name(given, budget.by)};
  const std::string& by = match.budget.by;
  const bool is_given = given.contains(by);
  const auto values = is_given ? std::nullopt : allowed_values(given, by);
  const json axes =
      experiment_.resolve(values ? with(given, by, values->first) : given);  // says what is wrong
  const StateUse use = experiment_.state_use(axes);
  match.refused = reason([&] { return why_unsized(use); });
  if (match.refused.empty()) {
    require_option(!is_given, by,
                   "'{}' is given, and {} solves for it in cells of {}: leave it out there, or "
                   "name another with {}",
                   by, kMatchStateBytes, use.mechanism, kMatchStateBy);
    require_option(values.has_value(), by, "no value of '{}' is allowed", by);
    const json alike = {use.mechanism, budget.bytes, by, values->first, values->step};
    Search search{*this, given, match, *values};
    match.refused = reason([&] { return search.run(hints_[alike.dump()]); });
  }
  if (!match.refused.empty()) {
    match.refused = fmt::format("{} {}: {}", kMatchStateBytes, budget.bytes, match.refused);
  }
  return match;
}

}  // namespace lavo
