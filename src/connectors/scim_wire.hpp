// What goes over the wire to a SCIM app, and what its answers say. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <deprov/port/http_transport.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::connectors {

namespace json = boost::json;

/// Everything but the unreserved characters of RFC 3986 as %XX.
[[nodiscard]] std::string percent_encode(std::string_view text);
/// `name=value&...`, as application/x-www-form-urlencoded and a query both take it.
[[nodiscard]] std::string form_encode(const std::vector<std::pair<std::string, std::string>>& fields);
/// `attribute eq "value"` with the value as a JSON string (RFC 7644 section 3.4.2.2).
[[nodiscard]] std::string filter_eq(std::string_view attribute, std::string_view value);

/// Bodies of PATCH (RFC 7644 section 3.5.2).
[[nodiscard]] std::string patch_active(bool active, bool with_path);
[[nodiscard]] std::string patch_remove_member(std::string_view account_id, bool with_filter);
[[nodiscard]] std::string patch_add_member(std::string_view account_id);

/// The JSON object of a response. Errors: `protocol`, saying what came instead.
[[nodiscard]] Result<json::object> parse_body(const port::HttpResponse& response);

/// Errors: `protocol` where it is no User with an id.
[[nodiscard]] Result<connector::Account> parse_account(const json::object& user);

struct ScimPage {
  std::vector<json::object> resources;
  std::uint64_t total = 0;
  std::optional<std::uint64_t> start_index;  ///< as the app says it
};
/// Errors: `protocol` where it is no ListResponse.
[[nodiscard]] Result<ScimPage> parse_page(json::object body);

/// `scimType` and `detail` of an error response; empty where it has none (RFC 7644 section 3.12).
struct ScimProblem {
  std::string type;
  std::string detail;
};
[[nodiscard]] ScimProblem parse_problem(const port::HttpResponse& response);

/// Whether the body calls itself, or looks like, a web page.
[[nodiscard]] bool is_html(const port::HttpResponse& response);

/// The whole resource as PUT wants it back: with `active` set, without what only the app may write.
[[nodiscard]] json::object with_active(json::object user, bool active);

}  // namespace deprov::connectors
