// SPDX-License-Identifier: MIT
// The program under circumstances that others have: closed descriptors, a full disk, bound threads,
// bytes that are no text, mechanisms from outside.
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>

#include "experiments/harness/machine/resources.h"
#include "lavo/core/files.h"
#include "reports/records/run_directory.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace lavo;

namespace {

/// A variable for the programs that are started while it lives.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_.c_str()); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  std::string name_;
};

int shell(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string sweep_of(const TemporaryDirectory& directory, const std::string& axes) {
  return directory.write("s.toml", "experiment = 'faulty'\n[axes]\n" + axes);
}

json only_record(const std::string& directory) {
  const Records records = read_records(directory);
  REQUIRE(records.by_id.size() == 1);
  return records.by_id.begin()->second;
}

/// A cell of two threads.
std::vector<std::string> two_threads(const TemporaryDirectory& directory) {
  return {"run",       directory.write("t.toml", "experiment = 'numerics'\n[fixed]\nlength = 64\n"),
          "-o",        directory.file("run"),
          "--threads", "2"};
}

json environment_now() {
  const Finished doctor = run_program({"doctor", "--json"});
  REQUIRE(doctor.code == 0);
  return json::parse(doctor.out);
}

}  // namespace

TEST_CASE("standard descriptors that are closed get nothing of a record") {
  const TemporaryDirectory directory;
  const std::string sweep = sweep_of(directory, "seed = [0, 1, 2]\n");
  const std::string run =
      faulty_program() + " run " + sweep + " -o " + directory.file("run") + " <&- >&- 2>&-";
  CHECK(shell(run) == 0);
  const Records records = read_records(directory.file("run"));
  CHECK(records.by_id.size() == 3);
  CHECK(records.warnings.empty());
}

TEST_CASE("what cannot be printed is an error") {
  const TemporaryDirectory directory;
  const std::string sweep = sweep_of(directory, "seed = [0]\n");
  for (const std::string& command :
       {std::string("list --json"), std::string("list mechanisms"), std::string("doctor"),
        std::string("doctor --json"), std::string("--help"), std::string("--version"),
        "plan " + sweep, "slurm " + sweep + " --shards 2 -o " + directory.file("run")}) {
    CAPTURE(command);
    const std::string errors = directory.file("err");
    CHECK(shell(faulty_program() + " " + command + " >/dev/full 2>" + errors) == 2);
    const std::string said = read_text(errors);
    CHECK_THAT(said, ContainsSubstring("No space left on device"));
    CHECK(std::ranges::count(said, '\n') == 1);
  }
}

TEST_CASE("bytes that are no UTF-8 are recorded as such, or refused before anything runs") {
  const TemporaryDirectory directory;
  const std::string sweep = sweep_of(directory, "seed = [0]\n");
  {
    const Variable variable("LAVO_TEST_BYTES", "a\xff");
    CHECK(environment_now()["circumstance"]["variables"]["LAVO_TEST_BYTES"] == "a\uFFFD");
    const Finished run = run_faulty({"run", sweep, "-o", directory.file("one")});
    CHECK(run.code == 0);
    CHECK(run.err.empty());
    CHECK(only_record(directory.file("one"))["status"] == "ok");
  }
  const std::string named = directory.file("s\xff.toml");
  std::filesystem::copy_file(sweep, named);
  CHECK_THAT(run_faulty({"run", named, "-o", directory.file("two")}).err,
             ContainsSubstring("'name' must be made of letters"));
  std::filesystem::remove(named);
  std::filesystem::create_directory(directory.file("d\xff"));
  std::filesystem::copy_file(sweep, directory.file("d\xff/s.toml"));
  CHECK(run_faulty({"run", directory.file("d\xff/s.toml"), "-o", directory.file("two")}).code == 0);
  CHECK(run_faulty({"status", directory.file("two")}).out == "s: 1/1 cells, 1 ok\n");

  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"-o", directory.file("o\xff")},
        {"-o", directory.file("three"), "--set", "corpus=" + directory.file("d\xff")},
        {"-o", directory.file("three"), "--axis", "behaviour=\xff"}}) {
    std::vector<std::string> command = {"run", sweep};
    command.insert(command.end(), more.begin(), more.end());
    const Finished refused = run_faulty(command);
    CAPTURE(refused.err);
    CHECK(refused.code == 2);
    CHECK(is_one_line_refusal(refused));
    CHECK_THAT(refused.err, ContainsSubstring("UTF-8"));
  }
  CHECK(!std::filesystem::exists(directory.file("three")));
}

TEST_CASE("OpenMP's binding is a circumstance and takes no core from the machine") {
  const json free = environment_now();
  CHECK(free["circumstance"]["threads_bound"] == false);
  for (const char* binding : {"close", "true", "spread"}) {
    const Variable bind("OMP_PROC_BIND", binding);
    const json bound = environment_now();
    CHECK(bound["machine"] == free["machine"]);
    CHECK(bound["circumstance"]["threads_bound"] == (free["machine"]["cores"] > 1));
  }
  const TemporaryDirectory directory;
  const std::string out = directory.file("out");
  CHECK(shell("taskset -c 0 " + faulty_program() + " doctor --json >" + out) == 0);
  CHECK(read_json(out)["machine"]["cores"] == 1);
}

TEST_CASE("a cell whose threads did not all run has a warning") {
  const auto warning = [] {
    const TemporaryDirectory directory;
    const Finished run = run_program(two_threads(directory));
    CAPTURE(run.out, run.err);
    CHECK(run.code == 0);
    const json record = only_record(directory.file("run"));
    CHECK(record["status"] == "ok");
    return record["notes"].value("warning", "");
  };
  if (usable_cores() < 2) {
    CHECK(warning() == "2 threads ran on 1 core(s)");
    return;
  }
  CHECK(warning().empty());
  {
    const Variable bind("OMP_PROC_BIND", "close");  // the worker gets its driver's cores back
    CHECK(warning().empty());
  }
  const Variable limit("OMP_THREAD_LIMIT", "1");
  CHECK(warning() == "2 threads were asked for, 1 ran");
}

TEST_CASE("what fresh sets aside has a name that every file system takes") {
  const TemporaryDirectory directory;
  const std::vector<std::string> command = {"run", sweep_of(directory, "seed = [0]\n"), "-o",
                                            directory.file("run"), "--fresh"};
  for (int i = 0; i < 3; ++i) CHECK(run_faulty(command).code == 0);
  int aside = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.file("run"))) {
    const std::string name = entry.path().filename();
    aside += name.starts_with("before-");
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "-_.") == std::string::npos);
  }
  CHECK(aside == 2);
}

TEST_CASE("a plan that is damaged does not hide how far the others are") {
  const TemporaryDirectory directory;
  run_faulty({"run", sweep_of(directory, "seed = [0]\n"), "-o", directory.file("run")});
  for (const char* damage : {"", "{}", "[1", "3"}) {
    directory.write("run/plans/broken.json", damage);
    const Finished status = run_faulty({"status", directory.file("run")});
    CHECK(status.code == 0);
    CHECK_THAT(status.out, ContainsSubstring("broken.json"));
    CHECK_THAT(status.out, ContainsSubstring("s: 1/1 cells, 1 ok"));
  }
}

TEST_CASE("a mechanism from a module runs in a worker, and its id tells which module") {
  const TemporaryDirectory directory;
  const std::string sweep = directory.write(
      "s.toml",
      "experiment = 'numerics'\n[fixed]\nlength = 64\nthreads = 1\nmechanism = 'extra'\n");
  const std::string module = directory.file("extra.so"), other = directory.file("other.so");
  std::filesystem::copy_file(extra_module(), module);
  const auto run_with = [&](const std::string& file, const std::string& out) {
    return run_program({"--module", file, "run", sweep, "-o", directory.file(out)});
  };
  CHECK_THAT(run_program({"plan", sweep}).err, ContainsSubstring("unknown mechanism 'extra'"));
  const Finished run = run_with(module, "one");
  CAPTURE(run.out, run.err);
  CHECK(run.code == 0);
  const json record = only_record(directory.file("one"));
  CHECK(record["status"] == "ok");

  std::filesystem::copy_file(module, other);
  run_with(other, "same");  // another path, the same bytes
  CHECK(only_record(directory.file("same"))["id"] == record["id"]);
  std::filesystem::remove(other);
  std::filesystem::copy_file(module, other);
  std::ofstream(other, std::ios::app) << "one byte more";
  run_with(other, "other");
  CHECK(only_record(directory.file("other"))["id"] != record["id"]);

  CHECK(is_one_line_refusal(run_program({"--module", directory.file("none.so"), "list"})));
  CHECK(is_one_line_refusal(run_program({"--module", sweep, "list"})));
  CHECK(is_one_line_refusal(
      run_program({"--module", directory.write("bad.so", "no library"), "list"})));
}
