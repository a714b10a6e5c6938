#pragma once
#include <algorithm>
#include <array>
#include <deprov/scim/impl/schema.ipp>
#include <deprov/scim/impl/schema_json.ipp>
#include <deprov/scim/impl/values.ipp>
#include <deprov/scim/schema.hpp>
#include <utility>

namespace deprov::scim {

namespace detail {

// The bounds on what one file may bring; each is named in the error that it causes.
inline constexpr std::size_t max_custom_schemas = 64;
inline constexpr std::size_t max_custom_types = 64;
inline constexpr std::size_t max_custom_attributes = 1000;  ///< of one schema, sub-attributes counted
inline constexpr std::size_t max_custom_list = 1000;        ///< canonicalValues, referenceTypes
inline constexpr std::size_t max_custom_name = 128;
inline constexpr std::size_t max_custom_text = 4096;

/// Reads the files of one integration. Errors name the JSON path: `schemas[1].attributes[3].type`.
class CustomReader {
 public:
  Result<Schema> schema(const json::value& v, const std::string& where) {
    constexpr std::array known{"schemas", "id", "name", "description", "attributes", "meta"};
    DEPROV_CHECK(only(v, where, known));
    DEPROV_TRY(s, schema_from_json(v, where));
    DEPROV_CHECK(urn(s.id, where + ".id"));
    DEPROV_CHECK(text(s.name, where + ".name", max_custom_name));
    DEPROV_CHECK(text(s.description, where + ".description", max_custom_text));
    if (s.attributes.empty()) return fail("it is missing or empty", where + ".attributes");
    std::size_t count = 0;
    const auto* list = find(v.get_object(), "attributes");
    DEPROV_CHECK(attributes(s.attributes, list->get_array(), where + ".attributes", false, count));
    return std::move(s);
  }

  Result<ResourceType> type(const json::value& v, const std::string& where) {
    constexpr std::array known{"schemas",  "id",     "name", "description",
                               "endpoint", "schema", "meta", "schemaExtensions"};
    DEPROV_CHECK(only(v, where, known));
    if (const auto* list = find(v.get_object(), "schemaExtensions"); list != nullptr && list->is_array()) {
      constexpr std::array parts{"schema", "required"};
      for (std::size_t i = 0; i < list->get_array().size(); ++i)
        DEPROV_CHECK(only(list->get_array()[i], where + ".schemaExtensions" + at(i), parts));
    }
    DEPROV_TRY(t, resource_type_from_json(v, where));
    DEPROV_CHECK(word(t.name, where + ".name"));
    DEPROV_CHECK(word(t.id, where + ".id"));
    DEPROV_CHECK(text(t.description, where + ".description", max_custom_text));
    const std::string_view end = t.endpoint;
    if (end.size() < 2 || end.front() != '/' || !is_word(end.substr(1)))
      return fail("\"" + clipped(end) + "\" is no endpoint", where + ".endpoint",
                  "write a slash and a word, such as /Devices");
    for (const std::string_view taken : {"/Me", "/Bulk", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig"})
      if (iequals(end, taken)) return fail(clipped(end) + " is an endpoint of the protocol", where + ".endpoint");
    if (t.extensions.size() > max_custom_schemas)
      return too_many(t.extensions.size(), "max_schemas", max_custom_schemas, where + ".schemaExtensions");
    return std::move(t);
  }

  static Error fail(std::string detail, std::string where, std::string advice = {}) {
    return Error(Errc::invalid_argument, std::move(detail), std::move(where), std::move(advice));
  }
  static Error too_many(std::size_t n, std::string_view bound, std::size_t most, std::string where) {
    return Error(Errc::limit_exceeded,
                 std::to_string(n) + " are more than " + std::string(bound) + " (" + std::to_string(most) + ")",
                 std::move(where));
  }
  static std::string at(std::size_t i) { return "[" + std::to_string(i) + "]"; }

 private:
  static std::string clipped(std::string_view s) { return std::string(s.substr(0, 200)); }
  static bool is_word(std::string_view s) {
    return !s.empty() && s.front() != '.' && s.size() <= max_custom_name &&
           std::all_of(s.begin(), s.end(), [](char c) { return is_name_char(c) || c == '.'; });
  }

  template <std::size_t N>
  static Result<void> only(const json::value& v, const std::string& where,
                           const std::array<const char*, N>& known) {
    const auto* o = v.if_object();
    if (o == nullptr) return fail("it is " + std::string(kind_name(v)) + " instead of an object", where);
    for (const auto& m : *o) {
      if (std::any_of(known.begin(), known.end(), [&](const char* k) { return iequals(m.key(), k); })) continue;
      std::string names;
      for (const char* k : known) names.append(names.empty() ? "" : ", ").append(k);
      return fail("no such member is known", where + "." + clipped(m.key()), "use " + names);
    }
    return {};
  }
  static Result<void> text(std::string_view s, std::string where, std::size_t most) {
    if (s.size() <= most) return {};
    return fail("it has more than " + std::to_string(most) + " bytes", std::move(where));
  }
  static Result<void> word(std::string_view s, std::string where) {
    if (is_word(s)) return {};
    return fail("\"" + clipped(s) + "\" is no name", std::move(where),
                "use at most 128 letters, digits, - and _, as in Device");
  }
  static Result<void> urn(std::string_view s, std::string where) {
    AttrPathView path;
    if (s.size() <= 2 * max_custom_name && s.find(':') != std::string_view::npos && s.back() != ':' &&
        split_attr_path(s, path) && path.sub.empty())
      return {};
    // "urn:example:2.0:Device" parses as a path; what does not is no URN either.
    if (s.size() <= 2 * max_custom_name && s.find(':') != std::string_view::npos && s.back() != ':' &&
        split_attr_path(std::string(s) + ":x", path))
      return {};
    return fail("\"" + clipped(s) + "\" is no URN", std::move(where), "use urn:..., at most 256 bytes");
  }

  static Result<void> attributes(const std::vector<Attribute>& all, const json::array& documents,
                                 const std::string& where, bool nested, std::size_t& count) {
    count += all.size();
    if (count > max_custom_attributes) return too_many(count, "max_attributes", max_custom_attributes, where);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto place = where + at(i);
      DEPROV_CHECK(attribute(all[i], documents[i], place, nested));
      for (std::size_t k = 0; k < i; ++k)
        if (iequals(all[k].name, all[i].name))
          return fail("the attribute \"" + all[i].name + "\" is there twice", place + ".name");
      if (all[i].sub_attributes.empty()) continue;
      const auto* subs = find(documents[i].get_object(), "subAttributes");
      DEPROV_CHECK(attributes(all[i].sub_attributes, subs->get_array(), place + ".subAttributes", true, count));
    }
    return {};
  }

  static Result<void> attribute(const Attribute& a, const json::value& document, const std::string& where,
                                bool nested) {
    constexpr std::array known{"name",       "type",        "subAttributes", "multiValued",
                               "required",   "description", "caseExact",     "canonicalValues",
                               "mutability", "returned",    "uniqueness",    "referenceTypes"};
    DEPROV_CHECK(only(document, where, known));
    if (!is_attr_name(a.name) || a.name.size() > max_custom_name)
      return fail("\"" + clipped(a.name) + "\" is no attribute name", where + ".name",
                  "use at most 128 letters, digits, - and _, a letter first");
    DEPROV_CHECK(text(a.description, where + ".description", max_custom_text));
    DEPROV_CHECK(list(a.canonical_values, where + ".canonicalValues"));
    DEPROV_CHECK(list(a.reference_types, where + ".referenceTypes"));
    const bool complex = a.type == AttributeType::complex;
    if (complex && nested)
      return fail("a sub-attribute is complex", where + ".type", "RFC 7643 section 2.3.8 allows one level");
    if (complex && a.sub_attributes.empty())
      return fail("a complex attribute has none", where + ".subAttributes", "name its sub-attributes");
    if (!complex && !a.sub_attributes.empty())
      return fail("the attribute is of type " + std::string(to_string(a.type)), where + ".subAttributes",
                  "only complex attributes have sub-attributes");
    if (a.uniqueness != Uniqueness::none &&
        (complex || a.type == AttributeType::boolean || a.type == AttributeType::date_time ||
         a.type == AttributeType::binary))
      return fail("an attribute of type " + std::string(to_string(a.type)) + " has no uniqueness",
                  where + ".uniqueness", "write none (RFC 7643 section 2.3)");
    if (a.returned == Returned::always && a.mutability == Mutability::write_only)
      return fail("what is writeOnly is not returned", where + ".returned", "write never");
    return {};
  }
  static Result<void> list(const std::vector<std::string>& values, const std::string& where) {
    if (values.size() > max_custom_list) return too_many(values.size(), "max_values", max_custom_list, where);
    for (std::size_t i = 0; i < values.size(); ++i) DEPROV_CHECK(text(values[i], where + at(i), max_custom_text));
    return {};
  }
};

/// The objects of a file with their paths: one object, an array, or a ListResponse. Null: none.
inline Result<std::vector<std::pair<const json::value*, std::string>>> documents_of(const json::value& file,
                                                                                    std::string root,
                                                                                    std::size_t most) {
  std::vector<std::pair<const json::value*, std::string>> out;
  if (file.is_null()) return out;
  const json::value* list = &file;
  if (const auto* o = file.if_object())
    if (const auto* resources = find(*o, "Resources")) {
      list = resources;
      root += ".Resources";
    }
  const auto* a = list->if_array();
  if (a == nullptr) {
    out.emplace_back(list, std::move(root));
    return out;
  }
  if (a->size() > most) return CustomReader::too_many(a->size(), "the bound", most, std::move(root));
  for (std::size_t i = 0; i < a->size(); ++i) out.emplace_back(&(*a)[i], root + CustomReader::at(i));
  return out;
}

inline bool is_kept_unique(const Attribute& a) noexcept {
  return a.uniqueness != Uniqueness::none && a.mutability != Mutability::write_only;
}

/// Whether all that `before` accepted is still accepted.
inline bool accepts_all(const Attribute& after, const Attribute& before) {
  if (!before.restricted) return false;
  return std::all_of(before.canonical_values.begin(), before.canonical_values.end(),
                     [&](const auto& v) { return is_canonical(after, v); });
}

/// Of a schema that is a service provider's own, `canonicalValues` of strings are what there is to choose from.
/// What they say of other types was taken without effect once, and goes on so: a request that was understood must
/// not be refused because this is newer.
inline void restrict_values(std::vector<Attribute>& attributes) {
  for (auto& a : attributes) {
    a.restricted = a.type == AttributeType::string && !a.canonical_values.empty();
    restrict_values(a.sub_attributes);
  }
}

inline Result<void> check_new_attributes(const std::vector<Attribute>& attributes, const std::string& of,
                                         char separator) {
  for (const auto& a : attributes) {
    if (a.uniqueness != Uniqueness::none && a.mutability == Mutability::write_only)
      return CustomReader::fail("what is writeOnly is not kept, so that nothing would show whether it is unique",
                                of + separator + a.name, "write \"uniqueness\": \"none\"");
    if (!a.canonical_values.empty() && a.type != AttributeType::string && a.type != AttributeType::reference)
      return CustomReader::fail(
          "an attribute of type " + std::string(to_string(a.type)) + " has no canonicalValues",
          of + separator + a.name,
          "leave them out: they are texts to choose from (RFC 7643 sections 2.3.1 and 7)");
    DEPROV_CHECK(check_new_attributes(a.sub_attributes, of + separator + a.name, '.'));
  }
  return {};
}

inline Result<void> same_shape(const std::vector<Attribute>& before, const std::vector<Attribute>& after,
                               const std::string& of) {
  for (const auto& a : before) {
    const auto name = of + (of.empty() ? "" : ".") + a.name;
    const auto fail = [&](std::string detail) { return Error(Errc::conflict, std::move(detail), name); };
    const auto* b = find_attribute(after, a.name);
    if (b == nullptr) return fail("the attribute is gone");
    if (b->type != a.type) return fail("the attribute has another type");
    if (b->multi_valued != a.multi_valued) return fail("multiValued is another");
    if (b->name != a.name) return fail("the name is written in another case");
    const bool unique = is_kept_unique(a);
    if (unique != is_kept_unique(*b)) return fail("uniqueness is another");
    if (unique && a.case_exact != b->case_exact) return fail("caseExact of a unique attribute is another");
    if (b->restricted && !accepts_all(*b, a)) return fail("canonicalValues no longer have all that they had");
    DEPROV_CHECK(same_shape(a.sub_attributes, b->sub_attributes, name));
  }
  return {};
}

}  // namespace detail

DEPROV_INLINE Result<SchemaRegistry> SchemaRegistry::customized(const json::value& schemas,
                                                                const json::value& resource_types) {
  using Reader = detail::CustomReader;
  SchemaRegistry out;
  out.schemas_ = builtin().schemas_;
  DEPROV_TRY(schema_files, detail::documents_of(schemas, "schemas", detail::max_custom_schemas));
  for (const auto& [document, where] : schema_files) {
    DEPROV_TRY(s, Reader().schema(*document, where));
    const bool of_protocol =
        std::any_of(provider_schemas().begin(), provider_schemas().end(),
                    [&, id = std::string_view(s.id)](const auto& p) { return iequals(p.id, id); });
    if (of_protocol || builtin().schema(s.id) != nullptr)
      return Reader::fail(s.id + " is built in", where + ".id", "leave it out; extend it by a schema of your own");
    if (out.schema(s.id) != nullptr) return Reader::fail(s.id + " is there twice", where + ".id");
    detail::restrict_values(s.attributes);
    if (auto r = out.add(std::move(s)); !r) return r.error().within(where);
  }
  DEPROV_TRY(type_files, detail::documents_of(resource_types, "resource_types", detail::max_custom_types));
  std::vector<ResourceType> types;
  for (const auto& t : builtin().types()) types.push_back(t->type());
  const auto known = types.size();
  std::vector<bool> said(known, false);
  for (const auto& [document, where] : type_files) {
    DEPROV_TRY(t, Reader().type(*document, where));
    const auto* core = out.schema(t.schema);
    if (core == nullptr)
      return Reader::fail("the schema " + t.schema.substr(0, 200) + " is unknown", where + ".schema",
                          "give it with --schemas");
    for (std::size_t i = 0; i < t.extensions.size(); ++i)
      if (out.schema(t.extensions[i].schema) == nullptr)
        return Reader::fail("the schema " + t.extensions[i].schema.substr(0, 200) + " is unknown",
                            where + ".schemaExtensions[" + std::to_string(i) + "].schema",
                            "give it with --schemas");
    // A built-in type is named to say which extensions it has here.
    bool builtin_type = false;
    for (std::size_t i = 0; i < known; ++i) {
      const auto& present = types[i];
      const bool name = iequals(present.name, t.name);
      if (!name && !iequals(present.schema, t.schema) && !iequals(present.endpoint, t.endpoint)) continue;
      if (!name || !iequals(present.schema, t.schema) || !iequals(present.endpoint, t.endpoint) ||
          !iequals(present.id, t.id))
        return Reader::fail("the type " + present.name + " with " + present.schema + " is at " + present.endpoint +
                                " and nowhere else",
                            where, "give it these, or give your type a name, a schema and an endpoint of its own");
      if (said[i]) return Reader::fail("the type " + present.name + " is there twice", where);
      said[i] = builtin_type = true;
      types[i].extensions = std::move(t.extensions);
      if (!t.description.empty()) types[i].description = std::move(t.description);
      break;
    }
    if (builtin_type) continue;
    for (const auto& name : common_schema().attributes)
      if (core->find(name.name) != nullptr)
        return Reader::fail("the schema " + core->id + " defines \"" + name.name + "\", which every resource has",
                            where + ".schema", "leave it out of the schema (RFC 7643 section 3.1)");
    for (const auto& other : types)
      if (iequals(other.id, t.id)) return Reader::fail("the id is taken", where + ".id");
    types.push_back(std::move(t));
  }
  for (std::size_t i = 0; i < types.size(); ++i)
    if (auto r = out.add(std::move(types[i])); !r) return r.error().within("resource_types");
  return out;
}

DEPROV_INLINE Result<void> check_new_schema(const Schema& schema) {
  return detail::check_new_attributes(schema.attributes, schema.id, ':');
}

DEPROV_INLINE Result<void> still_fits(const TypeDef& before, const TypeDef& after) {
  if (!iequals(before.core().id, after.core().id))
    return Error(Errc::conflict, "the core schema is another", before.core().id);
  DEPROV_CHECK(detail::same_shape(before.core().attributes, after.core().attributes, {}));
  for (const auto& e : before.extensions()) {
    const auto* now = after.extension(e->id);
    if (now == nullptr) return Error(Errc::conflict, "the extension is gone", e->id);
    if (now->id != e->id) return Error(Errc::conflict, "the URN is written in another case", e->id);
    DEPROV_CHECK(detail::same_shape(e->attributes, now->attributes, e->id));
  }
  return {};
}

}  // namespace deprov::scim
