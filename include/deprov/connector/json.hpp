// What connectors say about themselves and about accounts, as JSON: how callbacks and plugins speak.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <deprov/connector/connector.hpp>
#include <deprov/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::connector {

/// A description is read once, a page of accounts with every listing.
inline constexpr std::size_t max_description_bytes = 1U << 20U;
inline constexpr std::size_t max_accounts_bytes = 64U << 20U;
/// More of a detail is for nobody to read.
inline constexpr std::size_t max_detail_bytes = 1000;

/// The JSON Schema of what `parse_description` takes.
[[nodiscard]] const json::value& description_schema();

/// `id` and `operations` are needed; what is absent is false, "no", "none", 0 or empty.
/// Errors: `invalid_argument` with a JSON pointer, also where the schema of the config is none, and where a secret
/// or the account of the connection is no member that a config can have.
[[nodiscard]] Result<Description> parse_description(const json::value& value);
/// The same of a text. Errors: `invalid_syntax`, `limit_exceeded` besides.
[[nodiscard]] Result<Description> parse_description(std::string_view text);

/// Whether a config that fits the schema can have a member at the dotted path. What is not said in plain
/// `properties` may be there.
[[nodiscard]] bool config_may_have(const json::value& schema, std::string_view path);

/// An array of accounts; an empty text is an empty array. `where` names it in errors.
/// Errors: `invalid_syntax`, `invalid_argument`, `limit_exceeded`.
[[nodiscard]] Result<std::vector<Account>> parse_accounts(std::string_view text, std::string_view where);
/// What `parse_accounts` takes.
[[nodiscard]] json::array accounts_json(const std::vector<Account>& accounts);

/// At most `max_detail_bytes` of it, and not the half of a character; U+FFFD in place of what is not UTF-8.
[[nodiscard]] std::string cut_detail(std::string text, std::size_t most = max_detail_bytes);

}  // namespace deprov::connector

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/connector/impl/json.ipp>
#endif
