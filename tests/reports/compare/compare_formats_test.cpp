// SPDX-License-Identifier: MIT
#include "reports/compare/compare_formats.h"

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/results_fixture.h"

using namespace lavo;
using namespace lavo::compare;
using namespace lavo::test;

namespace {

/// One cell broke, one grew by a byte, one has another mechanism with awkward characters.
Comparison example() {
  json base = simulated_sweep(1, {0, 0, 0}), next = simulated_sweep(1, {0, 0, 0}, 1.25);
  json& broken = next["cells"][0];
  broken = failed(broken, "crashed", "signal 11 <at> a|b & \"c\"");
  next["cells"][20]["metrics"]["peak_memory"]["value"] =
      next["cells"][20]["metrics"]["peak_memory"]["value"].get<double>() + 1;
  return compare::compare(parse_results(base, "base.json"), parse_results(next, "new.json"), {});
}

/// Every tag is closed in order: what any XML reader insists on.
bool is_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at + 1)) {
    const size_t end = xml.find('>', at);
    if (end == std::string::npos) return false;
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (std::ranges::count(tag, '"') % 2 != 0 || tag.find('<') != std::string::npos) return false;
    if (tag.starts_with("?")) continue;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag.starts_with("/")) {
      if (open.empty() || "/" + open.back() != tag) return false;
      open.pop_back();
    } else if (!tag.ends_with("/")) {
      open.push_back(name);
    }
  }
  return open.empty();
}

size_t occurrences(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("the table is aligned, worst first, without the rows that are the same") {
  const Comparison comparison = example();
  const std::string table = as_table(comparison, false, false);
  CHECK(table.find('\x1b') == std::string::npos);
  CHECK(as_table(comparison, false, true).find("\x1b[31mbroke") != std::string::npos);
  std::vector<std::string> lines;
  std::istringstream stream(table);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  const auto header = std::ranges::find_if(
      lines, [](const std::string& line) { return line.starts_with("verdict"); });
  REQUIRE(header != lines.end());
  CHECK(header[1].starts_with("broke"));
  CHECK(header[1].find("ok, then crashed: signal 11") == header->find("change"));
  CHECK(header[2].starts_with("slower"));
  CHECK_THAT(header[2], ContainsSubstring("lavo, length"));
  CHECK_THAT(header[2], ContainsSubstring("+25.0 % ["));
  CHECK_THAT(table, ContainsSubstring("+1 B ("));
  CHECK_THAT(table, ContainsSubstring("FAIL: 1 broke, 8 slower, 1 worse"));
  CHECK_THAT(table, ContainsSubstring("geometric mean of time"));
  CHECK(occurrences(as_table(comparison, true, false), "\nsame ") ==
        comparison.count(Verdict::kSame));
}

TEST_CASE("JSON has a row for everything, null where there is no number") {
  const Comparison comparison = example();
  const json document = as_json(comparison);
  CHECK(document["schema"] == "lavo.comparison/1");
  CHECK(document["exit_code"] == 1);
  CHECK(document["counts"]["slower"] == 8);
  CHECK(document["rows"].size() == comparison.rows.size());
  CHECK(document["rows"][0]["verdict"] == "broke");
  CHECK(document["rows"][0]["metric"].is_null());
  CHECK(document["rows"][0]["ratio"].is_null());
  CHECK(document["rows"][1]["fails"] == true);
  CHECK(document["rows"][1]["ratio"].get<double>() == Approx(1.25));
  CHECK(json::parse(document.dump()) == document);  // no NaN, no Infinity
}

TEST_CASE("Markdown escapes what a table or a page would swallow, and stays short") {
  const std::string text = as_markdown(example());
  CHECK(text.starts_with("### lavo-bench compare: FAIL"));
  CHECK_THAT(text, ContainsSubstring("| broke |"));
  CHECK_THAT(text, ContainsSubstring("\\<at\\> a\\|b"));
  CHECK(text.size() < 65536);
}

TEST_CASE("control characters reach no medium, and are seen in each") {
  std::string nasty = "</script><script>";
  for (char c = 1; c < 0x20; ++c) nasty += c;
  nasty += std::string("\0\x7f", 2) + "\u0085\u009b\u2028\u2029\ufffe\uffff";
  json base = simulated_sweep(1, {0, 0, 0}), next = base;
  next["cells"][0] = failed(next["cells"][0], "crashed", nasty);
  base["cells"][1]["axes"]["note"] = next["cells"][1]["axes"]["note"] = nasty;
  const Comparison comparison =
      compare::compare(parse_results(base, "b\x1b"), parse_results(next, "n\r"), {});
  for (const std::string& text :
       {as_table(comparison, true, false), as_markdown(comparison), as_junit(comparison)}) {
    for (const char c : text) {
      const auto code = static_cast<unsigned char>(c);
      CHECK((code >= 0x20 || c == '\n'));
      CHECK(code != 0x7f);
    }
    for (const char* sign : {"\u0085", "\u009b", "\u2028", "\u2029", "\ufffe", "\uffff"}) {
      CHECK(text.find(sign) == std::string::npos);
    }
    CHECK_THAT(text, ContainsSubstring("x1b"));
    CHECK_THAT(text, ContainsSubstring("u2028"));
  }
  CHECK(is_well_formed(as_junit(comparison)));
  CHECK(as_markdown(comparison).find("<script>") == std::string::npos);
}

TEST_CASE("JUnit is well-formed and counts the failures") {
  const Comparison comparison = example();
  const std::string xml = as_junit(comparison);
  CHECK(is_well_formed(xml));
  CHECK_FALSE(is_well_formed("<a><b></a></b>"));
  CHECK(occurrences(xml, "<testcase ") == comparison.rows.size());
  CHECK(occurrences(xml, "<failure ") == comparison.failures());
  CHECK_THAT(xml, ContainsSubstring("failures=\"10\""));
  CHECK_THAT(xml, ContainsSubstring("&lt;at&gt; a|b &amp; &quot;c&quot;"));
}
