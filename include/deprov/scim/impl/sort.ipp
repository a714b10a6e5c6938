#pragma once
#include <deprov/scim/fold.hpp>
#include <deprov/scim/sort.hpp>
#include <deprov/time.hpp>

namespace deprov::scim {

namespace detail {

/// What the attribute is compared by: itself, or the `value` of a complex one.
inline const Attribute* sorted_sub(const Resolved& attribute) noexcept {
  if (attribute.sub != nullptr || attribute.attribute == nullptr) return attribute.sub;
  return attribute.attribute->type == AttributeType::complex ? attribute.attribute->find("value") : nullptr;
}

inline const json::value* sorted_value(const json::object& resource, const Resolved& attribute,
                                       const Attribute* sub) noexcept {
  const json::object* o = &resource;
  if (attribute.extension) {
    const auto* e = resource.if_contains(attribute.schema->id);
    o = e != nullptr ? e->if_object() : nullptr;
  }
  const auto* v = o != nullptr ? o->if_contains(attribute.attribute->name) : nullptr;
  if (v != nullptr && v->is_array()) {
    const auto& all = v->get_array();
    if (all.empty()) return nullptr;
    v = &all.front();
    for (const auto& e : all) {
      const auto* object = e.if_object();
      const auto* primary = object != nullptr ? object->if_contains("primary") : nullptr;
      if (primary != nullptr && primary->is_bool() && primary->get_bool()) {
        v = &e;
        break;
      }
    }
  }
  if (v != nullptr && sub != nullptr) {
    const auto* object = v->if_object();
    v = object != nullptr ? object->if_contains(sub->name) : nullptr;
  }
  return v != nullptr && !v->is_null() ? v : nullptr;
}

template <class T>
int three_way(const T& a, const T& b) noexcept {
  return a < b ? -1 : (b < a ? 1 : 0);
}

}  // namespace detail

DEPROV_INLINE int compare(const SortKey& a, const SortKey& b) noexcept {
  if (a.kind != b.kind) return detail::three_way(a.kind, b.kind);
  switch (a.kind) {
    case SortKey::Kind::boolean:
    case SortKey::Kind::number: return detail::three_way(a.number, b.number);
    case SortKey::Kind::time: return detail::three_way(a.micros, b.micros);
    case SortKey::Kind::text: return detail::three_way(a.text.compare(b.text), 0);
    case SortKey::Kind::absent: break;
  }
  return 0;
}

DEPROV_INLINE SortKey sort_key(const json::object& resource, const Resolved& attribute) {
  SortKey key;
  if (attribute.attribute == nullptr) return key;
  const auto* sub = detail::sorted_sub(attribute);
  const auto& leaf = sub != nullptr ? *sub : *attribute.attribute;
  const auto* v = detail::sorted_value(resource, attribute, sub);
  if (v == nullptr) return key;
  if (const auto* b = v->if_bool()) {
    key.kind = SortKey::Kind::boolean;
    key.number = *b ? 1 : 0;
  } else if (v->is_number()) {
    key.kind = SortKey::Kind::number;
    if (const auto* i = v->if_int64())
      key.number = static_cast<long double>(*i);
    else if (const auto* u = v->if_uint64())
      key.number = static_cast<long double>(*u);
    else
      key.number = static_cast<long double>(v->get_double());
  } else if (const auto* s = v->if_string(); s != nullptr && !s->empty()) {
    if (leaf.type == AttributeType::date_time) {
      if (const auto moment = parse_rfc3339(*s)) {
        key.kind = SortKey::Kind::time;
        key.micros = moment->micros;
        return key;
      }
    }
    key.kind = SortKey::Kind::text;
    key.text = leaf.case_exact ? std::string(*s) : fold(*s);
  }
  return key;
}

DEPROV_INLINE Result<void> check_sortable(const Resolved& attribute, std::string_view name) {
  const auto wrong = [&](const char* what) {
    return Error(Errc::invalid_value, "\"" + std::string(name.substr(0, 100)) + "\" is " + what, "sortBy",
                 "name a sub-attribute, such as name.familyName");
  };
  if (attribute.attribute == nullptr) return wrong("a whole schema");
  if (attribute.sub == nullptr && attribute.attribute->type == AttributeType::complex &&
      attribute.attribute->find("value") == nullptr)
    return wrong("complex and has no sub-attribute value");
  // The order would tell what is never shown.
  const auto* sub = detail::sorted_sub(attribute);
  if (is_hidden(*attribute.attribute) || (sub != nullptr && is_hidden(*sub)))
    return Error(Errc::invalid_value, "\"" + std::string(name.substr(0, 100)) + "\" is never returned", "sortBy",
                 "sort by an attribute that is");
  return {};
}

}  // namespace deprov::scim
