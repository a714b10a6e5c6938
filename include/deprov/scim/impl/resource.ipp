#pragma once
#include <algorithm>
#include <deprov/scim/impl/replace_echo.ipp>
#include <deprov/scim/impl/values.ipp>
#include <deprov/scim/resource.hpp>
#include <utility>

namespace deprov::scim {

namespace detail {

inline bool contains_name(const std::vector<std::string>& names, std::string_view name) noexcept {
  return std::any_of(names.begin(), names.end(), [&](const auto& n) { return iequals(n, name); });
}

inline Result<void> check_schemas(const json::value* schemas, const TypeDef& type, const ValueRules& rules) {
  const auto fail = [](std::string detail, std::string advice) {
    return Error(Errc::invalid_syntax, std::move(detail), "schemas", std::move(advice));
  };
  const std::string& core = type.core().id;
  const bool strict = rules.strict;
  const auto* list = schemas != nullptr ? schemas->if_array() : nullptr;
  if (list == nullptr) {
    if (schemas == nullptr || schemas->is_null())
      return strict ? fail("it is required and missing", "name " + core) : Result<void>();
    return fail("expected an array, not " + std::string(kind_name(*schemas)), "use an array of URNs");
  }
  bool core_named = false;
  for (const auto& e : *list) {
    const auto* urn = e.if_string();
    if (urn == nullptr) return fail("expected URNs, not " + std::string(kind_name(e)), "use an array of URNs");
    if (iequals(*urn, core)) {
      core_named = true;
    } else if (type.extension(*urn) == nullptr) {
      const auto shown = std::string(std::string_view(*urn).substr(0, 200));
      if (strict)
        return fail("the schema \"" + shown + "\" is unknown for a " + type.name(), "see /ResourceTypes");
      rules.note("the schema \"" + shown + "\" is unknown and was ignored");
    }
  }
  if (!core_named && strict) return fail("the schema " + core + " is missing", "name it first");
  return {};
}

class Normalizer {
 public:
  /// `created`: also what is not stored has to be there where it is required.
  Normalizer(const TypeDef& type, Leniency leniency, const Limits& limits, bool created)
      : type_(type), rules_{leniency == Leniency::strict, limits, out_.notes}, created_(created) {}

  Result<Document> run(json::value&& body) {
    auto* o = body.if_object();
    if (o == nullptr)
      return Error(Errc::invalid_syntax,
                   "expected a " + type_.name() + " as an object, not " + std::string(kind_name(body)));
    DEPROV_CHECK(check_schemas(find(*o, "schemas"), type_, rules_));
    out_.value.reserve(o->size() + 4);  // room for id, meta and schemas
    out_.value.emplace("schemas", nullptr);
    for (auto& m : *o) {
      if (iequals(m.key(), "schemas")) continue;
      auto* inner = iequals(m.key(), type_.core().id) ? m.value().if_object() : nullptr;
      if (inner == nullptr) {
        DEPROV_CHECK(member(m.key(), m.value()));
        continue;
      }
      // The core schema's URN as a key, as if it were an extension.
      for (auto& a : *inner)
        if (!names_schema(a.key(), a.value(), type_.core())) DEPROV_CHECK(member(a.key(), a.value()));
    }
    for (const auto& e : type_.extensions()) DEPROV_CHECK(finish_extension(*e));
    DEPROV_CHECK(check_required());
    update_schemas(out_.value, type_);
    return std::move(out_);
  }

 private:
  Result<void> member(std::string_view key, json::value& v) {
    if (const auto* a = type_.attribute(key)) return core_attribute(*a, key, v);
    const bool urn = key.find(':') != std::string_view::npos;
    if (urn) {
      if (const auto* e = type_.extension(key)) return extension(*e, v);
      const auto r = type_.resolve(key);
      if (r && r->sub == nullptr && r->attribute != nullptr)
        return r->extension ? extension_attribute(*r, v) : core_attribute(*r->attribute, key, v);
    } else if (!rules_.strict && !v.is_null()) {
      const auto r = type_.resolve({}, key, {});
      if (r && r->extension) {
        rules_.note(std::string(key) + " was taken for the one of " + r->schema->id);
        return extension_attribute(*r, v);
      }
    }
    if (v.is_null()) return {};
    if (rules_.strict) return unknown_attribute(Errc::invalid_syntax, key, type_.name());
    rules_.note(std::string(key.substr(0, 200)) + " is unknown and was ignored");
    return {};
  }

  Result<void> core_attribute(const Attribute& a, std::string_view key, json::value& v) {
    if (a.mutability == Mutability::read_only) return {};
    if (&a == type_.row_attribute()) {
      if (v.is_null()) return {};
      if (out_.members) return twice(a, key);
      auto members = parse_members(v, rules_.limits);
      if (!members) return members.error().within(a.name);
      out_.members.emplace(MemberOp{MemberOp::Kind::replace, std::move(*members), std::nullopt, {}});
      return {};
    }
    DEPROV_TRY(keep, store_value(v, a, rules_));
    if (!keep) return {};
    if (a.mutability == Mutability::write_only) {
      seen_.push_back(&a);
      rules_.note(a.name + std::string(not_stored_note));
      return {};
    }
    if (!out_.value.emplace(a.name, std::move(v)).second) return twice(a, key);
    return {};
  }

  static Error twice(const Attribute& a, std::string_view key) {
    return Error(Errc::invalid_syntax, "the attribute is given twice, once as \"" + std::string(key) + "\"",
                 a.name, "names differ by more than case");
  }

  Result<void> extension(const Schema& schema, json::value& v) {
    if (v.is_null()) return {};
    auto* o = v.if_object();
    if (o == nullptr)
      return Error(Errc::invalid_value, "expected an object, not " + std::string(kind_name(v)), schema.id);
    auto& to = slot(schema);
    if (to.empty()) {
      to = std::move(*o);
      return {};
    }
    for (auto& m : *o)
      if (!to.emplace(m.key(), std::move(m.value())).second)
        return Error(Errc::invalid_syntax, "the attribute is given twice", schema.id + ":" + std::string(m.key()));
    return {};
  }

  Result<void> extension_attribute(const Resolved& r, json::value& v) {
    if (!slot(*r.schema).emplace(r.attribute->name, std::move(v)).second)
      return Error(Errc::invalid_syntax, "the attribute is given twice", r.schema->id + ":" + r.attribute->name);
    return {};
  }

  json::object& slot(const Schema& schema) {
    auto& v = out_.value[schema.id];
    if (!v.is_object()) v.emplace_object();
    return v.get_object();
  }

  Result<void> finish_extension(const Schema& schema) {
    auto* v = out_.value.if_contains(schema.id);
    if (v == nullptr) return {};
    DEPROV_TRY(keep, store_extension(*v, schema, rules_));
    if (!keep) out_.value.erase(schema.id);
    return {};
  }

  Result<void> check_required() const {
    const auto missing = [](const std::string& name) {
      return Error(Errc::invalid_value, "it is required and missing", name);
    };
    for (const auto& a : type_.core().attributes) {
      if (!a.required || a.mutability == Mutability::read_only || &a == type_.row_attribute()) continue;
      if (a.mutability == Mutability::write_only) {
        if (created_ && std::find(seen_.begin(), seen_.end(), &a) == seen_.end()) return missing(a.name);
        continue;
      }
      const auto* v = out_.value.if_contains(a.name);
      if (v == nullptr) return missing(a.name);
      if (v->is_string() && is_blank(v->get_string()))
        return Error(Errc::invalid_value, "it is required and has no characters but spaces", a.name);
    }
    for (const auto& e : type_.type().extensions)
      if (e.required) {
        const auto* schema = type_.extension(e.schema);
        if (schema != nullptr && !out_.value.contains(schema->id)) return missing(schema->id);
      }
    return {};
  }

  const TypeDef& type_;
  Document out_;
  ValueRules rules_;
  bool created_;
  std::vector<const Attribute*> seen_;  ///< write-only ones, which are checked and not kept
};

/// A value that is there may not change; one that the body leaves out stays.
inline Result<void> keep_immutable(const json::object& before, json::object& after, const Attribute& a) {
  const auto* old_value = before.if_contains(a.name);
  if (old_value == nullptr) return {};
  auto* new_value = after.if_contains(a.name);
  if (a.mutability == Mutability::immutable) {
    if (new_value == nullptr) {
      after.emplace(a.name, *old_value);
    } else if (*new_value != *old_value) {
      return Error(Errc::mutability, "it is immutable and has another value already", a.name);
    }
    return {};
  }
  if (a.type != AttributeType::complex || a.multi_valued || new_value == nullptr) return {};
  const auto* from = old_value->if_object();
  auto* to = new_value->if_object();
  if (from == nullptr || to == nullptr) return {};
  for (const auto& sub : a.sub_attributes) {
    if (sub.mutability != Mutability::immutable) continue;
    if (auto r = keep_immutable(*from, *to, sub); !r) return r.error().within(a.name);
  }
  return {};
}

inline void keep_read_only(const json::object& before, json::object& after,
                           const std::vector<Attribute>& attributes) {
  for (const auto& a : attributes)
    if (a.mutability == Mutability::read_only)
      if (const auto* v = before.if_contains(a.name)) after.insert_or_assign(a.name, *v);
}

}  // namespace detail

DEPROV_INLINE Result<Document> normalize(json::value&& body, const TypeDef& type, Leniency leniency,
                                         const Limits& limits) {
  return detail::Normalizer(type, leniency, limits, true).run(std::move(body));
}

DEPROV_INLINE Result<Replacement> replace(const json::object& existing, json::value&& body, const TypeDef& type,
                                          const ReplaceOptions& options, const Limits& limits) {
  if (auto* o = body.if_object(); o != nullptr && !type.returned_whole())
    detail::EchoFiller(existing, type, limits).run(*o);
  DEPROV_TRY(document, detail::Normalizer(type, options.leniency, limits, false).run(std::move(body)));
  Replacement out;
  out.document = std::move(document);
  auto& after = out.document.value;
  detail::keep_read_only(existing, after, common_schema().attributes);
  detail::keep_read_only(existing, after, type.core().attributes);
  for (const auto& name : options.keep) {
    const auto* a = type.attribute(name);
    if (a == nullptr || after.contains(a->name)) continue;
    if (const auto* v = existing.if_contains(a->name)) after.emplace(a->name, *v);
  }
  for (const auto& a : common_schema().attributes) DEPROV_CHECK(detail::keep_immutable(existing, after, a));
  for (const auto& a : type.core().attributes) DEPROV_CHECK(detail::keep_immutable(existing, after, a));
  for (const auto& e : type.extensions()) {
    const auto* old_value = existing.if_contains(e->id);
    const auto* from = old_value != nullptr ? old_value->if_object() : nullptr;
    if (from == nullptr) continue;
    json::object to;
    if (auto* v = after.if_contains(e->id); v != nullptr && v->is_object()) to = std::move(v->get_object());
    detail::keep_read_only(*from, to, e->attributes);
    for (const auto& a : e->attributes)
      if (auto r = detail::keep_immutable(*from, to, a); !r) return r.error().within(e->id);
    if (to.empty()) {
      after.erase(e->id);
    } else {
      after.insert_or_assign(e->id, std::move(to));
    }
  }
  detail::update_schemas(after, type);
  out.changes = differences(existing, after);
  out.changed = !out.changes.empty();
  return out;
}

DEPROV_INLINE std::vector<std::string> differences(const json::object& before, const json::object& after) {
  std::vector<std::string> out;
  const auto counts = [](std::string_view name) { return name != "meta" && name != "schemas"; };
  for (const auto& m : before) {
    if (!counts(m.key())) continue;
    const auto* other = after.if_contains(m.key());
    if (other == nullptr || *other != m.value()) out.emplace_back(m.key());
  }
  for (const auto& m : after)
    if (counts(m.key()) && !before.contains(m.key())) out.emplace_back(m.key());
  return out;
}

DEPROV_INLINE std::string_view Resource::text(std::string_view name) const noexcept {
  const auto* v = document_->if_contains(name);
  if (v == nullptr || !v->is_string()) return {};
  return v->get_string();
}

DEPROV_INLINE std::optional<bool> Resource::active() const noexcept {
  const auto* v = document_->if_contains("active");
  if (v == nullptr || !v->is_bool()) return std::nullopt;
  return v->get_bool();
}

DEPROV_INLINE std::vector<std::string_view> Resource::emails() const {
  std::vector<std::string_view> out;
  const auto* v = document_->if_contains("emails");
  if (v == nullptr || !v->is_array()) return out;
  for (const auto& e : v->get_array()) {
    const auto* o = e.if_object();
    const auto* text = o != nullptr ? o->if_contains("value") : nullptr;
    if (text != nullptr && text->is_string() && !text->get_string().empty()) out.emplace_back(text->get_string());
  }
  return out;
}

DEPROV_INLINE std::string_view Resource::email() const noexcept {
  std::string_view first;
  const auto* v = document_->if_contains("emails");
  if (v == nullptr || !v->is_array()) return first;
  for (const auto& e : v->get_array()) {
    const auto* o = e.if_object();
    const auto* text = o != nullptr ? o->if_contains("value") : nullptr;
    if (text == nullptr || !text->is_string() || text->get_string().empty()) continue;
    if (detail::is_primary(e)) return text->get_string();
    if (first.empty()) first = text->get_string();
  }
  return first;
}

}  // namespace deprov::scim
