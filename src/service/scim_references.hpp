// References to resources of this service provider, in attributes of custom schemas (RFC 7643 section 2.3.7).
#pragma once

#include <boost/json/object.hpp>
#include <deprov/error.hpp>
#include <deprov/scim/schema.hpp>

namespace deprov::service {

/// A reference whose `referenceTypes` are resource types has to be the URI, absolute or relative, of a resource of
/// one of these: `.../Users/{id}`. Whether there is such a resource is not asked: it may come or go at any time.
/// The built-in schemas are left out, since IdPs put there what they like.
/// Errors: `invalid_value`, naming the attribute and what was expected.
[[nodiscard]] Result<void> check_references(const scim::SchemaRegistry& registry, const scim::TypeDef& type,
                                            const boost::json::object& document);

}  // namespace deprov::service
