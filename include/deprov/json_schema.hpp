// Validation of configurations and policies against a small, strict part of JSON Schema.
#pragma once

#include <boost/json/value.hpp>
#include <deprov/config.hpp>
#include <deprov/error.hpp>

namespace deprov {

/// The part of JSON Schema 2020-12 that is understood:
/// `type` (a name or an array of names), `enum`, `const`; `properties`, `required`, `additionalProperties`
/// (boolean or schema), `minProperties`, `maxProperties`; `items`, `minItems`, `maxItems`, `uniqueItems`;
/// `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`; `minLength`, `maxLength` (in code points);
/// `anyOf`, `oneOf`, `allOf`; `format` where it is `uri` (a scheme and something after it, no spaces).
/// Annotations (`$schema`, `$id`, `$comment`, `title`, `description`, `default`, `examples`, `deprecated`,
/// `readOnly`, `writeOnly`, and everything that begins with `x-`) are skipped.
///
/// Whether `schema` uses nothing else and uses it rightly, so that no constraint in it is ignored.
/// Errors: `invalid_argument`, `where` being the JSON pointer (RFC 6901) into the schema.
[[nodiscard]] Result<void> check_json_schema(const boost::json::value& schema);

/// Whether `instance` fits `schema`, which has to pass `check_json_schema`.
///
/// Pure; any thread. Errors: `invalid_argument`, `where` being the JSON pointer of the member that does not
/// fit (empty: the whole), the text naming what was expected and never what was found where that is a
/// string, since it may be a secret. Where no alternative of `anyOf` or `oneOf` fits, the error is that of
/// the alternative that came nearest. `limit_exceeded`: nested deeper than 64.
[[nodiscard]] Result<void> validate_json(const boost::json::value& schema, const boost::json::value& instance);

}  // namespace deprov

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/impl/json_schema.ipp>
#endif
