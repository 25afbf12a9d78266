// SPDX-License-Identifier: MIT
#pragma once

namespace lavo {

/// While it lives, the signals that ask a program to end are counted and do nothing else: SIGINT,
/// SIGTERM, SIGHUP, SIGUSR1. A broken pipe is an error of write. One at a time.
class Signals {
 public:
  /// `second_ends`: a second one ends the process as it stands, for when nobody looks at counts.
  explicit Signals(bool second_ends);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// The first that came, or 0.
  int first() const;
  /// How many came.
  int count() const;
};

}  // namespace lavo
