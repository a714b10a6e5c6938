// The parameters of a query: from a URL (RFC 7644 section 3.4.2) or a `.search` body (section 3.4.3).
#pragma once

#include <cstdint>
#include <deprov/scim/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deprov::scim {

inline constexpr std::string_view search_request_urn = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

struct Query {
  std::optional<std::string> filter;  ///< text; an empty one counts as absent
  std::int64_t start_index = 1;       ///< 1 or more
  std::optional<std::int64_t> count;  ///< 0 or more
  /// RFC 9865; empty for the first page. Nothing: pages by index.
  std::optional<std::string> cursor{};
  std::optional<std::string> sort_by;
  bool descending = false;
  std::vector<std::string> attributes;
  std::vector<std::string> excluded_attributes;
};

/// `key=value` pairs in their order, percent-decoded, `+` read as a space; empty pairs are skipped.
/// Errors: `invalid_value` for a broken percent sequence or invalid UTF-8, `limit_exceeded`.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> parse_query_pairs(
    std::string_view query, const Limits& limits = {});
/// What stands behind the `?`, which may be left out. Unknown parameters are ignored. Names in any case.
/// `startIndex` below 1 means 1 and `count` below 0 means 0, as the RFC says.
/// Errors: `invalid_value` for what is no number, for an unknown `sortOrder`, and for a `startIndex` beyond 1
/// beside a `cursor`; `invalid_count` for a `count` that is no number beside a `cursor`.
[[nodiscard]] Result<Query> parse_query(std::string_view query, const Limits& limits = {});
/// A SearchRequest.
[[nodiscard]] Result<Query> parse_search(const json::value& body, const Limits& limits = {});

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/query.ipp>
#endif
