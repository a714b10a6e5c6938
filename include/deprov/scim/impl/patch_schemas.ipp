#pragma once
#include <algorithm>
#include <deprov/scim/impl/values.ipp>
#include <deprov/scim/patch.hpp>
#include <string_view>

// `schemas` follows the extensions with values; naming a known one is nothing to do.
namespace deprov::scim::detail {

inline bool is_schemas(const Path& path) {
  return path.attr.schema.empty() && path.attr.sub.empty() && !path.value_filter &&
         iequals(path.attr.attribute, "schemas");
}

inline bool names_core(const json::value& value, const TypeDef& type) {
  const auto one = [&](const json::value& v) { return v.is_string() && iequals(v.get_string(), type.core().id); };
  const auto* a = value.if_array();
  return a != nullptr ? std::any_of(a->begin(), a->end(), one) : one(value);
}

/// `unknown(urn, value)` says what becomes of one that the type does not know.
template <class Unknown>
Result<void> check_schemas_known(const json::value& value, const TypeDef& type, Unknown unknown) {
  const auto one = [&](const json::value& v) -> Result<void> {
    if (!v.is_string()) return Error(Errc::invalid_value, "expected URNs", "schemas");
    const std::string_view urn = v.get_string();
    if (iequals(urn, type.core().id) || type.extension(urn) != nullptr) return {};
    return unknown(urn, v);
  };
  if (const auto* a = value.if_array()) {
    for (const auto& e : *a) DEPROV_CHECK(one(e));
    return {};
  }
  return one(value);
}

template <class Unknown>
Result<void> patch_schemas(PatchOperation::Op op, const json::value* value, const TypeDef& type, Unknown unknown) {
  using Op = PatchOperation::Op;
  if (op == Op::remove && value == nullptr) return Error(Errc::mutability, "it cannot be removed", "schemas");
  if (op == Op::remove) return {};
  DEPROV_CHECK(check_schemas_known(*value, type, unknown));
  if (op == Op::add || names_core(*value, type)) return {};
  return Error(Errc::invalid_value, "it always names " + type.core().id, "schemas",
               "leave it out; it follows the extensions that have values");
}

}  // namespace deprov::scim::detail
