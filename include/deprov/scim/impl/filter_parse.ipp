#pragma once
#include <boost/json/parse.hpp>
#include <charconv>
#include <deprov/scim/filter.hpp>
#include <deprov/scim/impl/fold.ipp>
#include <utility>

namespace deprov::scim {

namespace detail {

/// Recursive descent over Figure 1 of RFC 7644; also reads the valuePath of a PATCH path.
class FilterParser {
 public:
  FilterParser(std::string_view text, const Limits& limits) : text_(text), max_depth_(limits.max_filter_depth) {}

  Result<Filter> whole() {
    DEPROV_TRY(f, any_of(false));
    skip_space();
    if (at_ != text_.size()) {
      if (text_[at_] == ')') return fail("there is a ) without a (");
      return fail("expected \"and\", \"or\" or the end");
    }
    return std::move(f);
  }
  /// What stands between [ and ], from behind the [ to behind the ].
  Result<Filter> brackets(std::size_t& at) {
    at_ = at;
    DEPROV_TRY(f, bracket_body());
    at = at_;
    return std::move(f);
  }

 private:
  Result<Filter> any_of(bool inner) { return joined(inner, Filter::Kind::any_of, "or"); }
  Result<Filter> joined(bool inner, Filter::Kind kind, std::string_view word) {
    const auto operand = [&] {
      return kind == Filter::Kind::any_of ? joined(inner, Filter::Kind::all_of, "and") : term(inner);
    };
    DEPROV_TRY(first, operand());
    if (!take_word(word)) return std::move(first);
    Filter f;
    f.kind = kind;
    append(f, std::move(first));
    do {
      DEPROV_TRY(next, operand());
      append(f, std::move(next));
    } while (take_word(word));
    return f;
  }
  static void append(Filter& f, Filter&& operand) {
    if (operand.kind == f.kind) {
      for (auto& o : operand.operands) f.operands.push_back(std::move(o));
    } else {
      f.operands.push_back(std::move(operand));
    }
  }

  Result<Filter> term(bool inner) {
    skip_space();
    if (at_ == text_.size()) return fail("expected an expression");
    if (text_[at_] == '(') return group(inner);
    const std::size_t start = at_;
    if (take_word("not")) {
      skip_space();
      if (at_ == text_.size() || text_[at_] != '(') {
        return fail("expected ( behind \"not\"");
      }
      DEPROV_TRY(operand, group(inner));
      Filter f;
      f.kind = Filter::Kind::negate;
      f.operands.push_back(std::move(operand));
      return f;
    }
    at_ = start;
    return expression(inner);
  }

  Result<Filter> group(bool inner) {
    DEPROV_CHECK(enter());
    ++at_;
    DEPROV_TRY(f, any_of(inner));
    skip_space();
    if (at_ == text_.size() || text_[at_] != ')') return fail("expected )");
    ++at_;
    --depth_;
    return std::move(f);
  }

  Result<Filter> bracket_body() {
    DEPROV_CHECK(enter());
    DEPROV_TRY(f, any_of(true));
    skip_space();
    if (at_ == text_.size() || text_[at_] != ']') return fail("expected ]");
    ++at_;
    --depth_;
    return std::move(f);
  }

  Result<Filter> expression(bool inner) {
    const std::size_t start = at_;
    while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != '[' && text_[at_] != ']' &&
           text_[at_] != '(' && text_[at_] != ')' && text_[at_] != '"')
      ++at_;
    Filter f;
    auto path = parse_attr_path(text_.substr(start, at_ - start));
    if (!path) {
      at_ = start;
      return fail("expected an attribute name");
    }
    f.attr = std::move(*path);
    if (at_ < text_.size() && text_[at_] == '[') return value_path(inner, std::move(f));
    return comparison(std::move(f));
  }

  Result<Filter> value_path(bool inner, Filter&& f) {
    if (inner) return fail("a value path stands within another one");
    if (!f.attr.sub.empty()) return fail("a value path selects values of a sub-attribute");
    ++at_;
    DEPROV_TRY(body, bracket_body());
    f.kind = Filter::Kind::value_path;
    if (at_ < text_.size() && text_[at_] == '.') {
      const std::size_t start = ++at_;
      if (at_ < text_.size() && text_[at_] == '$') ++at_;
      while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
      Filter last;
      last.attr.attribute = std::string(text_.substr(start, at_ - start));
      if (!is_attr_name(last.attr.attribute)) {
        at_ = start;
        return fail("expected a sub-attribute name");
      }
      DEPROV_TRY(compared, comparison(std::move(last)));
      Filter both;
      both.kind = Filter::Kind::all_of;
      append(both, std::move(body));
      append(both, std::move(compared));
      f.operands.push_back(std::move(both));
    } else {
      f.operands.push_back(std::move(body));
    }
    return std::move(f);
  }

  Result<Filter> comparison(Filter&& f) {
    skip_space();
    const std::size_t start = at_;
    while (at_ < text_.size() && is_alpha(text_[at_])) ++at_;
    const auto word = text_.substr(start, at_ - start);
    if (iequals(word, "pr")) {
      f.kind = Filter::Kind::present;
      return std::move(f);
    }
    static constexpr CompareOp all[] = {CompareOp::eq, CompareOp::ne, CompareOp::co, CompareOp::sw, CompareOp::ew,
                                        CompareOp::gt, CompareOp::ge, CompareOp::lt, CompareOp::le};
    f.kind = Filter::Kind::compare;
    bool known = false;
    for (const auto op : all) {
      if (!iequals(word, to_string(op))) continue;
      f.op = op;
      known = true;
    }
    if (!known) {
      at_ = start;
      if (word.empty()) return fail("expected an operator behind \"" + to_string(f.attr) + "\"");
      return fail("the operator \"" + std::string(word.substr(0, 40)) + "\" is not supported",
                  "use eq, ne, co, sw, ew, gt, ge, lt, le or pr");
    }
    skip_space();
    DEPROV_TRY(v, literal());
    f.value = std::move(v);
    return std::move(f);
  }

  Result<json::value> literal() {
    if (at_ == text_.size()) return fail("expected a value behind the operator");
    if (text_[at_] == '"') return quoted();
    const std::size_t start = at_;
    while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != ')' && text_[at_] != ']') ++at_;
    const auto token = text_.substr(start, at_ - start);
    if (iequals(token, "true")) return json::value(true);
    if (iequals(token, "false")) return json::value(false);
    if (iequals(token, "null")) return json::value(nullptr);
    if (!token.empty() && (is_digit(token.front()) || token.front() == '-')) {
      boost::system::error_code ec;
      auto number = json::parse(token, ec);
      if (!ec && number.is_number()) {
        if (auto* d = number.if_double()) {  // Boost.JSON rounds the last digit otherwise than it prints it
          const auto r = std::from_chars(token.data(), token.data() + token.size(), *d);
          if (r.ec != std::errc()) return fail("the number is out of range");
        }
        return number;
      }
    }
    at_ = start;
    return fail("expected a JSON string, number, true, false or null", "put strings in double quotes");
  }

  Result<json::value> quoted() {
    const std::size_t start = at_++;
    std::string out;
    while (true) {
      if (at_ == text_.size()) {
        at_ = start;
        return fail("the string has no closing quote");
      }
      const char c = text_[at_++];
      if (c == '"') return json::value(out);
      if (static_cast<unsigned char>(c) < 0x20) return fail("a control character stands in a string");
      if (c != '\\') {
        out.push_back(c);
        continue;
      }
      if (at_ == text_.size()) continue;
      switch (text_[at_++]) {
        case '"': out.push_back('"'); break;
        case '\\': out.push_back('\\'); break;
        case '/': out.push_back('/'); break;
        case 'b': out.push_back('\b'); break;
        case 'f': out.push_back('\f'); break;
        case 'n': out.push_back('\n'); break;
        case 'r': out.push_back('\r'); break;
        case 't': out.push_back('\t'); break;
        case 'u': {
          std::uint32_t unit = 0;
          std::uint32_t low = 0;
          if (!hex4(unit) || unit == 0) return fail("a \\u escape in a string is broken");
          if (unit >= 0xD800 && unit <= 0xDFFF) {
            if (unit > 0xDBFF || !text_.substr(at_).starts_with("\\u")) return fail("a surrogate stands alone");
            at_ += 2;
            if (!hex4(low) || low < 0xDC00 || low > 0xDFFF) return fail("a surrogate stands alone");
            unit = 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00);
          }
          append_utf8(out, unit);
          break;
        }
        default: --at_; return fail("a string has an unknown escape", "use the escapes of JSON");
      }
    }
  }
  bool hex4(std::uint32_t& out) {
    if (at_ + 4 > text_.size()) return false;
    out = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = text_[at_ + static_cast<std::size_t>(i)];
      const char lower = static_cast<char>(c | 0x20);
      std::uint32_t d = 0;
      if (is_digit(c)) {
        d = static_cast<std::uint32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        d = static_cast<std::uint32_t>(lower - 'a' + 10);
      } else {
        return false;
      }
      out = out * 16 + d;
    }
    at_ += 4;
    return true;
  }

  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  /// A keyword, followed by anything that cannot be part of a name.
  bool take_word(std::string_view word) {
    skip_space();
    const auto rest = text_.substr(at_);
    if (rest.size() < word.size() || !iequals(rest.substr(0, word.size()), word)) return false;
    if (rest.size() > word.size()) {
      const char next = rest[word.size()];
      if (is_name_char(next) || next == '.' || next == ':' || next == '[') return false;
    }
    at_ += word.size();
    return true;
  }
  Result<void> enter() {
    if (++depth_ > max_depth_)
      return Error(Errc::limit_exceeded,
                   "the filter is nested deeper than max_filter_depth (" + std::to_string(max_depth_) + ")");
    return {};
  }
  Error fail(std::string detail, std::string advice = {}) const {
    const auto rest = text_.substr(at_, 24);
    detail += at_ >= text_.size() ? " at the end" : " at \"" + std::string(rest) + "\"";
    return Error(Errc::invalid_filter, std::move(detail), "filter, position " + std::to_string(at_ + 1),
                 std::move(advice));
  }

  std::string_view text_;
  std::size_t max_depth_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
};

inline Result<void> check_filter_text(std::string_view text, const Limits& limits, Errc code,
                                      std::string_view what) {
  if (text.size() > limits.max_filter_length)
    return Error(Errc::limit_exceeded, "the " + std::string(what) + " has " + std::to_string(text.size()) +
                                           " bytes, more than max_filter_length (" +
                                           std::to_string(limits.max_filter_length) + ")");
  if (!valid_utf8(text)) return Error(code, "the " + std::string(what) + " is not UTF-8");
  return {};
}

}  // namespace detail

DEPROV_INLINE Result<Filter> parse_filter(std::string_view text, const Limits& limits) {
  DEPROV_CHECK(detail::check_filter_text(text, limits, Errc::invalid_filter, "filter"));
  return detail::FilterParser(text, limits).whole();
}

}  // namespace deprov::scim
