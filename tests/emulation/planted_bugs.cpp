// SPDX-License-Identifier: MIT
// The kernels with bugs planted into them. Built with ThreadSanitizer: nothing is reported as
// they are, and every barrier, __syncwarp and wait for copies is needed: each one that is left out,
// in turn, must give a report or a wrong result. Built with AddressSanitizer: the same for 16 bytes
// of shared memory.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "lavo/kernels/cuda/host/emulation.h"
#include "tests/emulation/kernel_case.h"

// Called by ThreadSanitizer at its first report, which says enough. Naming the lines takes it
// seconds: TSAN_OPTIONS=symbolize=1 does.
extern "C" __attribute__((no_sanitize("thread"))) void __tsan_on_report(void*) { _exit(66); }
extern "C" const char* __tsan_default_options() { return "symbolize=0"; }
extern "C" const char* __asan_default_options() {
  return "detect_stack_use_after_return=0:detect_leaks=0";  // threads have stacks of our own
}

namespace lavo::cuda::test {
namespace {

using emulation::Fault;

/// Runs the kernels with a planted bug in a process of its own, forked before any kernel has run:
/// forked fibers confuse ThreadSanitizer. Returns whether the bug shows; `met` is what was there to
/// plant.
bool shows(const Verdict& run, const Fault& fault, std::vector<emulation::Met>* met) {
  int pipes[2];
  if (pipe(pipes) != 0) return false;
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (fault.kind != Fault::kNone && std::freopen("/dev/null", "w", stderr) == nullptr) _exit(0);
    emulation::plant(fault);
    const std::string wrong = run();
    if (fault.kind == Fault::kNone) std::fputs(wrong.c_str(), stderr);
    for (const emulation::Met& launch : emulation::met())
      if (write(pipes[1], &launch, sizeof(launch)) != sizeof(launch)) _exit(3);
    _exit(wrong.empty() ? 0 : 1);
  }
  close(pipes[1]);
  emulation::Met launch;
  while (read(pipes[0], &launch, sizeof(launch)) == sizeof(launch))
    if (met != nullptr) met->push_back(launch);
  close(pipes[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return status != 0;
}

/// A kind of bug, and in how many places of a launch it can be planted.
struct Kind {
  Fault::Kind kind;
  const char* name;
  int (*places)(const emulation::Met&);
};

#ifdef __SANITIZE_ADDRESS__
const Kind kinds[] = {{Fault::kLessMemory, "end of shared memory",
                       [](const emulation::Met& met) { return met.shared_bytes > 0 ? 1 : 0; }}};
#else
const Kind kinds[] = {
    {Fault::kNoBarrier, "barrier", [](const emulation::Met& met) { return met.barriers; }},
    {Fault::kNoWarpBarrier, "__syncwarp",
     [](const emulation::Met& met) { return met.warp_barriers; }},
    {Fault::kEarlyWait, "wait for copies", [](const emulation::Met& met) { return met.waits; }}};
#endif

/// Plants every bug there is; how many were not seen.
int plant_all(const Planted& c) {
  std::vector<emulation::Met> first, met;
  if (shows(c.first, {}, &first) || shows(c.all, {}, &met)) {
    std::printf("%s: wrong or reported without a planted bug\n", c.name.c_str());
    return 1;
  }
  int unseen = 0;
  for (const Kind& kind : kinds) {
    int all = 0;
    const int before = unseen;
    for (int launch = 0; launch < static_cast<int>(met.size()); ++launch)
      for (int i = 0; i < kind.places(met[launch]); ++i, ++all) {
        const bool early = launch < static_cast<int>(first.size());
        if (shows(early ? c.first : c.all, {kind.kind, launch, i}, nullptr)) continue;
        ++unseen;
        std::printf("  not seen: launch %d without %s %d\n", launch, kind.name, i);
      }
    std::printf("%s, each %s left out: %d of %d seen\n", c.name.c_str(), kind.name,
                all - (unseen - before), all);
  }
  return unseen;
}

int is_wrong(const Planted& c) {
  const bool wrong = shows(c.all, {}, nullptr);
  std::printf("%s, without planted bugs: %s\n", c.name.c_str(), wrong ? "wrong" : "ok");
  return wrong;
}

}  // namespace
}  // namespace lavo::cuda::test

int main() {
  int failures = 0;
  for (lavo::cuda::test::KernelCase* tested : lavo::cuda::test::cases()) {
    for (const lavo::cuda::test::Planted& planted : tested->planted()) {
      failures += planted.only_right ? lavo::cuda::test::is_wrong(planted)
                                     : lavo::cuda::test::plant_all(planted);
    }
  }
  return failures > 0;
}
