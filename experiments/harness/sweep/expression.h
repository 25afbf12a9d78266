// SPDX-License-Identifier: MIT
// Conditions over the axes of a cell, as sweep files write them:
//
//   mechanism == 'vanilla' and length > 16384
//   mechanism in ['linear', 'performer'] or not causal
//
//   or < and < not < == != < <= > >= in, "not in" < names, numbers, 'text', true, false, ( )
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lavo/core/options.h"

namespace lavo {

class Expression {
 public:
  /// `place` ("sweep.toml:7:8") goes in front of every message. Throws InputError with the column
  /// inside the text.
  Expression(const std::string& text, const std::string& place);

  /// Whether it holds for a point. A name that the point lacks is null: it differs from everything,
  /// is neither above nor below anything, and is false by itself.
  bool holds(const json& axes) const;

  /// The names it reads, each once.
  const std::vector<std::string>& names() const { return names_; }
  /// The texts that `name` is compared with: mechanism -> lavo, local.
  std::vector<std::string> texts_compared_with(const std::string& name) const;
  const std::string& place() const { return place_; }

  struct Node;

 private:
  std::shared_ptr<const Node> root_;
  std::vector<std::string> names_;
  std::string place_;
};

}  // namespace lavo
