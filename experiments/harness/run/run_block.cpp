// SPDX-License-Identifier: MIT
#include "experiments/harness/run/run_block.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <chrono>
#include <new>

#include "experiments/harness/measure/memory.h"
#include "experiments/harness/measure/threads.h"
#include "lavo/core/check.h"

namespace lavo {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

BlockResult failed(Status status, const std::string& reason) {
  return {.status = status,
          .reason = reason.empty() ? word(status) : first_line(reason),
          .outcome = {}};
}

bool speaks_of_memory(const std::string& text) {
  for (const char* sign :
       {"out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED"}) {
    if (text.find(sign) != std::string::npos) return true;
  }
  return false;
}

/// A cell is recorded under the id that the plan gave it: of the data that were there then.
void require_planned_data(const Experiment& experiment, const Case& cell) {
  const std::string digest = experiment.data_digest(cell.axes, cell.corpus);
  if (digest == cell.data_digest) return;
  throw CellFailure(Status::kError,
                    fmt::format("{}: changed since the run was planned (its digest is {}, "
                                "it was {})",
                                cell.corpus.empty() ? "the data" : cell.corpus,
                                digest.substr(0, 12), cell.data_digest.substr(0, 12)));
}

BlockResult attempt(const Experiment& experiment, const Case& cell) {
  try {
    require_planned_data(experiment, cell);
    const KeptMemory kept;
    BlockResult block{.status = Status::kOk, .reason = "", .outcome = experiment.run(cell)};
    const std::string wrong = find_not_finite(block.outcome);
    return wrong.empty() ? block : failed(Status::kNotFinite, wrong);
  } catch (const CellFailure& error) {
    return failed(error.status, error.what());
  } catch (const OptionError& error) {  // these options are refused: a decision, not a failure
    return failed(Status::kSkipped, error.what());
  } catch (const c10::OutOfMemoryError& error) {
    return failed(Status::kOutOfMemory, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return failed(Status::kOutOfMemory, "the system refused an allocation");
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    return failed(speaks_of_memory(text) ? Status::kOutOfMemory : Status::kError, text);
  } catch (const std::exception& error) {
    return failed(Status::kError, error.what());
  } catch (...) {
    return failed(Status::kError, "an exception that is no std::exception");
  }
}

}  // namespace

BlockResult run_block(const Experiment& experiment, const Case& cell) {
  std::string warning;
  if (const auto threads = cell.axes.find("threads"); threads != cell.axes.end()) {
    at::set_num_threads(threads->get<int>());
    warning = thread_warning(threads->get<int64_t>());
  }
  const auto start = std::chrono::steady_clock::now();
  BlockResult block = attempt(experiment, cell);
  block.elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (block.status == Status::kOk && !warning.empty()) block.outcome.notes["warning"] = warning;
  return block;
}

}  // namespace lavo
