// A record of the activity as it leaves the store: enough of it that anybody can recompute the chain.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <deprov/error.hpp>
#include <deprov/port/records.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::evidence {

namespace json = boost::json;

/// Names the layout of an export.
inline constexpr std::string_view format_name = "deprov.evidence/1";
/// Names the bytes that are hashed; see `record_schema`.
inline constexpr std::string_view canonical_name = "deprov.activity/1";

/// A record, and the hash of the one before it in its chain.
struct Record {
  port::ActivityRow row;
  port::Sha256 previous{};
};

/// One line of JSON Lines, always the same bytes for the same record.
[[nodiscard]] json::object to_json(const Record& record);
/// Errors: `invalid_syntax`, naming the member that is missing, unknown or of another shape.
[[nodiscard]] Result<Record> parse_record(const json::value& value);
/// The published JSON Schema of a record, which tells how its hashes are made.
[[nodiscard]] const json::value& record_schema();

[[nodiscard]] std::string_view csv_heading();
/// The same record as a line of CSV (RFC 4180), without its line break.
[[nodiscard]] std::string to_csv(const Record& record);
/// Errors: `invalid_syntax`.
[[nodiscard]] Result<Record> parse_record(const std::vector<std::string>& cells);

[[nodiscard]] std::string to_hex(port::Bytes bytes);
/// Lower-case digits, exactly as many as the hash has. Errors: `invalid_syntax`.
[[nodiscard]] Result<port::Sha256> parse_sha256(std::string_view text);

/// Reads CSV that comes in pieces. *Errors*: `limit_exceeded` for a row of more than `max_row` bytes.
class CsvReader {
 public:
  static constexpr std::size_t max_row = 16U << 20U;
  /// Takes some more bytes; whole rows are appended to `rows`.
  [[nodiscard]] Result<void> feed(std::string_view bytes, std::vector<std::vector<std::string>>& rows);
  /// The end: a last row without a line break counts.
  void finish(std::vector<std::vector<std::string>>& rows);

 private:
  void end_cell();
  std::vector<std::string> row_;
  std::string cell_;
  std::size_t size_ = 0;
  bool quoted_ = false;
  bool quote_seen_ = false;  ///< within a quoted cell: the end of it, or half of a doubled one
  bool any_ = false;
};

}  // namespace deprov::evidence
