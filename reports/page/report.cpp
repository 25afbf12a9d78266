// SPDX-License-Identifier: MIT
#include "reports/page/report.h"

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "reports/page/page.h"
#include "reports/page/page_asset.h"
#include "reports/page/python.h"

namespace lavo::report {
namespace {

namespace fs = std::filesystem;

/// The report in its order.
constexpr MakeSections kSections[] = {efficiency_lengths, speed_up,          time_and_memory,
                                      decoding,           heat_maps,         model_quality,
                                      model_curves,       quality_over_time, numerics,
                                      other_experiments,  problems,          environments};

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
  std::vector<Section> sections;
  for (const MakeSections make : kSections) {
    for (Section& section : make(results)) sections.push_back(std::move(section));
  }
  std::error_code error;
  fs::create_directories(out, error);
  require<InputError>(fs::is_directory(out), "{}: cannot be made a directory", out.string());
  ReportResult result;
  result.page = out / "index.html";
  for (const Section& section : sections) {
    for (const auto& block : section.blocks) {
      if (const auto* figure = std::get_if<Figure>(&block)) {
        write_atomically(out / (figure->id + ".vl.json"),
                         titled(figure->spec, figure->title).dump(1) + "\n");
        ++result.figures;
      }
    }
  }
  const std::string bundle = draw ? draw_charts(out, result.without_pictures) : "";
  write_atomically(result.page, render_page(sections, results, bundle, !bundle.empty()));
  return result;
}

}  // namespace lavo::report
