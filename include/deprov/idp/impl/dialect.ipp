#pragma once
#include <array>
#include <deprov/idp/dialect.hpp>
#include <initializer_list>

namespace deprov::idp {

DEPROV_INLINE std::span<const Rule> rules() noexcept {
  using enum RuleId;
  static constexpr std::array<Rule, 16> all = {{
      {op_case, "op-case", "PATCH operations in capital letters, such as \"Replace\""},
      {empty_path, "empty-path", "a PATCH path of \"\" counts as none"},
      {missing_schemas, "missing-schemas", "a body without schemas has those of its endpoint"},
      {schema_urns, "schema-urns",
       "URNs from before the RFC (urn:scim:schemas:core:1.0) and misspelt ones (...:enterprise:2.0User) stand for "
       "the "
       "RFC's"},
      {unknown_schemas, "unknown-schemas", "unknown URNs among the schemas of a resource are ignored"},
      {unknown_attributes, "unknown-attributes", "unknown attributes in a POST or PUT are ignored and noted"},
      {read_only_echo, "read-only-echo",
       "read-only attributes in a PATCH value without path, such as id, are ignored"},
      {flat_keys, "flat-keys",
       "\"name.givenName\" and \"emails[type eq \\\"work\\\"].value\" as keys of a PATCH value without path"},
      {string_booleans, "string-booleans",
       "\"True\" and \"False\" as text, in any case, where a boolean is meant"},
      {bare_values, "bare-values", "text where an object with a value is meant, such as a manager's id"},
      {wrapped_values, "wrapped-values",
       "a list of one value, or an object around it, where a single value is meant"},
      {stringified_values, "stringified-values",
       "a value that is itself JSON in a string, such as an Entra ID app role"},
      {empty_text_removes, "empty-text-removes", "\"\" or [] as the value of an object-like attribute removes it"},
      {remove_listed_values, "remove-listed-values",
       "remove with a list of values takes these away, never all of them"},
      {create_absent_values, "create-absent-values",
       "a PATCH of emails[type eq \"work\"].value without such an e-mail creates it"},
      {unquoted_filter_values, "unquoted-filter-values", "text in a filter without its quotes"},
  }};
  return all;
}

DEPROV_INLINE std::vector<std::string_view> rule_ids(const RuleSet& set) {
  std::vector<std::string_view> out;
  for (const auto& r : rules())
    if (set.has(r.id)) out.push_back(r.name);
  return out;
}

namespace detail {

inline RuleSet rule_set(std::initializer_list<RuleId> ids) {
  RuleSet s;
  for (const auto id : ids) s.add(id);
  return s;
}
inline RuleSet every_rule() {
  RuleSet s;
  for (const auto& r : rules()) s.add(r.id);
  return s;
}

}  // namespace detail

DEPROV_INLINE std::span<const Dialect> dialects() noexcept {
  using enum RuleId;
  static const std::array<Dialect, 3> all = {{
      {"generic", "any SCIM 2.0 client", detail::every_rule(), PatchAnswer::resource_200, false},
      {"okta", "Okta",
       detail::rule_set({op_case, empty_path, missing_schemas, schema_urns, unknown_schemas, unknown_attributes,
                         read_only_echo, string_booleans}),
       PatchAnswer::resource_200, true},
      {"entra", "Microsoft Entra ID", detail::every_rule(), PatchAnswer::no_content_204, false},
  }};
  return all;
}

DEPROV_INLINE const Dialect* find_dialect(std::string_view name) noexcept {
  for (const auto& d : dialects())
    if (scim::iequals(d.name, name)) return &d;
  return nullptr;
}

DEPROV_INLINE const Dialect& detect(std::span<const Header> headers) noexcept {
  for (const auto& h : headers) {
    if (scim::iequals(h.name, "ADSCIMVersion")) return *find_dialect("entra");
    if (scim::iequals(h.name, "User-Agent") && h.value.size() >= 4 && scim::iequals(h.value.substr(0, 4), "okta"))
      return *find_dialect("okta");
  }
  return *find_dialect("generic");
}

}  // namespace deprov::idp
