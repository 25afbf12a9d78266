// SPDX-License-Identifier: MIT
#include "reports/page/report.h"

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/process.h"
#include "reports/page/charts/palette.h"
#include "reports/page/page.h"
#include "reports/page/page_asset.h"
#include "reports/page/python.h"
#include "reports/page/roles.h"

namespace lavo::report {
namespace {

namespace fs = std::filesystem;

/// What is shown of each machine and build for itself, in this order.
constexpr MakeSections kMeasured[] = {
    efficiency_lengths, speed_up,     time_and_memory,   decoding, heat_maps,
    model_quality,      model_curves, quality_over_time, numerics, other_experiments};
/// And of all of them together.
constexpr MakeSections kTogether[] = {matched_states, problems, environments};

/// Sets the section of one setup apart from those of the others.
void name_setup(Section& section, const std::string& name, size_t number) {
  section.id += fmt::format("-{}", number);
  section.title += fmt::format(" ({})", name);
  for (Html& finding : section.findings) finding = escape(name + ": ") + finding;
  for (auto& block : section.blocks) {
    if (auto* figure = std::get_if<Figure>(&block)) {
      figure->id += fmt::format("-{}", number);
      figure->title += fmt::format(" ({})", name);
    }
  }
}

std::vector<Section> make_sections(const Results& results, const std::vector<Setup>& setups) {
  std::vector<Section> sections;
  for (size_t i = 0; i < setups.size(); ++i) {
    const Results part = setups.size() == 1 ? results : of_setup(results, setups[i]);
    for (const MakeSections make : kMeasured) {
      for (Section& section : make(part)) {
        if (setups.size() > 1) name_setup(section, setup_name(setups, i), i + 1);
        sections.push_back(std::move(section));
      }
    }
  }
  for (const MakeSections make : kTogether) {
    for (Section& section : make(results)) sections.push_back(std::move(section));
  }
  return sections;
}

/// A chart whose texts every renderer takes: a picture is XML.
json printable(json value) {
  if (value.is_string()) return on_one_line(value.get<std::string>());
  for (json& item : value) {
    if (item.is_structured() || item.is_string()) item = printable(std::move(item));
  }
  return value;
}

std::vector<std::string> warnings_of(const Results& results, const std::vector<Setup>& setups) {
  std::vector<std::string> warnings;
  for (const std::string& line : {difference_text(setups), results.dropped}) {
    if (!line.empty()) warnings.push_back(line);
  }
  return warnings;
}

/// The colours go by the order of the page.
void choose_colours(const Results& results) {
  std::vector<std::string> mechanisms;
  std::map<std::pair<size_t, std::string>, int> ranks;
  for (const Cell& cell : results.cells) ++ranks[{rank_of(cell.mechanism()), cell.mechanism()}];
  for (const auto& [rank, count] : ranks) mechanisms.push_back(rank.second);
  set_palette(mechanisms);
}

/// Draws the charts and returns the browser's libraries; "" and the reason when that cannot be
/// done.
std::string draw_charts(const fs::path& out, std::string& reason) {
  const auto python = find_python("vl_convert");
  if (!python) {
    reason =
        "no Python with vl-convert was found (LAVO_PYTHON, the environments of run_all.sh, PATH)";
    return "";
  }
  const fs::path file = out / "vega.bundle.js";
  const Ran ran =
      run_and_wait({python->string(), "-c", std::string(page_asset("render.py")), out.string()});
  if (ran.code != 0) {
    const std::string text = ran.output.substr(0, ran.output.find_last_not_of('\n') + 1);
    reason = fmt::format("{} failed: {}", python->string(), text.substr(text.rfind('\n') + 1));
    return "";
  }
  std::string bundle = read_text(file);
  fs::remove(file);
  return bundle;
}

}  // namespace

ReportResult write_report(const std::vector<fs::path>& directories, const fs::path& out,
                          bool draw) {
  const Results results = load_results(directories);
  choose_colours(results);
  const std::vector<Setup> setups = setups_of(results.environments);
  std::vector<Section> sections = make_sections(results, setups);
  std::error_code error;
  fs::create_directories(out, error);
  require<InputError>(fs::is_directory(out), "{}: cannot be made a directory", out.string());
  ReportResult result;
  result.page = out / "index.html";
  for (Section& section : sections) {
    for (auto& block : section.blocks) {
      if (auto* figure = std::get_if<Figure>(&block)) {
        figure->spec = printable(std::move(figure->spec));
        write_atomically(out / (figure->id + ".vl.json"),
                         json_text(printable(titled(figure->spec, figure->title)), 1));
        ++result.figures;
      }
    }
  }
  const std::string bundle = draw ? draw_charts(out, result.without_pictures) : "";
  write_atomically(result.page, render_page(sections, results, warnings_of(results, setups), bundle,
                                            !bundle.empty()));
  return result;
}

}  // namespace lavo::report
