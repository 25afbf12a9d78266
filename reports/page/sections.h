// SPDX-License-Identifier: MIT
// The report is a list of sections; each looks for the records it can show and is left out when
// there are none.
#pragma once

#include <variant>

#include "reports/page/charts.h"
#include "reports/page/html.h"
#include "reports/page/results.h"

namespace lavo::report {

/// Where numbers come from.
struct Origin {
  std::string command;  ///< that measures them again
  std::string machine;  ///< that measured them
};

struct Figure {
  std::string id;  ///< names the files: ID.vl.json, ID.png, ID.svg
  std::string title;
  json spec;
  Html caption;
  Origin origin;
};

struct Section {
  std::string id;
  std::string title;
  std::vector<std::variant<Html, Table, Figure>> blocks;
  std::vector<Html> findings;  ///< sentences for the summary at the top
};

/// Empty when the records hold nothing for it.
using MakeSections = std::vector<Section> (*)(const Results&);
std::vector<Section> time_and_memory(const Results& results);
std::vector<Section> efficiency_lengths(const Results& results);
std::vector<Section> speed_up(const Results& results);
std::vector<Section> decoding(const Results& results);
std::vector<Section> heat_maps(const Results& results);
std::vector<Section> model_quality(const Results& results);
std::vector<Section> model_curves(const Results& results);
std::vector<Section> quality_over_time(const Results& results);
std::vector<Section> numerics(const Results& results);
std::vector<Section> other_experiments(const Results& results);
std::vector<Section> matched_states(const Results& results);
std::vector<Section> problems(const Results& results);
std::vector<Section> environments(const Results& results);

// What sections share.

/// Findings that say the same of several panels: one sentence for each subject.
class Claims {
 public:
  void add(const Html& subject, const Html& predicate);
  std::vector<Html> sentences() const;  ///< "subject: predicate; predicate."

 private:
  std::vector<std::pair<Html, Html>> claims_;
};

/// The label behind a dot in the mechanism's colour.
Html marked(const std::string& mechanism, const std::string& label);

/// A status in the place of a number.
Html status_mark(const std::string& status);

/// Cells that differ only in their label, in order of first appearance; a label's mechanism is that
/// of its first cell.
struct Variant {
  std::string label;
  std::string mechanism;
  Cells cells;
};
std::vector<Variant> variants(const Cells& cells, const std::set<std::string>& apart);

/// What LAVO must be read against and is not among the rows, in words; nothing without LAVO.
std::vector<Html> missing_controls(const std::vector<Variant>& rows,
                                   const std::vector<std::string>& controls);

/// Machines and the command `lavo-bench run FILE -o DIR --profile quick --axis pass=forward`: the
/// sweep and its options are those that the cells were asked for with; each of `axes`, in which
/// they have one value, narrows it further.
Origin origin_of(const Results& results, const Cells& cells, const std::vector<std::string>& axes);

/// "Intel Xeon, 2 cores", or the GPU's name where the cells ran on one.
std::string machine_of(const json& environment, bool gpu);

/// "forward, causal, float32": the named axes of a cell in words; constant ones left out where
/// `varying` lacks them.
std::string describe(const Cell& cell, const std::vector<std::string>& axes);

/// "Bases window quality" of bases_window_quality.
std::string capitalised(std::string text);

/// "attention-forward-causal" from any text: for ids and file names.
std::string slug(const std::string& text);

}  // namespace lavo::report
