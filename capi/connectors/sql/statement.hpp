// A statement of the operator's with named parameters: `:name` for a value, `:"name"` for an identifier.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace deprov_sql {

/// How many rows a statement may change.
enum class Rows {
  one,  ///< the account's, and no other
  any,  ///< sessions, tokens, memberships
};

class Statement {
 public:
  struct Piece {
    enum class Kind { text, value, identifier };
    Kind kind = Kind::text;
    std::string text;        ///< SQL, or the parameter's name
    std::size_t number = 0;  ///< of a value: $number
  };

  /// Parameters are not looked for in strings, quoted identifiers, dollar quotes and comments. `where` names it in
  /// errors. Throws std::invalid_argument: it is empty, does not end what it begins, or would end the transaction.
  Statement(const std::string& where, std::string_view sql, Rows rows);

  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  [[nodiscard]] Rows rows() const noexcept { return rows_; }
  [[nodiscard]] const std::vector<Piece>& pieces() const noexcept { return pieces_; }
  /// Names of values in the order of their numbers, each once.
  [[nodiscard]] const std::vector<std::string>& values() const noexcept { return values_; }
  /// All names, of identifiers too.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::string where_;
  Rows rows_;
  std::vector<Piece> pieces_;
  std::vector<std::string> values_;
};

}  // namespace deprov_sql
