// SPDX-License-Identifier: MIT
// What mechanisms are to the page: no other part of it names one.
#pragma once

#include <string>
#include <vector>

namespace lavo::report {

/// Whose findings head the page.
inline const std::string kSubject = "lavo";
inline const std::string kSubjectInWords = "LAVO";

/// What times and memory are measured against.
struct Yardstick {
  std::string mechanism;
  std::string name;
};
inline const Yardstick kFused{"vanilla", "fused attention"};  ///< what a user would pick
inline const Yardstick kMath{"vanilla_math",
                             "math attention"};  ///< what papers' speed-ups are over
inline const std::vector<Yardstick> kYardsticks = {kFused, kMath};

/// What the subject must be read against: softmax attention, and the subject's window alone.
inline const std::string kWindowAlone = "local";
inline const std::vector<std::string> kControlsOfTime = {kFused.mechanism, kMath.mechanism,
                                                         kWindowAlone};
inline const std::vector<std::string> kControlsOfQuality = {kFused.mechanism, kWindowAlone};

bool is_yardstick(const std::string& mechanism);

/// The order of the page: the yardsticks, the subject, its controls, then all others alike.
size_t rank_of(const std::string& mechanism);

}  // namespace lavo::report
