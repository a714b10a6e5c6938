// A BulkRequest taken apart (RFC 7644 section 3.7), and references to what it creates.
#pragma once

#include <cstdint>
#include <deprov/scim/json.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::scim {

inline constexpr std::string_view bulk_request_urn = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
inline constexpr std::string_view bulk_response_urn = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

struct BulkOperation {
  std::string method;  ///< POST, PUT, PATCH or DELETE; as it was sent where it is none of these
  std::string bulk_id;
  std::string version;
  std::string path;  ///< "/Users", "/Users/{id}"
  json::value data;
  Error problem{};  ///< why it cannot be carried out, whatever the others do; `ok` otherwise
};

struct BulkRequest {
  std::optional<std::uint64_t> fail_on_errors;  ///< 1 or more
  std::vector<BulkOperation> operations;
};

/// Names of members in any case. What is wrong with one operation is its `problem`: a method that there is not, a
/// missing path, `data` or (for POST) `bulkId`, a `bulkId` that another one has (`invalid_syntax`,
/// `invalid_value`).
/// Errors: `invalid_syntax` for what is no BulkRequest, `limit_exceeded` beyond `max_operations`.
[[nodiscard]] Result<BulkRequest> parse_bulk(json::value&& body, std::size_t max_operations);

/// Calls `resolve` with each bulkId that the operation refers to, and puts what it answers in its place: in values
/// that are `bulkId:x` as a whole, and inside of `path`s and `$ref`s. Where it answers nothing, the text stays.
/// `known`: every bulkId of the request.
using BulkResolver = std::function<std::optional<std::string>(const std::string& bulk_id)>;
void resolve_bulk_references(BulkOperation& operation, const std::vector<std::string>& known,
                             const BulkResolver& resolve);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/bulk.ipp>
#endif
