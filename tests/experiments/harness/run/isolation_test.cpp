// SPDX-License-Identifier: MIT
// The product with cells that fail to order: crashes, hangs, signals, kills.
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <random>
#include <thread>

#include "experiments/harness/machine/resources.h"
#include "experiments/harness/store.h"
#include "lavo/core/files.h"
#include "reports/records/run_directory.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/skip.h"

using namespace lavo;

namespace {

struct Setup {
  TemporaryDirectory directory;
  std::string run_directory = directory.file("run");
  std::string sweep;

  explicit Setup(const std::string& axes, const std::string& experiment = "faulty")
      : sweep(directory.write("sweep.toml", "experiment = '" + experiment + "'\n[axes]\n" + axes +
                                                "\n[limits]\nblocks = 1\n")) {}
  std::vector<std::string> command(std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"run", sweep, "-o", run_directory};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::map<std::string, json> records() const { return read_records(run_directory).by_id; }
  json results() const { return read_json(run_directory + "/results.json"); }
};

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  return text.substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end));
}

/// Gone, or a zombie that nobody collects.
bool has_ended(pid_t process) {
  std::ifstream stat(fmt::format("/proc/{}/stat", process));
  std::string line;
  std::getline(stat, line);
  return line.empty() || line.find(") Z ") != std::string::npos;
}

void sleep_ms(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

size_t count_lines(const std::filesystem::path& file) {
  std::ifstream in(file);
  size_t count = 0;
  for (std::string line; std::getline(in, line);) ++count;
  return count;
}

/// Waits until the run has recorded some cells.
void wait_for_lines(const Setup& setup, size_t lines) {
  while (count_lines(setup.run_directory + "/cells.jsonl") < lines) sleep_ms(10);
}

}  // namespace

TEST_CASE("every kind of failure gets its record and hurts no other cell") {
  const Setup setup(
      "behaviour = ['ok', 'out_of_memory', 'allocate', 'hang_with_child', 'segfault', 'abort', "
      "'exit', 'killed', 'nan', 'step_nan', 'wrong', 'throw', 'throw_int', 'refused', 'chatter']\n"
      "seed = [0, 1]");
  const Finished run =
      run_faulty(setup.command({"--cell-timeout", "4s", "--set", "limits.memory_fraction=0.02"}));
  CAPTURE(run.out, run.err);
  CHECK(run.code == 0);
  CHECK(last_line(run.out) ==
        "30 cells: 4 ok, 4 out_of_memory, 2 timeout, 4 not_finite, 2 wrong, 4 error, 8 crashed, 2 "
        "skipped");
  std::map<std::string, json> by_behaviour;
  for (const auto& [id, record] : setup.records()) {
    by_behaviour[record["axes"]["behaviour"]] = record;
    CHECK(record["reason"].is_null() == (record["status"] == "ok"));
    CHECK(record["metrics"].empty() == (record["status"] != "ok"));
  }
  const auto reason = [&](const char* behaviour) {
    return by_behaviour[behaviour]["reason"].get<std::string>();
  };
  CHECK(reason("segfault") == "killed by SIGSEGV");
  CHECK(reason("abort") == "killed by SIGABRT");
  CHECK(reason("killed") == "killed by SIGKILL");
  CHECK(reason("exit") == "exited with code 3");
  CHECK(reason("hang_with_child") == "took longer than 4 s");
  CHECK(reason("throw") == "thrown");
  CHECK(reason("step_nan") == "step 7: the loss is nan");
  CHECK(reason("nan") == "metric 'score' is not finite");
  CHECK(reason("wrong") == "row 3: error 0.5, allowed 1e-5");
  CHECK(reason("refused") == "refused on purpose");
  CHECK_THAT(reason("allocate"), ContainsSubstring("would pass the limit of"));
  // The timeout ended the whole process group.
  std::ifstream file(setup.run_directory + "/child.pid");
  pid_t child = 0;
  REQUIRE(file >> child);
  while (!has_ended(child)) sleep_ms(10);

  const Finished again = run_faulty(setup.command({"--fail-on", "crashed,timeout"}));
  CHECK(again.code == 1);
  CHECK(last_line(again.out) == last_line(run.out));
  CHECK(run_faulty(setup.command({"--fail-on", "out_of_memory", "--axis", "behaviour=ok"})).code ==
        0);
}

TEST_CASE("memory that a cell touches past its limit is refused by the system") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip("a sanitizer itself ends a process that is refused memory");
#else
  const Setup setup("behaviour = ['touch_memory', 'ok']");
  const Finished run = run_faulty(setup.command({"--set", "limits.memory_fraction=0.02"}));
  CHECK(last_line(run.out) == "2 cells: 1 ok, 1 out_of_memory");
  CHECK_THAT(run.out, ContainsSubstring("the system refused an allocation"));
#endif
}

TEST_CASE("cells that are not timed run beside each other, others never") {
  if (usable_cores() < 2) {
    skip("there is one core only");
    return;
  }
  const std::string axes = "behaviour = ['meet']\nseed = [0, 1]";
  const Finished beside = run_faulty(Setup(axes, "faulty_beside").command());
  CHECK(last_line(beside.out) == "2 cells: 2 ok");
  const Finished alone = run_faulty(Setup(axes, "faulty").command());
  CHECK(last_line(alone.out) == "2 cells: 2 wrong");
}

TEST_CASE("a crashed cell is retried and then right") {
  const Setup setup("behaviour = ['crash_once']\nseed = [0, 1]");
  CHECK(last_line(run_faulty(setup.command()).out) == "2 cells: 2 crashed");
  CHECK(last_line(run_faulty(setup.command()).out) == "2 cells: 2 crashed");
  CHECK(last_line(run_faulty(setup.command({"--retry", "crashed"})).out) == "2 cells: 2 ok");
  for (const auto& [id, record] : setup.records()) CHECK(record["attempt"] == 2);
}

TEST_CASE("each kind of isolation gives the same results") {
  std::map<std::string, json> scores[3];
  for (const char* isolation : {"none", "worker", "cell"}) {
    const Setup setup("seed = [0, 1, 2]\nbehaviour = ['ok', 'wrong']");
    CHECK(run_faulty(setup.command({"--isolate", isolation})).code == 0);
    static int i = 0;
    for (const auto& [id, record] : setup.records()) {
      scores[i][id] = {record["status"], record["reason"], record["metrics"]};
    }
    ++i;
  }
  CHECK(scores[0].size() == 6);
  CHECK(scores[0] == scores[1]);
  CHECK(scores[0] == scores[2]);
}

TEST_CASE("signals end a run with their exit code, and it can be resumed") {
  const auto [number, code] =
      GENERATE(table<int, int>({{SIGINT, 130}, {SIGTERM, 75}, {SIGUSR1, 75}}));
  const Setup setup("seed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\nseconds = [0.1]");
  RunningProgram running(faulty_program(), setup.command());
  wait_for_lines(setup, 2);
  running.signal(number);
  const Finished stopped = running.wait();
  CAPTURE(number, stopped.out, stopped.err);
  CHECK(stopped.code == code);
  CHECK_THAT(last_line(stopped.out), ContainsSubstring(" left"));
  const size_t recorded = setup.results()["cells"].size();
  CHECK(recorded >= 2);
  CHECK(recorded < 10);
  CHECK(last_line(run_faulty(setup.command()).out) == "10 cells: 10 ok");
  CHECK(count_lines(setup.run_directory + "/cells.jsonl") == 10);  // nothing ran twice
}

TEST_CASE("the second Ctrl-C breaks off what is running") {
  const Setup setup("behaviour = ['ok', 'hang']");
  RunningProgram running(faulty_program(), setup.command());
  wait_for_lines(setup, 1);
  sleep_ms(200);
  running.signal(SIGINT);
  while (running.output_so_far().find("stopping") == std::string::npos) sleep_ms(10);
  running.signal(SIGINT);
  CHECK(running.wait().code == 130);
  CHECK(setup.results()["cells"].size() == 1);
}

TEST_CASE("a run that is killed loses at most the running cell") {
  const Setup setup(
      "seed = [0, 1, 2, 3, 4, 5, 6, 7]\nseconds = [0.03]\nbehaviour = ['ok', 'wrong']");
  std::mt19937 random(3);
  std::map<std::string, json> before;
  for (int kill = 0; kill < 4; ++kill) {
    RunningProgram running(faulty_program(), setup.command());
    wait_for_lines(setup, std::min<size_t>(before.size() + 1, 16));
    sleep_ms(static_cast<int64_t>(random() % 500));
    running.signal(SIGKILL);
    running.wait();
    const Records now = read_records(setup.run_directory);
    for (const auto& [id, record] : before) CHECK(now.by_id.at(id) == record);
    before = now.by_id;
  }
  CHECK(last_line(run_faulty(setup.command()).out) == "16 cells: 8 ok, 8 wrong");
  const Setup whole(
      "seed = [0, 1, 2, 3, 4, 5, 6, 7]\nseconds = [0.03]\nbehaviour = ['ok', 'wrong']");
  run_faulty(whole.command());
  const auto after = setup.records(), expected = whole.records();
  REQUIRE(after.size() == expected.size());
  for (const auto& [id, record] : expected) {
    CHECK(after.at(id)["status"] == record["status"]);
    CHECK(after.at(id)["metrics"] == record["metrics"]);
  }
  CHECK(count_lines(setup.run_directory + "/cells.jsonl") == 16);
}

TEST_CASE("when the disk is full the run fails, and what was there stays whole") {
  const Setup setup("length = [1, 2]");
  std::filesystem::create_directory(setup.run_directory);
  if (::mount("tmpfs", setup.run_directory.c_str(), "tmpfs", 0, "size=64k") != 0) {
    skip("a small file system cannot be mounted here");
    return;
  }
  const Finished first = run_faulty(setup.command());
  CHECK(first.code == 0);
  const std::string results = read_text(setup.run_directory + "/results.json");
  std::string axis = "seed=1";
  for (int i = 2; i < 200; ++i) axis += fmt::format(",{}", i);
  const Finished full = run_faulty(setup.command({"--axis", axis}));
  CHECK(full.code != 0);
  CHECK_THAT(full.err, ContainsSubstring("No space left on device"));
  CHECK(read_text(setup.run_directory + "/results.json").starts_with("{"));
  const json whole = setup.results();
  CHECK(whole["schema"] == "lavo.results/1");
  CHECK(read_records(setup.run_directory).warnings.empty());
  ::umount(setup.run_directory.c_str());
}
