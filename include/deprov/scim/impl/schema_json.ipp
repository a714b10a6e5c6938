#pragma once
#include <array>
#include <deprov/scim/schema.hpp>
#include <utility>

namespace deprov::scim {

namespace detail {

inline json::object attribute_to_json(const Attribute& a) {
  json::object o;
  o.emplace("name", a.name);
  o.emplace("type", to_string(a.type));
  if (!a.sub_attributes.empty()) {
    json::array subs;
    for (const auto& s : a.sub_attributes) subs.emplace_back(attribute_to_json(s));
    o.emplace("subAttributes", std::move(subs));
  }
  const auto list = [&](std::string_view name, const std::vector<std::string>& values) {
    if (values.empty()) return;
    json::array out;
    for (const auto& v : values) out.emplace_back(v);
    o.emplace(name, std::move(out));
  };
  o.emplace("multiValued", a.multi_valued);
  o.emplace("description", a.description);
  o.emplace("required", a.required);
  list("canonicalValues", a.canonical_values);
  o.emplace("caseExact", a.case_exact);
  o.emplace("mutability", to_string(a.mutability));
  o.emplace("returned", to_string(a.returned));
  o.emplace("uniqueness", to_string(a.uniqueness));
  list("referenceTypes", a.reference_types);
  return o;
}

inline json::object location_meta(std::string_view resource_type, std::string_view base, std::string_view endpoint,
                                  std::string_view id) {
  json::object meta{{"resourceType", resource_type}};
  if (!base.empty()) {
    std::string location(base);
    location.append(endpoint);
    if (!id.empty()) location.append("/").append(id);
    meta.emplace("location", std::move(location));
  }
  return meta;
}

/// Reads members of one JSON object; the first failure stays.
class ObjectReader {
 public:
  ObjectReader(const json::value& v, std::string where) : where_(std::move(where)), object_(v.if_object()) {
    if (object_ == nullptr)
      fail(Errc::invalid_syntax, "is " + std::string(kind_name(v)) + " instead of an object", {});
  }
  [[nodiscard]] std::string text(std::string_view name, bool required = false) {
    const auto* v = member(name, required);
    if (v == nullptr) return {};
    if (const auto* s = v->if_string()) return std::string(*s);
    fail(Errc::invalid_value, "is " + std::string(kind_name(*v)) + " instead of a string", name);
    return {};
  }
  [[nodiscard]] bool flag(std::string_view name) {
    const auto* v = member(name, false);
    if (v == nullptr) return false;
    if (const auto* b = v->if_bool()) return *b;
    fail(Errc::invalid_value, "is " + std::string(kind_name(*v)) + " instead of a boolean", name);
    return false;
  }
  [[nodiscard]] bool has(std::string_view name) { return member(name, false) != nullptr; }
  [[nodiscard]] const json::array* list(std::string_view name) {
    const auto* v = member(name, false);
    if (v == nullptr) return nullptr;
    if (const auto* a = v->if_array()) return a;
    fail(Errc::invalid_value, "is " + std::string(kind_name(*v)) + " instead of an array", name);
    return nullptr;
  }
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) {
    std::vector<std::string> out;
    if (const auto* a = list(name)) {
      for (const auto& e : *a) {
        if (const auto* s = e.if_string()) {
          out.emplace_back(*s);
        } else {
          fail(Errc::invalid_value, "holds " + std::string(kind_name(e)) + " instead of strings", name);
        }
      }
    }
    return out;
  }
  template <class E, std::size_t N>
  [[nodiscard]] E word(std::string_view name, E fallback, const std::array<E, N>& choices) {
    const std::string s = text(name);
    if (s.empty()) return fallback;
    for (const E e : choices)
      if (iequals(to_string(e), s)) return e;
    std::string expected;
    for (const E e : choices) expected.append(expected.empty() ? "" : ", ").append(to_string(e));
    fail(Errc::invalid_value, "is \"" + s + "\"", name, "use one of " + expected);
    return fallback;
  }
  [[nodiscard]] bool failed() const { return error_.has_value(); }
  [[nodiscard]] const Error& error() const { return *error_; }
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  const json::value* member(std::string_view name, bool required) {
    if (object_ == nullptr) return nullptr;
    const auto* v = find(*object_, name);
    if (v != nullptr && v->is_null()) v = nullptr;
    if (v == nullptr && required) fail(Errc::invalid_value, "is missing", name);
    return v;
  }
  void fail(Errc code, std::string detail, std::string_view name, std::string advice = {}) {
    if (error_) return;
    std::string place = where_;
    if (!name.empty()) place.append(place.empty() ? "" : ".").append(name);
    error_.emplace(code, std::move(detail), std::move(place), std::move(advice));
  }
  std::string where_;
  const json::object* object_;
  std::optional<Error> error_;
};

inline Result<Attribute> attribute_from_json(const json::value& v, const std::string& where, bool nested) {
  ObjectReader r(v, where);
  Attribute a;
  a.name = r.text("name", true);
  using T = AttributeType;
  a.type = r.word("type", T::string,
                  std::array{T::string, T::boolean, T::decimal, T::integer, T::date_time, T::binary, T::reference,
                             T::complex});
  a.description = r.text("description");
  a.multi_valued = r.flag("multiValued");
  a.required = r.flag("required");
  // RFC 7643 sections 2.3.6 and 2.3.7: these are case exact where nothing else is said.
  a.case_exact = a.type == AttributeType::reference || a.type == AttributeType::binary;
  if (r.has("caseExact")) a.case_exact = r.flag("caseExact");
  using M = Mutability;
  a.mutability =
      r.word("mutability", M::read_write, std::array{M::read_only, M::read_write, M::immutable, M::write_only});
  using R = Returned;
  a.returned = r.word("returned", R::by_default, std::array{R::always, R::never, R::by_default, R::request});
  using U = Uniqueness;
  a.uniqueness = r.word("uniqueness", U::none, std::array{U::none, U::server, U::global});
  a.canonical_values = r.texts("canonicalValues");
  a.reference_types = r.texts("referenceTypes");
  if (const auto* subs = r.list("subAttributes"); subs != nullptr && !subs->empty()) {
    if (nested) return Error(Errc::invalid_value, "sub-attributes have no sub-attributes of their own", where);
    for (std::size_t i = 0; i < subs->size(); ++i) {
      DEPROV_TRY(sub, attribute_from_json((*subs)[i], where + ".subAttributes[" + std::to_string(i) + "]", true));
      a.sub_attributes.push_back(std::move(sub));
    }
  }
  if (r.failed()) return r.error();
  return a;
}

/// Calls `each` with every object of an object, an array, or a ListResponse.
template <class F>
Result<void> for_each_document(const json::value& document, F each) {
  const json::value* list = &document;
  if (const auto* o = document.if_object())
    if (const auto* resources = find(*o, "Resources")) list = resources;
  const auto* a = list->if_array();
  if (a == nullptr) return each(*list);
  for (std::size_t i = 0; i < a->size(); ++i)
    if (auto r = each((*a)[i]); !r) return r.error().within("[" + std::to_string(i) + "]");
  return {};
}

}  // namespace detail

DEPROV_INLINE json::object to_json(const Schema& schema, std::string_view base) {
  json::object o;
  o.emplace("schemas", json::array{json::value(schema_urn)});
  o.emplace("id", schema.id);
  o.emplace("name", schema.name);
  o.emplace("description", schema.description);
  json::array attributes;
  for (const auto& a : schema.attributes) attributes.emplace_back(detail::attribute_to_json(a));
  o.emplace("attributes", std::move(attributes));
  o.emplace("meta", detail::location_meta("Schema", base, "/Schemas", schema.id));
  return o;
}

DEPROV_INLINE json::object to_json(const ResourceType& type, std::string_view base) {
  json::object o;
  o.emplace("schemas", json::array{json::value(resource_type_urn)});
  o.emplace("id", type.id);
  o.emplace("name", type.name);
  o.emplace("endpoint", type.endpoint);
  o.emplace("description", type.description);
  o.emplace("schema", type.schema);
  json::array extensions;
  for (const auto& e : type.extensions)
    extensions.emplace_back(json::object{{"schema", e.schema}, {"required", e.required}});
  o.emplace("schemaExtensions", std::move(extensions));
  o.emplace("meta", detail::location_meta("ResourceType", base, "/ResourceTypes", type.id));
  return o;
}

DEPROV_INLINE Result<Schema> schema_from_json(const json::value& document, std::string_view where) {
  detail::ObjectReader r(document, where.empty() ? "Schema" : std::string(where));
  Schema s;
  s.id = r.text("id", true);
  s.name = r.text("name");
  s.description = r.text("description");
  if (const auto* list = r.list("attributes")) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      const auto of = where.empty() ? "Schema " + s.id : std::string(where);
      DEPROV_TRY(a, detail::attribute_from_json((*list)[i], of + ".attributes[" + std::to_string(i) + "]", false));
      s.attributes.push_back(std::move(a));
    }
  }
  if (r.failed()) return r.error();
  return s;
}

DEPROV_INLINE Result<ResourceType> resource_type_from_json(const json::value& document, std::string_view where) {
  const std::string of = where.empty() ? "ResourceType" : std::string(where);
  detail::ObjectReader r(document, of);
  ResourceType t;
  t.name = r.text("name", true);
  t.id = r.text("id");
  if (t.id.empty()) t.id = t.name;
  t.endpoint = r.text("endpoint", true);
  t.description = r.text("description");
  t.schema = r.text("schema", true);
  if (const auto* list = r.list("schemaExtensions")) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      detail::ObjectReader e((*list)[i], of + ".schemaExtensions[" + std::to_string(i) + "]");
      SchemaExtension extension{e.text("schema", true), e.flag("required")};
      if (e.failed()) return e.error();
      t.extensions.push_back(std::move(extension));
    }
  }
  if (r.failed()) return r.error();
  if (iequals(t.schema, group_urn)) t.row_attribute = "members";
  return t;
}

DEPROV_INLINE Result<void> SchemaRegistry::load_schemas(const json::value& document) {
  SchemaRegistry next = *this;
  DEPROV_CHECK(detail::for_each_document(document, [&](const json::value& v) -> Result<void> {
    DEPROV_TRY(s, schema_from_json(v));
    return next.add(std::move(s));
  }));
  *this = std::move(next);
  return {};
}

DEPROV_INLINE Result<void> SchemaRegistry::load_resource_types(const json::value& document) {
  SchemaRegistry next = *this;
  DEPROV_CHECK(detail::for_each_document(document, [&](const json::value& v) -> Result<void> {
    DEPROV_TRY(t, resource_type_from_json(v));
    return next.add(std::move(t));
  }));
  *this = std::move(next);
  return {};
}

}  // namespace deprov::scim
