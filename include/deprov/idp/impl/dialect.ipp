#pragma once
#include <array>
#include <deprov/idp/dialect.hpp>
#include <initializer_list>

namespace deprov::idp {

DEPROV_INLINE std::span<const Rule> rules() noexcept {
  using enum RuleId;
  static constexpr std::array<Rule, 26> all = {{
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
      {empty_text_removes, "empty-text-removes",
       "\"\" or [] as the value of an object-like attribute, such as the manager, says that there is none; as "
       "that of "
       "the remove of a single value, no more than the path"},
      {remove_listed_values, "remove-listed-values",
       "remove with a list of values takes these away, never all of them; with one value, of an attribute that "
       "has "
       "one, such as active, it takes away that one and no other"},
      {create_absent_values, "create-absent-values",
       "an add to emails[type eq \"work\"].value without such an e-mail creates it; Entra ID's replace does, too"},
      {unquoted_filter_values, "unquoted-filter-values", "text in a filter without its quotes"},
      {base_url_flag, "base-url-flag",
       "Entra ID's flag (aadOptscim062020) on the base URL, wherever it lands when a path is appended to that"},
      {method_override, "method-override", "POST with X-HTTP-Method-Override: PUT or PATCH"},
      {value_list, "value-list", "a list of objects as the value of a PATCH without path: one after the other"},
      {null_members, "null-members", "null for the members in a PATCH value without path says nothing about them"},
      {operation_name, "operation-name", "a \"name\" beside op, path and value of a PATCH, such as \"addMember\""},
      {discovery_names, "discovery-names",
       "/ServiceProviderConfigs (SCIM 1.1) and /serviceConfiguration (Microsoft's samples) for "
       "/ServiceProviderConfig"},
      {raw_spaces, "raw-spaces", "spaces in the query of a GET as they are, where %20 is meant"},
      {doubled_base, "doubled-base", "a location as a whole behind the base URL, such as the $ref of a member"},
      {slash_paths, "slash-paths", "a PATCH path with slashes, such as /active and /name/givenName"},
      {scim_1_patch, "scim-1-patch",
       "a PATCH of SCIM 1.1, which says so by its schemas: attributes instead of operations, values with "
       "\"operation\": \"delete\", and meta.attributes"},
  }};
  return all;
}

DEPROV_INLINE std::string_view to_string(PatchAnswer a) noexcept {
  return a == PatchAnswer::resource_200 ? "resource" : "no_content";
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
inline RuleSet with(RuleSet s, std::initializer_list<RuleId> more) {
  for (const auto id : more) s.add(id);
  return s;
}
inline RuleSet every_rule() {
  RuleSet s;
  for (const auto& r : rules()) s.add(r.id);
  return s;
}
/// What everybody gets wrong now and then, and nobody can take for something else.
inline RuleSet common_rules() {
  using enum RuleId;
  return rule_set({op_case, empty_path, missing_schemas, schema_urns, unknown_schemas, unknown_attributes,
                   read_only_echo, flat_keys, string_booleans, create_absent_values, value_list, null_members,
                   discovery_names, raw_spaces, doubled_base, slash_paths, scim_1_patch});
}

}  // namespace detail

DEPROV_INLINE std::span<const Dialect> dialects() noexcept {
  using enum RuleId;
  using detail::common_rules;
  using detail::with;
  static const std::array<Dialect, 7> all = {{
      {"generic", "any SCIM 2.0 client", detail::every_rule(), PatchAnswer::resource_200, false, false, true},
      {"okta", "Okta", common_rules(), PatchAnswer::resource_200, true},
      {"entra", "Microsoft Entra ID", detail::every_rule(), PatchAnswer::no_content_204, false},
      // Its JSON template is the administrator's to edit, with macros that may come out empty.
      {"onelogin", "OneLogin",
       with(common_rules(), {bare_values, wrapped_values, empty_text_removes, remove_listed_values,
                             unquoted_filter_values, method_override}),
       PatchAnswer::resource_200, false},
      {"jumpcloud", "JumpCloud", with(common_rules(), {remove_listed_values, bare_values, wrapped_values}),
       PatchAnswer::resource_200, false, true},
      {"ping", "Ping Identity", with(common_rules(), {remove_listed_values, method_override}),
       PatchAnswer::resource_200, false},
      {"google", "Google Workspace", common_rules(), PatchAnswer::resource_200, false},
  }};
  return all;
}

DEPROV_INLINE const Dialect* find_dialect(std::string_view name) noexcept {
  for (const auto& d : dialects())
    if (scim::iequals(d.name, name)) return &d;
  return nullptr;
}

}  // namespace deprov::idp
