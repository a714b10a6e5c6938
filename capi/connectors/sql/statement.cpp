#include "sql/statement.hpp"
#include <algorithm>
#include <array>
#include <stdexcept>
#include "common/text.hpp"

namespace deprov_sql {

namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }
bool is_high(char c) { return static_cast<unsigned char>(c) >= 0x80; }

/// What would begin or end a transaction, or leave the protocol of one statement and its rows.
constexpr std::array<std::string_view, 14> refused_words{"begin",  "start",     "commit",  "rollback", "end",
                                                         "abort",  "savepoint", "release", "prepare",  "copy",
                                                         "listen", "notify",    "declare", "close"};

/// Reads SQL as PostgreSQL's lexer does, as far as it matters where parameters are.
class Reader {
 public:
  Reader(std::string_view sql, const std::string& where) : sql_(sql), where_(where) {}

  [[nodiscard]] bool at_end() const { return at_ >= sql_.size(); }
  [[nodiscard]] char peek(std::size_t more = 0) const {
    return at_ + more < sql_.size() ? sql_[at_ + more] : '\0';
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::string_view since(std::size_t from) const { return sql_.substr(from, at_ - from); }
  void step(std::size_t n = 1) { at_ = std::min(sql_.size(), at_ + n); }

  /// Behind the quote that ends here; a doubled one does not end it, nor one behind a backslash where those count.
  void quoted(char quote, bool backslashes) {
    for (step(); !at_end(); step()) {
      if (backslashes && peek() == '\\') {
        step();
      } else if (peek() == quote && peek(1) == quote) {
        step();
      } else if (peek() == quote) {
        return step();
      }
    }
    fail(quote == '\'' ? "a string is not ended" : "a quoted identifier is not ended");
  }
  void line_comment() {
    while (!at_end() && peek() != '\n') step();
  }
  void comment() {
    int depth = 0;
    do {
      if (at_end()) fail("a comment is not ended");
      if (peek() == '/' && peek(1) == '*') {
        ++depth;
        step(2);
      } else if (peek() == '*' && peek(1) == '/') {
        --depth;
        step(2);
      } else {
        step();
      }
    } while (depth > 0);
  }
  /// `$tag$ ... $tag$`. False, and nothing is read: it is no dollar quote.
  bool dollar_quoted() {
    std::size_t n = 1;
    if (is_name_start(peek(n)) || is_high(peek(n)))
      while (is_name(peek(n)) || is_high(peek(n))) ++n;
    if (peek(n) != '$') return false;
    const auto tag = sql_.substr(at_, n + 1);
    const auto end = sql_.find(tag, at_ + tag.size());
    if (end == std::string_view::npos) fail("a dollar-quoted text is not ended");
    at_ = end + tag.size();
    return true;
  }
  std::string_view name() {
    const auto from = at_;
    while (is_name(peek())) step();
    return since(from);
  }
  [[noreturn]] void fail(const std::string& why) const { throw std::invalid_argument(where_ + ": " + why); }

 private:
  std::string_view sql_;
  const std::string& where_;
  std::size_t at_ = 0;
};

}  // namespace

Statement::Statement(const std::string& where, std::string_view sql, Rows rows) : where_(where), rows_(rows) {
  if (sql.find('\0') != std::string_view::npos) throw std::invalid_argument(where + ": has a zero byte in it");
  Reader in(sql, where_);
  std::string text, first;
  const auto end_text = [&] {
    if (!text.empty()) pieces_.push_back({Piece::Kind::text, std::move(text), 0});
    text.clear();
  };
  while (!in.at_end()) {
    const auto from = in.at();
    const char c = in.peek();
    if (c == '\'') {
      in.quoted('\'', false);
    } else if ((c == 'e' || c == 'E') && in.peek(1) == '\'') {
      in.step();
      in.quoted('\'', true);
    } else if (c == '"') {
      in.quoted('"', false);
    } else if (c == '-' && in.peek(1) == '-') {
      in.line_comment();
    } else if (c == '/' && in.peek(1) == '*') {
      in.comment();
    } else if (c == '$' && in.dollar_quoted()) {
    } else if (c == '$' && in.peek(1) >= '0' && in.peek(1) <= '9') {
      in.fail("parameters have names here: write :user_name, not $1");
    } else if (is_name_start(c) || is_high(c)) {
      // A whole word, so that the E of one is not taken for that before a string.
      while (is_name(in.peek()) || is_high(in.peek()) || in.peek() == '$') in.step();
      if (first.empty()) first = deprov_connectors::lowered(in.since(from));
    } else if (c == ':' && (in.peek(1) == ':' || in.peek(1) == '=')) {
      in.step(2);
    } else if (c == ':' && is_name_start(in.peek(1))) {
      in.step();
      const std::string name(in.name());
      end_text();
      auto known = std::find(values_.begin(), values_.end(), name);
      if (known == values_.end()) known = values_.insert(values_.end(), name);
      pieces_.push_back({Piece::Kind::value, name, static_cast<std::size_t>(known - values_.begin()) + 1});
      continue;
    } else if (c == ':' && in.peek(1) == '"' && is_name_start(in.peek(2))) {
      in.step(2);
      const std::string name(in.name());
      if (in.peek() != '"')
        in.fail(":\"" + name + " is not ended; an identifier's parameter is written :\"name\"");
      in.step();
      end_text();
      pieces_.push_back({Piece::Kind::identifier, name, 0});
      continue;
    } else {
      in.step();
    }
    text.append(in.since(from));
  }
  end_text();
  if (first.empty()) throw std::invalid_argument(where + ": is no statement");
  if (std::find(refused_words.begin(), refused_words.end(), first) != refused_words.end()) {
    throw std::invalid_argument(where + ": begins with " + first +
                                "; the transaction is the connector's, and a statement has rows or none");
  }
}

std::vector<std::string> Statement::names() const {
  std::vector<std::string> out;
  for (const auto& p : pieces_)
    if (p.kind != Piece::Kind::text && std::find(out.begin(), out.end(), p.text) == out.end())
      out.push_back(p.text);
  return out;
}

}  // namespace deprov_sql
