// SPDX-License-Identifier: MIT
#include "experiments/harness/sweep/expression.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "lavo/core/check.h"

namespace lavo {

/// A leaf is a name or a value; an inner node has an operator and its operands.
struct Expression::Node {
  std::string op;  ///< "name", "value", "list", "or", "and", "not", "==", "<", "in" ...
  json value = {};
  std::vector<std::shared_ptr<const Node>> parts = {};
};

namespace {

using Node = Expression::Node;
using NodePointer = std::shared_ptr<const Node>;

bool is_order(const std::string& op) { return op == "<" || op == "<=" || op == ">" || op == ">="; }

struct Token {
  enum Kind { kName, kNumber, kText, kSymbol, kEnd } kind = kEnd;
  std::string text = {};
  size_t at = 0;
};

class Parser {
 public:
  Parser(const std::string& text, const std::string& place) : text_(text), place_(place) {
    advance();
  }

  NodePointer parse() {
    NodePointer root = parse_or();
    if (token_.kind != Token::kEnd) refuse("'and', 'or' or the end");
    return root;
  }

 private:
  static constexpr int kDeepest = 100;  ///< nested parentheses; keeps the stack bounded

  [[noreturn]] void refuse(const std::string& wanted) const {
    const std::string got =
        token_.kind == Token::kEnd ? "the end" : fmt::format("'{}'", token_.text);
    fail<InputError>("{}: condition \"{}\": column {}: got {}, wanted {}", place_, text_,
                     token_.at + 1, got, wanted);
  }

  void advance() {
    size_t at = last_;
    while (at < text_.size() && std::isspace(static_cast<unsigned char>(text_[at]))) ++at;
    token_ = {Token::kEnd, "", at};
    if (at == text_.size()) return;
    const auto is_word = [&](size_t i) {
      return i < text_.size() &&
             (std::isalnum(static_cast<unsigned char>(text_[i])) || text_[i] == '_');
    };
    const char c = text_[at];
    size_t end = at + 1;
    if (c == '\'' || c == '"') {
      end = text_.find(c, at + 1);
      if (end == std::string::npos) {
        token_ = {Token::kText, text_.substr(at), at};
        refuse("a closing quote");
      }
      token_ = {Token::kText, text_.substr(at + 1, end - at - 1), at};
      last_ = end + 1;
      return;
    }
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '+' || c == '.') {
      while (is_word(end) || (end < text_.size() && text_[end] == '.') ||
             (end < text_.size() && (text_[end] == '-' || text_[end] == '+') &&
              std::tolower(static_cast<unsigned char>(text_[end - 1])) == 'e')) {
        ++end;
      }
      token_.kind = Token::kNumber;
    } else if (is_word(at)) {
      while (is_word(end)) ++end;
      token_.kind = Token::kName;
    } else {
      if (end < text_.size() && text_[end] == '=' && (c == '=' || c == '!' || c == '<' || c == '>'))
        ++end;
      token_.kind = Token::kSymbol;
    }
    token_.text = text_.substr(at, end - at);
    last_ = end;
  }

  bool accept(Token::Kind kind, const std::string& text) {
    if (token_.kind != kind || token_.text != text) return false;
    advance();
    return true;
  }
  bool accept_word(const std::string& text) { return accept(Token::kName, text); }
  bool accept_symbol(const std::string& text) { return accept(Token::kSymbol, text); }

  static NodePointer make(std::string op, std::vector<NodePointer> parts) {
    return std::make_shared<Node>(Node{std::move(op), {}, std::move(parts)});
  }

  NodePointer parse_or() {
    if (++depth_ > kDeepest) refuse("fewer nested parentheses");
    NodePointer left = parse_and();
    while (accept_word("or")) left = make("or", {left, parse_and()});
    --depth_;
    return left;
  }
  NodePointer parse_and() {
    NodePointer left = parse_not();
    while (accept_word("and")) left = make("and", {left, parse_not()});
    return left;
  }
  NodePointer parse_not() {
    bool negated = false;
    while (accept_word("not")) negated = !negated;
    const NodePointer condition = parse_comparison();
    return negated ? make("not", {condition}) : condition;
  }

  NodePointer parse_comparison() {
    const NodePointer left = parse_operand();
    if (accept_word("in")) return make("in", {left, parse_list()});
    if (accept_word("not")) {
      if (!accept_word("in")) refuse("'in'");
      return make("not", {make("in", {left, parse_list()})});
    }
    for (const char* op : {"==", "!=", "<=", ">=", "<", ">"}) {
      const Token before = token_;
      if (!accept_symbol(op)) continue;
      const NodePointer right = parse_operand();
      if (is_order(op) && (left->value.is_string() || right->value.is_string()) &&
          !(left->op == "name" && right->op == "name")) {
        for (const NodePointer& side : {left, right}) {
          if (side->op != "value" || !side->value.is_string()) continue;
          token_ = before;
          refuse("numbers on both sides of it");
        }
      }
      return make(op, {left, right});
    }
    if (left->op == "value" && !left->value.is_boolean()) {
      refuse("a comparison: ==, !=, <, <=, >, >=, in");
    }
    return left;
  }

  NodePointer parse_operand() {
    if (accept_symbol("(")) {
      NodePointer inside = parse_or();
      if (!accept_symbol(")")) refuse("')'");
      return inside;
    }
    const Token token = token_;
    switch (token.kind) {
      case Token::kName: {
        for (const char* word : {"and", "or", "not", "in"}) {
          if (token.text == word) refuse("an axis or a value");
        }
        advance();
        if (token.text == "true") return value(true);
        if (token.text == "false") return value(false);
        return std::make_shared<Node>(Node{"name", token.text, {}});
      }
      case Token::kNumber: {
        const char* begin = token.text.data() + (token.text[0] == '+' ? 1 : 0);
        const char* end = token.text.data() + token.text.size();
        double number = 0;
        const auto parsed = std::from_chars(begin, end, number);
        if (parsed.ec != std::errc() || parsed.ptr != end) refuse("a number");
        advance();
        return value(number);
      }
      case Token::kText:
        advance();
        return value(token.text);
      default:
        refuse("an axis or a value");
    }
  }

  NodePointer parse_list() {
    if (!accept_symbol("[")) refuse("'['");
    std::vector<NodePointer> items;
    while (!accept_symbol("]")) {
      if (!items.empty() && !accept_symbol(",")) refuse("',' or ']'");
      items.push_back(parse_operand());
    }
    return make("list", std::move(items));
  }

  static NodePointer value(json of) {
    return std::make_shared<Node>(Node{"value", std::move(of), {}});
  }

  const std::string& text_;
  const std::string& place_;
  size_t last_ = 0;
  int depth_ = 0;
  Token token_;
};

json evaluate(const Node& node, const json& axes);

bool truth(const Node& node, const json& axes) {
  const json value = evaluate(node, axes);
  return value.is_boolean() && value.get<bool>();
}

bool ordered(const std::string& op, const json& a, const json& b) {
  if (!a.is_number() || !b.is_number()) return false;
  const double x = a.get<double>(), y = b.get<double>();
  if (op == "<") return x < y;
  if (op == "<=") return x <= y;
  if (op == ">") return x > y;
  return x >= y;
}

json evaluate(const Node& node, const json& axes) {
  if (node.op == "value") return node.value;
  if (node.op == "name") {
    return axes.value(node.value.get<std::string>(), json());
  }
  if (node.op == "or") return truth(*node.parts[0], axes) || truth(*node.parts[1], axes);
  if (node.op == "and") return truth(*node.parts[0], axes) && truth(*node.parts[1], axes);
  if (node.op == "not") return !truth(*node.parts[0], axes);
  const json left = evaluate(*node.parts[0], axes);
  if (node.op == "in") {
    return std::ranges::any_of(node.parts[1]->parts,
                               [&](const auto& item) { return evaluate(*item, axes) == left; });
  }
  const json right = evaluate(*node.parts[1], axes);
  if (node.op == "==") return left == right;
  if (node.op == "!=") return left != right;
  return ordered(node.op, left, right);
}

void visit(const Node& node, const std::function<void(const Node&)>& see) {
  see(node);
  for (const auto& part : node.parts) visit(*part, see);
}

}  // namespace

Expression::Expression(const std::string& text, const std::string& place)
    : root_(Parser(text, place).parse()), place_(place) {
  visit(*root_, [&](const Node& node) {
    if (node.op != "name") return;
    const auto name = node.value.get<std::string>();
    if (std::ranges::find(names_, name) == names_.end()) names_.push_back(name);
  });
}

bool Expression::holds(const json& axes) const { return truth(*root_, axes); }

std::vector<std::string> Expression::texts_compared_with(const std::string& name) const {
  std::vector<std::string> texts;
  visit(*root_, [&](const Node& node) {
    if (node.parts.size() != 2 || node.op == "or" || node.op == "and") return;
    const auto is_name = [&](const Node& side) { return side.op == "name" && side.value == name; };
    if (!is_name(*node.parts[0]) && !is_name(*node.parts[1])) return;
    for (const auto& part : node.parts) {
      visit(*part, [&](const Node& leaf) {
        if (leaf.op == "value" && leaf.value.is_string()) texts.push_back(leaf.value);
      });
    }
  });
  return texts;
}

}  // namespace lavo
