#pragma once
#include <algorithm>
#include <deprov/scim/schema.hpp>
#include <utility>

namespace deprov::scim {

namespace detail {

inline std::uint32_t name_hash(std::string_view name) noexcept {
  std::uint32_t h = 2166136261U;
  for (const char c : name) {
    const auto u = static_cast<unsigned char>(c);
    h = (h ^ ((u >= 'A' && u <= 'Z') ? (u | 0x20U) : u)) * 16777619U;
  }
  return h;
}

inline const Attribute* find_attribute(const std::vector<Attribute>& in, std::string_view name) noexcept {
  for (const auto& a : in)
    if (iequals(a.name, name)) return &a;
  return nullptr;
}

inline Result<void> check_attributes(const std::vector<Attribute>& attributes, std::string_view where,
                                     bool nested) {
  const auto fail = [&](std::string detail, std::string advice = {}) {
    return Error(Errc::invalid_argument, std::move(detail), std::string(where), std::move(advice));
  };
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    const auto& a = attributes[i];
    if (!is_attr_name(a.name))
      return fail("\"" + a.name + "\" is no attribute name", "use letters, digits, - and _, a letter first");
    for (std::size_t k = 0; k < i; ++k)
      if (iequals(attributes[k].name, a.name)) return fail("the attribute \"" + a.name + "\" is there twice");
    if (a.type == AttributeType::complex) {
      if (nested) return fail("the sub-attribute \"" + a.name + "\" is complex", "RFC 7643 allows one level");
      if (a.sub_attributes.empty()) return fail("the complex attribute \"" + a.name + "\" has no sub-attributes");
      DEPROV_CHECK(check_attributes(a.sub_attributes, std::string(where) + "." + a.name, true));
    } else if (!a.sub_attributes.empty()) {
      return fail("the attribute \"" + a.name + "\" has sub-attributes and is not complex");
    }
  }
  return {};
}

}  // namespace detail

DEPROV_INLINE std::string_view to_string(AttributeType value) noexcept {
  switch (value) {
    case AttributeType::string: return "string";
    case AttributeType::boolean: return "boolean";
    case AttributeType::decimal: return "decimal";
    case AttributeType::integer: return "integer";
    case AttributeType::date_time: return "dateTime";
    case AttributeType::binary: return "binary";
    case AttributeType::reference: return "reference";
    case AttributeType::complex: return "complex";
  }
  return "string";
}
DEPROV_INLINE std::string_view to_string(Mutability value) noexcept {
  switch (value) {
    case Mutability::read_only: return "readOnly";
    case Mutability::read_write: return "readWrite";
    case Mutability::immutable: return "immutable";
    case Mutability::write_only: return "writeOnly";
  }
  return "readWrite";
}
DEPROV_INLINE std::string_view to_string(Returned value) noexcept {
  switch (value) {
    case Returned::always: return "always";
    case Returned::never: return "never";
    case Returned::by_default: return "default";
    case Returned::request: return "request";
  }
  return "default";
}
DEPROV_INLINE std::string_view to_string(Uniqueness value) noexcept {
  switch (value) {
    case Uniqueness::none: return "none";
    case Uniqueness::server: return "server";
    case Uniqueness::global: return "global";
  }
  return "none";
}

DEPROV_INLINE const Attribute* Attribute::find(std::string_view sub) const noexcept {
  return detail::find_attribute(sub_attributes, sub);
}
DEPROV_INLINE const Attribute* Schema::find(std::string_view attribute) const noexcept {
  return detail::find_attribute(attributes, attribute);
}

DEPROV_INLINE TypeDef::TypeDef(ResourceType type, std::shared_ptr<const Schema> core,
                               std::vector<std::shared_ptr<const Schema>> extensions)
    : type_(std::move(type)), core_(std::move(core)), extensions_(std::move(extensions)) {
  std::size_t names = core_->attributes.size() + common_schema().attributes.size();
  for (const auto& e : extensions_) names += e->attributes.size();
  std::size_t size = 16;
  while (size < names * 3) size *= 2;
  slots_.resize(size);
  // First come, first served: the core schema before the extensions.
  for (const auto& a : common_schema().attributes) index(a, *core_, false);
  for (const auto& a : core_->attributes) index(a, *core_, false);
  for (const auto& e : extensions_)
    for (const auto& a : e->attributes) index(a, *e, true);
  if (!type_.row_attribute.empty()) row_attribute_ = core_->find(type_.row_attribute);
  collect_unique(*core_, false);
  for (const auto& e : extensions_) collect_unique(*e, true);
  returned_whole_ = shows_whole(*core_) && std::all_of(extensions_.begin(), extensions_.end(),
                                                       [&](const auto& e) { return shows_whole(*e); });
}

DEPROV_INLINE bool TypeDef::shows_whole(const Schema& schema) const {
  const auto by_default = [](const Attribute& a) {
    return a.returned != Returned::never && a.returned != Returned::request;
  };
  return std::all_of(schema.attributes.begin(), schema.attributes.end(), [&](const Attribute& a) {
    // What cannot be written is not in a document.
    if (a.mutability == Mutability::read_only || a.mutability == Mutability::write_only || &a == row_attribute_)
      return true;
    return by_default(a) && std::all_of(a.sub_attributes.begin(), a.sub_attributes.end(), by_default);
  });
}

DEPROV_INLINE void TypeDef::collect_unique(const Schema& schema, bool extension) {
  const auto kept = [](const Attribute& a) {
    return a.mutability != Mutability::read_only && a.mutability != Mutability::write_only;
  };
  for (const auto& a : schema.attributes) {
    if (!kept(a)) continue;
    if (a.uniqueness != Uniqueness::none) unique_.push_back({&schema, extension, &a, nullptr});
    for (const auto& sub : a.sub_attributes)
      if (kept(sub) && sub.uniqueness != Uniqueness::none) unique_.push_back({&schema, extension, &a, &sub});
  }
}

DEPROV_INLINE void TypeDef::index(const Attribute& attribute, const Schema& schema, bool extension) {
  if (lookup(attribute.name) != nullptr) return;
  const std::uint32_t h = detail::name_hash(attribute.name);
  std::size_t i = h & (slots_.size() - 1);
  while (slots_[i].attribute != nullptr) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = {h, &attribute, &schema, extension};
}

DEPROV_INLINE const TypeDef::Slot* TypeDef::lookup(std::string_view name) const noexcept {
  const std::uint32_t h = detail::name_hash(name);
  for (std::size_t i = h & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
    const Slot& s = slots_[i];
    if (s.attribute == nullptr) return nullptr;
    if (s.hash == h && iequals(s.attribute->name, name)) return &s;
  }
}

DEPROV_INLINE const Attribute* TypeDef::attribute(std::string_view name) const noexcept {
  const Slot* s = lookup(name);
  return s != nullptr && !s->extension ? s->attribute : nullptr;
}

DEPROV_INLINE const Schema* TypeDef::extension(std::string_view urn) const noexcept {
  for (const auto& e : extensions_)
    if (iequals(e->id, urn)) return e.get();
  return nullptr;
}

DEPROV_INLINE std::optional<Resolved> TypeDef::resolve(std::string_view schema, std::string_view attribute,
                                                       std::string_view sub) const noexcept {
  Resolved r;
  if (schema.empty()) {
    const Slot* s = lookup(attribute);
    if (s == nullptr) return std::nullopt;
    r = {s->schema, s->extension, s->attribute, nullptr};
  } else {
    // The text may also be the URN of a schema as a whole, its last part taken for a name.
    const auto is_whole = [&](std::string_view urn) {
      if (!sub.empty()) return false;
      if (attribute.empty()) return iequals(urn, schema);
      return urn.size() == schema.size() + 1 + attribute.size() && iequals(urn.substr(0, schema.size()), schema) &&
             urn[schema.size()] == ':' && iequals(urn.substr(schema.size() + 1), attribute);
    };
    const auto within = [&](const Schema& s, bool extension) {
      if (iequals(s.id, schema) && !attribute.empty()) {
        r = {&s, extension, s.find(attribute), nullptr};
        if (r.attribute == nullptr && !extension) r.attribute = common_schema().find(attribute);
        return true;
      }
      if (!is_whole(s.id)) return false;
      r = {&s, extension, nullptr, nullptr};
      return true;
    };
    bool found = within(*core_, false);
    for (std::size_t i = 0; !found && i < extensions_.size(); ++i) found = within(*extensions_[i], true);
    if (!found) return std::nullopt;
    if (r.attribute == nullptr && iequals(r.schema->id, schema) && !attribute.empty()) return std::nullopt;
  }
  if (!sub.empty()) {
    if (r.attribute == nullptr) return std::nullopt;
    r.sub = r.attribute->find(sub);
    if (r.sub == nullptr) return std::nullopt;
  }
  return r;
}

DEPROV_INLINE std::optional<Resolved> TypeDef::resolve(const AttrPath& path) const noexcept {
  return resolve(path.schema, path.attribute, path.sub);
}

DEPROV_INLINE std::optional<Resolved> TypeDef::resolve(std::string_view text) const noexcept {
  detail::AttrPathView v;
  if (!detail::split_attr_path(text, v)) return std::nullopt;
  return resolve(v.schema, v.attribute, v.sub);
}

DEPROV_INLINE Result<void> SchemaRegistry::add(Schema schema) {
  if (schema.id.find(':') == std::string::npos)
    return Error(Errc::invalid_argument, "the schema id \"" + schema.id + "\" is no URN", {}, "use urn:...");
  if (this->schema(schema.id) != nullptr)
    return Error(Errc::invalid_argument, "the schema " + schema.id + " is there already");
  DEPROV_CHECK(detail::check_attributes(schema.attributes, schema.id, false));
  schemas_.push_back(std::make_shared<const Schema>(std::move(schema)));
  return {};
}

DEPROV_INLINE Result<void> SchemaRegistry::add(ResourceType type) {
  const std::string where = "ResourceType " + type.name;
  const auto fail = [&](std::string detail, std::string advice = {}) {
    return Error(Errc::invalid_argument, std::move(detail), where, std::move(advice));
  };
  if (type.name.empty()) return fail("it has no name");
  if (type.endpoint.size() < 2 || type.endpoint.front() != '/' || type.endpoint.find('/', 1) != std::string::npos)
    return fail("the endpoint \"" + type.endpoint + "\" is not of the form /Things");
  if (this->type(type.name) != nullptr) return fail("the name is taken");
  if (endpoint(type.endpoint) != nullptr) return fail("the endpoint " + type.endpoint + " is taken");
  const auto by_urn = [&](std::string_view urn) -> std::shared_ptr<const Schema> {
    for (const auto& s : schemas_)
      if (iequals(s->id, urn)) return s;
    return nullptr;
  };
  auto core = by_urn(type.schema);
  if (!core) return fail("the schema " + type.schema + " is unknown", "load the schema first");
  std::vector<std::shared_ptr<const Schema>> extensions;
  for (const auto& e : type.extensions) {
    auto s = by_urn(e.schema);
    if (!s) return fail("the schema extension " + e.schema + " is unknown", "load the schema first");
    if (s == core || std::find(extensions.begin(), extensions.end(), s) != extensions.end())
      return fail("the schema " + e.schema + " is there twice");
    extensions.push_back(std::move(s));
  }
  if (!type.row_attribute.empty()) {
    const auto* rows = core->find(type.row_attribute);
    if (rows == nullptr || !rows->multi_valued || rows->find("value") == nullptr)
      return fail("the row attribute \"" + type.row_attribute + "\" is no multi-valued attribute with a value");
  }
  if (type.id.empty()) type.id = type.name;
  types_.push_back(std::make_shared<const TypeDef>(std::move(type), std::move(core), std::move(extensions)));
  return {};
}

DEPROV_INLINE const Schema* SchemaRegistry::schema(std::string_view urn) const noexcept {
  for (const auto& s : schemas_)
    if (iequals(s->id, urn)) return s.get();
  return nullptr;
}

DEPROV_INLINE const TypeDef* SchemaRegistry::type(std::string_view name) const noexcept {
  for (const auto& t : types_)
    if (iequals(t->type().name, name)) return t.get();
  return nullptr;
}

DEPROV_INLINE const TypeDef* SchemaRegistry::endpoint(std::string_view path) const noexcept {
  if (path.starts_with('/')) path.remove_prefix(1);
  for (const auto& t : types_)
    if (iequals(std::string_view(t->type().endpoint).substr(1), path)) return t.get();
  return nullptr;
}

}  // namespace deprov::scim
