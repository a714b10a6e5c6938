// JSON in: one parser with bounds, and the few helpers that the rooms above share.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <deprov/error.hpp>
#include <deprov/scim/limits.hpp>
#include <string_view>

namespace deprov::scim {

namespace json = boost::json;

/// One JSON text (RFC 8259) as a value. A UTF-8 byte order mark in front is skipped.
/// Refused: anything after the value, invalid UTF-8, the character U+0000, numbers out of range, and an object
/// that names a key twice (which one counts would be a guess).
/// Errors: `invalid_syntax` with line and column, `limit_exceeded` with the bound's name.
[[nodiscard]] Result<json::value> parse_json(std::string_view text, const Limits& limits = {},
                                             json::storage_ptr storage = {});

/// ASCII letters compare equal in both cases, all else by byte: SCIM's rule for names, URNs and keywords.
[[nodiscard]] bool iequals(std::string_view a, std::string_view b) noexcept;

/// The member whose name is `name` in any case, or null.
[[nodiscard]] const json::value* find(const json::object& object, std::string_view name) noexcept;
[[nodiscard]] json::value* find(json::object& object, std::string_view name) noexcept;

/// What a value is, for error texts: "a string", "null", "an object".
[[nodiscard]] std::string_view kind_name(const json::value& value) noexcept;

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/json.ipp>
#endif
