// SPDX-License-Identifier: MIT
#include "experiments/harness/machine/resources.h"

#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

/// /proc and /sys/fs/cgroup as files of a test.
struct FakeSystem {
  TemporaryDirectory directory;
  SystemFiles files{directory.path / "proc", directory.path / "cgroup"};

  FakeSystem() {
    put("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 100 kB\nMemAvailable:   800 kB\n");
  }
  void put(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((directory.path / name).parent_path());
    directory.write(name, content);
  }
};

}  // namespace

TEST_CASE("without control groups the system's memory counts") {
  const FakeSystem system;
  CHECK(total_memory(system.files) == 1000 * 1024);
  CHECK(available_memory(system.files) == 800 * 1024);
  CHECK_FALSE(cpu_quota(system.files).has_value());
}

TEST_CASE("the tightest control group of version 2 counts, its cache as free") {
  const FakeSystem system;
  system.put("proc/self/cgroup", "0::/a/b\n");
  system.put("cgroup/a/memory.max", "500000\n");
  system.put("cgroup/a/memory.current", "400000\n");
  system.put("cgroup/a/memory.stat", "anon 1\ninactive_file 50000\n");
  system.put("cgroup/a/b/memory.max", "max\n");
  system.put("cgroup/a/b/memory.current", "399999\n");
  system.put("cgroup/a/cpu.max", "150000 100000\n");
  system.put("cgroup/a/b/cpu.max", "max 100000\n");
  CHECK(total_memory(system.files) == 500000);
  CHECK(available_memory(system.files) == 150000);
  CHECK(cpu_quota(system.files) == 1.5);
}

TEST_CASE("control groups of version 1 are found by their controllers") {
  const FakeSystem system;
  system.put("proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/job\n0::/\n");
  system.put("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  system.put("cgroup/memory/memory.usage_in_bytes", "0\n");
  system.put("cgroup/memory/job/memory.limit_in_bytes", "300000\n");
  system.put("cgroup/memory/job/memory.usage_in_bytes", "310000\n");
  system.put("cgroup/memory/job/memory.stat", "total_inactive_file 20000\n");
  system.put("cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  system.put("cgroup/cpu/cpu.cfs_period_us", "100000\n");
  system.put("cgroup/cpu/x/cpu.cfs_quota_us", "200000\n");
  system.put("cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
  CHECK(total_memory(system.files) == 300000);
  CHECK(available_memory(system.files) == 10000);
  CHECK(cpu_quota(system.files) == 2.0);
}

TEST_CASE("in a container the group's path may not be there: its root counts") {
  const FakeSystem system;
  system.put("proc/self/cgroup", "0::/outside/of/this\n");
  system.put("cgroup/memory.max", "700000\n");
  system.put("cgroup/memory.current", "100000\n");
  CHECK(available_memory(system.files) == 600000);
}

TEST_CASE("this system has memory and cores") {
  CHECK(available_memory() > 0);
  CHECK(available_memory() <= total_memory());
  CHECK(data_segment() > 0);
  CHECK(usable_cores() >= 1);
}
