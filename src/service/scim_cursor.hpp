// Where a cursor-paginated query goes on (RFC 9865), sealed so that clients can neither read nor make one.
#pragma once

#include <cstdint>
#include <deprov/engine/engine.hpp>
#include <deprov/scim/sort.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace deprov::service {

/// The last resource that was shown, by whatever the list is ordered.
struct ListPlace {
  std::uint32_t type = 0;  ///< index into the types of the query
  ResourceId id;
  WallTime modified;
  std::string user_name_key;
  scim::SortKey key;
};

struct Cursor {
  std::string query;                   ///< fingerprint: of another query it is invalid
  std::int64_t count = 0;              ///< resources per page
  std::optional<std::uint64_t> total;  ///< as counted for the first page
  ListPlace place;
};

/// Of what decides which resources come in which order.
[[nodiscard]] std::string query_fingerprint(const port::Crypto& crypto, std::string_view endpoint,
                                            const std::optional<std::string>& filter,
                                            const std::optional<std::string>& sort_by, bool descending);

/// Nothing is kept of a cursor: it survives restarts, and any number of them costs nothing. The key is made of the
/// engine's master key; workspace and integration are authenticated. Unreserved characters only.
/// Errors: `too_many` where the sort key is too long for a URL.
[[nodiscard]] Result<std::string> seal_cursor(const engine::Engine& engine, const port::Scope& scope,
                                              const Cursor& cursor, WallTime expires);
/// Errors: `invalid_cursor` for whatever is none of this integration, `expired_cursor`.
[[nodiscard]] Result<Cursor> open_cursor(const engine::Engine& engine, const port::Scope& scope,
                                         std::string_view text, WallTime now);

}  // namespace deprov::service
