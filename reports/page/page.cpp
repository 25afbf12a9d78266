// SPDX-License-Identifier: MIT
#include "reports/page/page.h"

#include <algorithm>

#include "lavo/core/check.h"
#include "reports/page/page_asset.h"

namespace lavo::report {
namespace {

/// JSON for a script element: '<' never appears in it, so nothing can end the element early.
std::string embedded(const json& value) {
  std::string text;
  for (const char c : value.dump(-1, ' ', true, json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

/// A script, spelt so that nothing in it ends the element that holds it.
std::string inline_script(std::string script) {
  for (const std::string end : {"</script", "<!--"}) {
    for (size_t at = 0; (at = script.find(end, at)) != std::string::npos; at += end.size() + 1) {
      script.insert(at + 1, "\\");
    }
  }
  return "<script>" + script + "</script>\n";
}

/// A command line that breaks between its options only.
Html command(const std::string& line) {
  Html html = "<pre class=command>"_html;
  for (size_t begin = 0, end = 0; begin < line.size(); begin = end + 1) {
    end = std::min(line.find(" --", begin), line.size());
    html += "<span>"_html + escape(line.substr(begin, end - begin)) + "</span> "_html;
  }
  return html + "</pre>\n"_html;
}

Html render(const Figure& figure, bool drawn, bool pictures) {
  const std::string id = escape(figure.id).text;
  Html html{fmt::format("<figure id=\"{}\">\n<h3>", id)};
  html += escape(figure.title) + "</h3>\n"_html;
  if (drawn) {
    html.text += fmt::format(
        "<div class=chart role=img aria-label=\"{}\" data-spec=\"spec-{}\"></div>\n"
        "<script type=\"application/json\" id=\"spec-{}\">{}</script>\n",
        escape(figure.title).text, id, id, embedded(figure.spec));
  }
  html += "<figcaption><p>"_html + figure.caption + "</p>\n"_html;
  html += "<p>Measured on "_html + escape(figure.origin.machine) + " by</p>"_html +
          command(figure.origin.command);
  html.text +=
      fmt::format("<p class=files>{}.{}</p>", id, pictures ? "{png,svg,vl.json}" : "vl.json");
  return html + "</figcaption>\n</figure>\n"_html;
}

/// Figures stand side by side where there is room, each with the table of its numbers below it,
/// closed until asked for; everything else takes the whole width.
Html render(const Section& section, bool drawn, bool pictures) {
  Html html{fmt::format("<section id=\"{}\">\n<h2>", section.id)};
  html += escape(section.title) + "</h2>\n<div class=panels>\n"_html;
  for (size_t i = 0; i < section.blocks.size(); ++i) {
    const auto& block = section.blocks[i];
    if (const auto* figure = std::get_if<Figure>(&block)) {
      html += "<div class=panel>\n"_html + render(*figure, drawn, pictures);
      const auto* table =
          i + 1 < section.blocks.size() ? std::get_if<Table>(&section.blocks[i + 1]) : nullptr;
      if (table) {
        html.text += fmt::format("<details class=data{}><summary>The numbers</summary>\n",
                                 drawn ? "" : " open");
        html += render(*table) + "</details>\n"_html;
        ++i;
      }
      html += "</div>\n"_html;
    } else if (const auto* table = std::get_if<Table>(&block)) {
      html += "<div class=wide>"_html + render(*table) + "</div>\n"_html;
    } else {
      html += "<p class=wide>"_html + std::get<Html>(block) + "</p>\n"_html;
    }
  }
  return html + "</div>\n</section>\n"_html;
}

Html summary(const std::vector<Section>& sections) {
  Html list;
  for (const Section& section : sections) {
    for (const Html& finding : section.findings) {
      list += "<li>"_html + finding + "</li>\n"_html;
    }
  }
  if (list.text.empty()) return list;
  return "<section class=summary id=summary>\n<strong>In short</strong>\n<ul>\n"_html + list +
         "</ul>\n</section>\n"_html;
}

/// One line: the machines, and how many cells.
Html lead(const Results& results) {
  std::set<std::string> machines;
  for (const json& environment : results.environments) {
    const json machine = environment.value("machine", json::object());
    machines.insert(machine_of(environment, false));
    if (machine.value("gpu_model", json()).is_string())
      machines.insert(machine_of(environment, true));
  }
  Html html = "<p class=lead>"_html;
  html += number(static_cast<double>(results.cells.size()), "1", By::kCount) + " cells"_html;
  for (const std::string& machine : machines) html += " · "_html + escape(machine);
  return html + "</p>\n"_html;
}

Html ways() {
  Html html = "<section id=ways>\n<h2>How the numbers were made</h2>\n<dl class=ways>\n"_html;
  for (int i = 0; i <= static_cast<int>(By::kCount); ++i) {
    const By by = static_cast<By>(i);
    html.text +=
        fmt::format("<dt>{}</dt><dd>{}</dd>\n", name_of(by), escape(explanation_of(by)).text);
  }
  return html + "</dl>\n</section>\n"_html;
}

}  // namespace

std::string render_page(const std::vector<Section>& sections, const Results& results,
                        const std::vector<std::string>& warnings, const std::string& bundle,
                        bool pictures) {
  const bool drawn = !bundle.empty();
  std::string page =
      "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
      "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
      // The browser itself refuses anything that would come from elsewhere.
      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src "
      "'unsafe-inline'; "
      "script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:\">\n"
      "<title>Efficient attention: measurements</title>\n<style>\n";
  page += page_asset("style.css");
  page += "</style>\n</head>\n<body>\n<h1>Efficient attention, measured</h1>\n";
  page += lead(results).text;
  for (const std::string& warning : warnings) {
    page += "<p class=warning>Note: " + escape(warning).text + ".</p>\n";
  }
  page += "<nav>";
  for (const Section& section : sections) {
    page += fmt::format("<a href=\"#{}\">{}</a> ", section.id, escape(section.title).text);
  }
  page += "</nav>\n" + summary(sections).text;
  for (const Section& section : sections) page += render(section, drawn, pictures).text;
  page += ways().text;
  if (drawn) page += inline_script(bundle);
  page += inline_script(std::string(page_asset("script.js")));
  return page + "</body>\n</html>\n";
}

}  // namespace lavo::report
