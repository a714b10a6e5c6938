// Users out of the bytes of a list: CSV, JSON and JSON Lines, as they arrive, record by record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/idp/snapshot.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp {

enum class SnapshotFormat : std::uint8_t {
  csv,         ///< RFC 4180 with a header line
  json,        ///< RFC 8259, one document with one array of users
  json_lines,  ///< one JSON object a line
};
[[nodiscard]] std::string_view to_string(SnapshotFormat f) noexcept;
[[nodiscard]] std::optional<SnapshotFormat> parse_snapshot_format(std::string_view text) noexcept;

/// Where a record has what. In CSV the name of a column; in JSON a path, `profile.login` or, beginning with a
/// slash, a JSON Pointer (RFC 6901). Elements of arrays within a record are not reached. Empty: not read.
struct SnapshotMapping {
  std::string list{};  ///< JSON: the path of the array of users; empty: the document is the array
  std::string id = "id";
  std::string external_id{};
  std::string user_name{};
  std::string email{};
  /// What says whether a user who is listed has access. A record without it, or with null, has (missing is not
  /// empty, R10); a value that is in neither list below is refused, since what it means would be a guess.
  std::string active{};
  std::vector<std::string> active_values = {"true", "1", "yes", "active"};  ///< in any case of letters
  std::vector<std::string> inactive_values = {"false", "0", "no", "inactive"};
  char delimiter = ',';  ///< CSV
  /// CSV and JSON Lines: the line that ends the list, such as `#end`. Empty: none.
  std::string end_marker{};
  /// CSV and JSON Lines without end marker: whoever hands the bytes in vouches that they are the whole list.
  bool whole = false;
};
/// The mapping of a SCIM list response (RFC 7644 section 3.4.2).
[[nodiscard]] SnapshotMapping scim_snapshot_mapping();

struct SnapshotReaderLimits {
  std::size_t max_record_bytes = std::size_t{1} << 20U;
  std::size_t max_depth = 32;  ///< JSON
};

/// Gets each user; a failure ends the reading with that.
using SnapshotUserSink = std::function<Result<void>(const SnapshotUser&)>;

/// Bytes in, users out. Keeps one record, never the list. The first failure stays. One thread at a time.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;
  /// The next bytes, cut anywhere. Errors: `invalid_syntax`, `invalid_value` with the number of the record;
  /// `limit_exceeded`; what the sink answered.
  virtual Result<void> feed(std::string_view bytes) = 0;
  /// There are no more bytes. `users`: how many there should be, where somebody counted.
  /// Errors: `protocol` where what was read does not show that it is the whole list: a JSON document that is not
  /// closed or has no list, a last line without line break, no end marker where one was named, or none of end
  /// marker, count and `whole`.
  [[nodiscard]] virtual Result<EndOfList> end(std::optional<std::uint64_t> users = {}) = 0;
  /// Records so far.
  [[nodiscard]] virtual std::uint64_t records() const noexcept = 0;
};

/// Errors: `invalid_argument` for a mapping without id, or one that the format does not have.
[[nodiscard]] Result<std::unique_ptr<SnapshotReader>> make_snapshot_reader(SnapshotFormat format,
                                                                           SnapshotMapping mapping,
                                                                           SnapshotReaderLimits limits,
                                                                           SnapshotUserSink sink);

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/snapshot_reader.ipp>
#endif
