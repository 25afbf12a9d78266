// SPDX-License-Identifier: MIT
#include "experiments/harness/run/progress.h"

#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

namespace lavo {
namespace {

constexpr double kRedraw = 0.25;   ///< s between two pictures of the line
constexpr double kHeartbeat = 60;  ///< s of silence without a terminal
constexpr size_t kBar = 20;        ///< characters

size_t terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

/// As much of UTF-8 text as fits, characters counted, control characters blanked.
std::string cut(const std::string& text, size_t width) {
  std::string result;
  size_t columns = 0;
  for (const char c : text) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (begins && ++columns > width) break;
    result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return result;
}

}  // namespace

std::vector<std::string> varying_axes(const std::vector<Cell>& cells) {
  std::map<std::string, json> first;
  std::map<std::string, size_t> count;
  std::set<std::string> varying;
  for (const Cell& cell : cells) {
    for (const auto& [name, value] : cell.axes.items()) {
      ++count[name];
      const auto [at, is_first] = first.try_emplace(name, value);
      if (!is_first && at->second != value) varying.insert(name);
    }
  }
  for (const auto& [name, times] : count) {
    if (times < cells.size()) varying.insert(name);
  }
  return {varying.begin(), varying.end()};
}

std::string describe_axes(const json& axes, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const auto found = axes.find(name);
    if (found == axes.end() || found->is_null()) continue;
    const std::string value = found->is_string() ? found->get<std::string>() : found->dump();
    text += (text.empty() ? "" : " ") + (name == "mechanism" ? value : name + "=" + value);
  }
  return text;
}

std::string duration_text(double seconds) {
  const auto s = static_cast<int64_t>(std::ceil(seconds));
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s % 3600 / 60);
  if (s >= 60) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}s", s);
}

Progress::Progress(const std::vector<Cell>& cells, bool quiet)
    : total_(cells.size()), varying_(varying_axes(cells)), quiet_(quiet), last_(Clock::now()) {
  const char* terminal = std::getenv("TERM");
  terminal_ = ::isatty(STDOUT_FILENO) && terminal && std::string(terminal) != "dumb";
}

Progress::~Progress() { clear(); }

std::string Progress::describe(const Cell& cell) const {
  return cell.experiment->name() + " " + describe_axes(cell.axes, varying_);
}

void Progress::record(const Cell& cell, const json& record) {
  ++done_;
  const auto status = record["status"].get<Status>();
  const bool failed = status != Status::kOk && status != Status::kSkipped;
  failed_ += failed;
  if (const json notes = record.value("notes", json::object()); notes.contains("warning")) {
    say(on_one_line(cell.id + ": warning: " + notes["warning"].get<std::string>()));
  }
  if (terminal_ && !failed) return;
  std::string line = fmt::format("{}/{} {} {} {:.1f} s  {}", done_, total_, cell.id, status,
                                 record["elapsed_s"].get<double>(), describe(cell));
  if (status != Status::kOk) line += ": " + record["reason"].get<std::string>();
  say(on_one_line(line));
}

void Progress::say(const std::string& text) {
  if (quiet_) return;
  clear();
  fmt::print("{}\n", text);
  std::fflush(stdout);
  last_ = Clock::now();
}

void Progress::draw(int done, double seconds_left, const std::vector<std::string>& running) {
  done_ = done;
  if (quiet_ || seconds_since(last_) < (terminal_ ? kRedraw : kHeartbeat)) return;
  const std::string left = seconds_left < 0 ? "" : "  " + duration_text(seconds_left) + " left";
  const std::string failed = failed_ ? fmt::format("  {} failed", failed_) : "";
  const std::string text =
      fmt::format("{}/{} cells{}{}  {}", done, total_, failed, left, fmt::join(running, " | "));
  if (!terminal_) return say(text);
  const size_t filled = total_ ? kBar * static_cast<size_t>(done) / total_ : kBar;
  const std::string bar =
      fmt::format("[{}{}] ", std::string(filled, '#'), std::string(kBar - filled, '.'));
  fmt::print("\r\033[K{}", cut(bar + text, terminal_width() - 1));
  std::fflush(stdout);
  drawn_ = true;
  last_ = Clock::now();
}

void Progress::clear() {
  if (drawn_) fmt::print("\r\033[K");
  std::fflush(stdout);
  drawn_ = false;
}

}  // namespace lavo
