// SPDX-License-Identifier: MIT
// The page from a made-up run: what it may hold, and that it opens.
#include "reports/page/report.h"

#include <cmath>
#include <fstream>
#include <random>
#include <set>

#include "lavo/core/check.h"
#include "lavo/core/files.h"
#include "lavo/core/options.h"
#include "lavo/core/process.h"
#include "reports/page/charts/palette.h"
#include "reports/page/python.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/results_fixture.h"
#include "tests/support/skip.h"

using namespace lavo;
namespace fs = std::filesystem;

namespace {

void make_run(const fs::path& directory) {
  const auto made = run_and_wait(
      {"python3", source_file("tests/reports/page/made_up_run.py"), directory.string()});
  INFO(made.output);
  REQUIRE(made.code == 0);
}

void leaves(const json& value, std::set<double>& numbers) {
  if (value.is_number()) numbers.insert(value.get<double>());
  if (!value.is_structured()) return;  // a primitive would be its own and only element
  for (const json& part : value) leaves(part, numbers);
}

/// What stands between each `open` and the next `close`.
std::vector<std::string> all_between(const std::string& text, const std::string& open,
                                     const std::string& close) {
  std::vector<std::string> found;
  for (size_t at = 0; (at = text.find(open, at)) != std::string::npos;) {
    at += open.size();
    found.push_back(text.substr(at, text.find(close, at) - at));
  }
  return found;
}

std::string without_scripts(const std::string& page) {
  std::string rest;
  size_t at = 0;
  for (size_t begin; (begin = page.find("<script", at)) != std::string::npos;) {
    rest += page.substr(at, begin - at);
    at = page.find("</script>", begin) + 9;
  }
  return rest + page.substr(at);
}

}  // namespace

TEST_CASE("every number on the page stands in results.json or says how it was derived") {
  const TemporaryDirectory run, out;
  make_run(run.path);
  report::write_report({run.path}, out.path, /*draw=*/false);
  const std::string page = without_scripts(read_text(out.file("index.html")));
  std::set<double> known;
  leaves(read_json(run.file("results.json")), known);
  const std::set<std::string> ways = {
      "seeds", "ratio", "efficiency-length", "exponent", "difference", "reciprocal", "count"};
  size_t recorded = 0, derived = 0;
  for (const std::string& tag : all_between(page, "<data ", ">")) {
    const double value = std::stod(all_between(tag, "value=\"", "\"").at(0));
    const auto by = all_between(tag, "data-by=\"", "\"");
    CAPTURE(tag);
    CHECK(std::isfinite(value));
    if (by.empty()) {
      CHECK(known.contains(value));
      ++recorded;
    } else {
      CHECK(ways.contains(by.at(0)));
      CHECK(page.find("<dt>" + by.at(0) + "</dt>") != std::string::npos);
      ++derived;
    }
  }
  CHECK(recorded > 300);
  CHECK(derived > 100);
}

TEST_CASE("derived numbers are right: one of each kind, computed here from the file") {
  const TemporaryDirectory run, out;
  make_run(run.path);
  report::write_report({run.path}, out.path, /*draw=*/false);
  const std::string page = without_scripts(read_text(out.file("index.html")));
  const json results = read_json(run.file("results.json"));
  const auto time = [&](const std::string& mechanism) {
    for (const json& cell : results["cells"]) {
      const json& axes = cell["axes"];
      if (cell["experiment"] == "efficiency" && axes["mechanism"] == mechanism &&
          axes["length"] == 8192 && axes["pass"] == "forward" && axes["causal"] == true &&
          axes.value("bases", 64) == 64 && axes.value("window", 16) == 16) {
        return cell["metrics"]["time"]["value"].get<double>();
      }
    }
    return 0.0;
  };
  const double gain = time("vanilla") / time("lavo");
  CHECK_THAT(page, ContainsSubstring(fmt::format("<data value=\"{}\" data-by=\"ratio\">", gain)));
  double sum = 0;
  int seeds = 0;
  for (const json& cell : results["cells"]) {
    if (cell["axes"]["mechanism"] == "vanilla" &&
        cell["axes"].value("position_encoding", "") == "rope") {
      sum += cell["metrics"]["bits_per_byte"]["value"].get<double>();
      ++seeds;
    }
  }
  CHECK(seeds == 3);
  CHECK_THAT(page,
             ContainsSubstring(fmt::format("<data value=\"{}\" data-by=\"seeds\">", sum / seeds)));
}

TEST_CASE("the page refers to nothing outside itself, and text from records cannot become markup") {
  const TemporaryDirectory run, out;
  make_run(run.path);
  const std::string hostile = "</script><img src=x onerror=alert(1)>\"'&";
  json results = read_json(run.file("results.json"));
  for (json& cell : results["cells"]) {
    if (cell["status"] != "ok") cell["reason"] = hostile;
    if (cell["axes"].contains("memory")) cell["axes"]["memory"] = hostile;
  }
  results["environments"]["e1"]["build"][hostile] = hostile;
  std::ofstream(run.file("results.json")) << results;
  report::write_report({run.path}, out.path, /*draw=*/false);
  const std::string page = read_text(out.file("index.html"));
  const std::string text = without_scripts(page);
  CHECK_THAT(text, !ContainsSubstring("<img"));
  CHECK_THAT(text, ContainsSubstring("&lt;img src=x onerror=alert(1)&gt;"));
  CHECK_THAT(text, !ContainsSubstring("http:"));
  CHECK_THAT(text, !ContainsSubstring("https:"));
  for (const char* loads : {"<script src", "<link", "<iframe", "<object", "url("}) {
    CHECK_THAT(page, !ContainsSubstring(loads));
  }
  for (const std::string& target : all_between(text, "href=", ">")) {
    CHECK_THAT(target, Catch::Matchers::StartsWith("\"#"));
  }
}

TEST_CASE("a status never becomes a number, and every failure has its reason on the page") {
  const TemporaryDirectory run, out;
  make_run(run.path);
  report::write_report({run.path}, out.path, /*draw=*/false);
  const std::string page = read_text(out.file("index.html"));
  const json results = read_json(run.file("results.json"));
  for (const json& cell : results["cells"]) {
    if (cell["status"] == "ok") continue;
    CHECK_THAT(page, ContainsSubstring(cell["reason"].get<std::string>()));
    CHECK_THAT(page, ContainsSubstring(cell["id"].get<std::string>()));
  }
  const json chart = read_json(out.file("time-forward-causal.vl.json"));
  for (const json& row : chart["data"]["values"]) {
    CHECK(row["y"].get<double>() > 0);
    CHECK(!(row["label"] == "vanilla_math" && row["x"] == 65536));
  }
}

TEST_CASE("accuracies stand beside chance, best first, a figure for each size of the task") {
  const TemporaryDirectory run, out;
  make_run(run.path);
  report::write_report({run.path}, out.path, /*draw=*/false);
  for (const char* pairs : {"8", "16"}) {
    const json chart =
        read_json(out.file(fmt::format("recall-accuracy-bars-pairs-{}.vl.json", pairs)));
    const json& bars = chart["data"]["values"];
    REQUIRE(bars.size() == 2);
    CHECK(bars[0]["label"] == "vanilla");
    CHECK(bars[0]["value"] == 0.99);
    CHECK(bars[1]["value"] == 0.04);
    CHECK_THAT(chart.dump(), ContainsSubstring("\"at\":0.0625,\"rule\":\"chance\""));
    CHECK(fs::exists(out.file(fmt::format("recall-accuracy-pairs-{}.vl.json", pairs))));
  }
  const std::string page = without_scripts(read_text(out.file("index.html")));
  CHECK_THAT(page, ContainsSubstring("Recall, pairs 8: the best accuracy is that of"));
}

TEST_CASE("records without what a figure wants leave the rest of the report whole") {
  const TemporaryDirectory run;
  make_run(run.path);
  const json whole = read_json(run.file("results.json"));
  std::mt19937 random(static_cast<unsigned>(GENERATE(range(0, 4))));
  json results = whole;
  for (json& cell : results["cells"]) {
    if (random() % 2) continue;
    for (const char* part : {"series", "axes", "metrics"}) {
      json& fields = cell[part];
      for (auto it = fields.begin(); it != fields.end();) {
        const bool last = std::string(part) == "metrics" && fields.size() == 1;
        it = random() % 3 == 0 && !last ? fields.erase(it) : std::next(it);
      }
    }
  }
  const TemporaryDirectory other;
  std::ofstream(other.file("results.json")) << results;
  CHECK_NOTHROW(report::write_report({other.path}, other.path / "report", /*draw=*/false));
  json nothing = whole;
  nothing["cells"] = json::array();
  std::ofstream(other.file("results.json")) << nothing;
  CHECK_NOTHROW(report::write_report({other.path}, other.path / "report", /*draw=*/false));
}

TEST_CASE("states that a sweep sized stand on the page once, with their ratio") {
  const TemporaryDirectory run, out;
  make_run(run.path);
  json results = read_json(run.file("results.json"));
  int noted = 0;
  for (json& cell : results["cells"]) {
    if (cell["axes"]["mechanism"] != "performer") continue;
    cell["notes"]["matched_state"] = {{{"by", "feature_count"},
                                       {"value", 77},
                                       {"budget_bytes", 20480},
                                       {"counted_bytes", 20224},
                                       {"true_bytes", 40448},
                                       {"ratio", 0.9875}}};
    ++noted;
  }
  REQUIRE(noted > 3);
  std::ofstream(run.file("results.json")) << results;
  report::write_report({run.path}, out.path, /*draw=*/false);
  const std::string page = without_scripts(read_text(out.file("index.html")));
  const size_t section = page.find("id=\"matched-states\"");
  REQUIRE(section != std::string::npos);
  for (const char* text : {"feature_count 77", "<data value=\"20480", "<data value=\"0.9875"}) {
    CHECK(page.find(text, section) != std::string::npos);
  }
  // Once for each experiment that has such cells.
  CHECK(all_between(page, "feature_count 7", "7<").size() <= 3);
}

TEST_CASE("every chart is drawn by a browser without a network") {
  if (!report::find_python("vl_convert")) {
    skip("no Python with vl-convert");
    return;
  }
  const TemporaryDirectory run, out;
  make_run(run.path);
  const auto result = report::write_report({run.path}, out.path);
  CHECK(result.without_pictures == "");
  CHECK(result.figures > 15);
  size_t specs = 0;
  for (const auto& entry : fs::directory_iterator(out.path)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".vl.json")) continue;
    ++specs;
    const std::string stem = out.file(name.substr(0, name.size() - 8));
    CAPTURE(name);
    CHECK(fs::file_size(stem + ".png") > 2000);
    CHECK_THAT(read_text(stem + ".svg"), ContainsSubstring("<path"));
  }
  CHECK(specs == result.figures);
  const std::string text = without_scripts(read_text(out.file("index.html")));
  CHECK(text.find("http:") == std::string::npos);
  CHECK(text.find("https:") == std::string::npos);

  std::string browser;
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (browser.empty() && run_and_wait({name, "--version"}).code == 0) browser = name;
  }
  if (browser.empty()) {
    skip("no chromium");
    return;
  }
  std::vector<std::string> command = {browser,
                                      "--headless",
                                      "--no-sandbox",
                                      "--disable-gpu",
                                      "--virtual-time-budget=60000",
                                      "--user-data-dir=" + out.file("profile"),
                                      "--dump-dom",
                                      "file://" + out.file("index.html")};
  if (run_and_wait({"unshare", "-rn", "true"}).code == 0)
    command.insert(command.begin(), {"unshare", "-rn"});
  const auto dom = run_and_wait(command);
  CHECK(all_between(dom.output, "data-drawn=\"yes", "\"").size() == result.figures);
  CHECK(all_between(dom.output, "data-drawn=\"no", "\"").empty());
}

TEST_CASE("numbers of two machines or builds meet in no ratio, sentence or crossing") {
  std::vector<json> cells;
  for (const std::string mechanism : {"vanilla", "lavo"}) {
    for (const int length : {512, 1024, 2048}) {
      json cell = test::cell_record(mechanism, length);
      const double ms = mechanism == "lavo" ? 1 : 3;
      cell["metrics"]["time"] = test::timing_metric({{ms, ms, ms}, {ms, ms, ms}, {ms, ms, ms}});
      cells.push_back(cell);
    }
  }
  const auto page_of = [&](const json& results) {
    const TemporaryDirectory run;
    run.write("results.json", results.dump());
    const auto report = report::write_report({run.path}, run.path / "report", /*draw=*/false);
    return read_text(report.page);
  };
  json results = test::results_document(cells);
  const std::string together = page_of(results);
  CHECK_THAT(together, ContainsSubstring("data-by=\"ratio\""));
  CHECK_THAT(together, ContainsSubstring("is faster than fused attention"));
  CHECK(together.find("class=warning") == std::string::npos);
  for (const char* place : {"/machine/cpu_model", "/build/compiler"}) {
    json other = results["environments"]["e"];
    other[json::json_pointer(place)] = "another";
    json apart = results;
    apart["environments"]["f"] = other;
    for (size_t i = 0; i < 3; ++i) apart["cells"][i]["environment"] = "f";
    const std::string page = page_of(apart);
    CHECK(page.find("data-by=\"ratio\"") == std::string::npos);
    CHECK(page.find("is faster than fused attention") == std::string::npos);
    CHECK(page.find("data-by=\"efficiency-length\"") == std::string::npos);
    CHECK_THAT(page, ContainsSubstring("<p class=warning>"));
    CHECK_THAT(page, ContainsSubstring("another"));
    CHECK(all_between(page, "<p class=warning>", "</p>").size() == 1);
  }
}

TEST_CASE("names from records open no element and lose no chart") {
  std::string nasty = "</script><script>alert(1)</script>\u2028\u2029\ufffe\u009b";
  for (char c = 1; c < 0x20; ++c) nasty += c;
  std::vector<json> cells;
  for (const int length : {512, 1024, 2048}) {
    json cell = test::cell_record(nasty, length);
    cell["metrics"]["time"] = test::timing_metric({{1, 2, 3}});
    cells.push_back(cell);
    cells.push_back(test::failed(test::cell_record("lavo", length), "crashed", nasty));
  }
  cells[0]["experiment"] = cells[0]["axes"]["note"] = nasty;
  const TemporaryDirectory run;
  run.write("results.json", test::results_document(cells).dump());
  const auto report = report::write_report({run.path}, run.path / "report", /*draw=*/false);
  const std::string page = read_text(report.page);
  const size_t scripts = all_between(page, "<script", ">").size();
  CHECK(scripts == 1);  // ours, that sorts tables
  for (const char c : page) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
  for (const char* sign : {"\u2028", "\u2029", "\ufffe", "\u009b"}) {
    CHECK(page.find(sign) == std::string::npos);
  }
  REQUIRE(report.figures > 0);  // that show the name
  for (const auto& entry : fs::directory_iterator(run.path / "report")) {
    if (!entry.path().string().ends_with(".vl.json")) continue;
    const std::string spec = read_text(entry.path());
    for (const char c : spec) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
    CHECK(spec.find("\u2028") == std::string::npos);
  }
}

TEST_CASE("25 mechanisms look different from each other") {
  std::vector<std::string> mechanisms = {"lavo", "vanilla", "vanilla_math"};
  for (int i = 0; i < 22; ++i) mechanisms.push_back(fmt::format("m{}", i));
  report::set_palette(mechanisms);
  std::set<std::pair<std::string, size_t>> looks;
  for (const std::string& mechanism : mechanisms) {
    const report::Ink ink = report::ink_of(mechanism);
    looks.emplace(ink.color, ink.lap);
  }
  CHECK(looks.size() == 25);
}

TEST_CASE("a directory without results is refused with one line") {
  const TemporaryDirectory empty;
  const Finished refused = run_program({"report", empty.path.string()});
  CHECK(refused.code == 2);
  CHECK(is_one_line_refusal(refused));
  CHECK_THAT(refused.err, ContainsSubstring("results.json"));
}
