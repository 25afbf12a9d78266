// SPDX-License-Identifier: MIT
#include "experiments/harness/run/signals.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstddef>

namespace lavo {
namespace {

constexpr std::array kAsking = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

volatile sig_atomic_t first_signal = 0, signal_count = 0, end_at_second = 0;
struct sigaction earlier[kAsking.size() + 1];

void count_signal(int number) {
  if (!first_signal) first_signal = number;
  signal_count = signal_count + 1;
  if (end_at_second && signal_count > 1) ::_exit(first_signal == SIGINT ? 130 : 75);
}

}  // namespace

Signals::Signals(bool second_ends) {
  end_at_second = second_ends;
  first_signal = 0;
  signal_count = 0;
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = count_signal;  // no SA_RESTART: poll wakes up
  for (size_t i = 0; i < kAsking.size(); ++i) ::sigaction(kAsking[i], &action, &earlier[i]);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, &earlier[kAsking.size()]);
}

Signals::~Signals() {
  for (size_t i = 0; i < kAsking.size(); ++i) ::sigaction(kAsking[i], &earlier[i], nullptr);
  ::sigaction(SIGPIPE, &earlier[kAsking.size()], nullptr);
}

int Signals::first() const { return first_signal; }
int Signals::count() const { return signal_count; }

}  // namespace lavo
