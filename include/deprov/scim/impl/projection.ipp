#pragma once
#include <algorithm>
#include <deprov/scim/path.hpp>
#include <deprov/scim/projection.hpp>
#include <optional>
#include <utility>

namespace deprov::scim {

namespace detail {

/// Whether a filter on the values of an attribute asks for what is never returned: which values are shown would
/// tell it.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the filter, which has a bound
inline bool asks_hidden(const Filter& filter, const Attribute& attribute) {
  if (const auto* sub = attribute.find(filter.attr.attribute); sub != nullptr && is_hidden(*sub)) return true;
  return std::any_of(filter.operands.begin(), filter.operands.end(),
                     [&](const auto& o) { return asks_hidden(o, attribute); });
}

}  // namespace detail

DEPROV_INLINE Projection::Projection(const TypeDef& type) : type_(&type) {}

DEPROV_INLINE Projection::Projection(const TypeDef& type, std::span<const std::string> attributes,
                                     std::span<const std::string> excluded)
    : type_(&type), only_named_(!attributes.empty()) {
  choose(named_, type, attributes, List::asked);
  choose(excluded_, type, excluded, List::excluded);
}

DEPROV_INLINE void Projection::wrote(std::span<const std::string> names) {
  choose(written_, *type_, names, List::asked);
}

DEPROV_INLINE void Projection::choose(std::vector<Choice>& into, const TypeDef& type,
                                      std::span<const std::string> names, List list) {
  for (const auto& name : names) {
    std::optional<Resolved> r;
    std::optional<Matcher> values;
    if (name.find('[') == std::string::npos) {
      r = type.resolve(name);
      if (!r) continue;
    } else {
      const auto path = parse_path(name);
      if (!path || !path->value_filter) continue;
      r = type.resolve(path->attr);
      if (!r || r->attribute == nullptr || detail::asks_hidden(*path->value_filter, *r->attribute)) continue;
      if (r->attribute == type.row_attribute()) {
        if (list == List::excluded) continue;
      } else if (auto compiled = Matcher::compile_values(*path->value_filter, *r->attribute)) {
        values = std::move(*compiled);
      } else {
        continue;
      }
    }
    const auto same = [&](const Choice& c) { return c.schema == r->schema && c.attribute == r->attribute; };
    auto at = std::find_if(into.begin(), into.end(), same);
    if (at == into.end()) at = into.insert(at, Choice{r->schema, r->attribute});
    if (values) {
      at->parts.push_back({std::move(*values), r->sub});
    } else if (r->sub == nullptr) {
      at->whole = true;
    } else {
      at->subs.push_back(r->sub);
    }
  }
}

DEPROV_INLINE const Projection::Choice* Projection::of_value(const Choice* choice, const json::value& value,
                                                             Choice& made) {
  if (choice == nullptr || choice->parts.empty()) return choice;
  made = {choice->schema, choice->attribute, choice->subs, choice->whole};
  for (const auto& part : choice->parts) {
    if (!part.values.value(value)) continue;
    if (part.sub == nullptr) {
      made.whole = true;
    } else {
      made.subs.push_back(part.sub);
    }
  }
  return &made;
}

DEPROV_INLINE const Projection::Choice* Projection::find(const std::vector<Choice>& in, const Schema& schema,
                                                         const Attribute& attribute) noexcept {
  const Choice* whole = nullptr;
  for (const auto& c : in) {
    if (c.attribute == &attribute) return &c;
    if (c.attribute == nullptr && c.schema == &schema) whole = &c;
  }
  return whole;
}

/// Whether anything of it is returned.
DEPROV_INLINE bool Projection::wanted(const Schema& schema, const Attribute& attribute) const noexcept {
  switch (attribute.returned) {
    case Returned::never: return false;
    case Returned::always: return true;
    case Returned::by_default:
    case Returned::request: break;
  }
  const Choice* excluded = find(excluded_, schema, attribute);
  if (excluded != nullptr && excluded->whole) return false;
  const Choice* named = find(named_, schema, attribute);
  if (named != nullptr) return named->attribute != nullptr || attribute.returned == Returned::by_default;
  if (only_named_) return false;
  return attribute.returned == Returned::by_default || find(written_, schema, attribute) != nullptr;
}

DEPROV_INLINE bool Projection::includes(std::string_view attribute) const noexcept {
  const auto* a = type_->attribute(attribute);
  return a != nullptr && wanted(type_->core(), *a);
}

DEPROV_INLINE json::object Projection::copy_subs(const Attribute& attribute, const json::object& from,
                                                 const Choice* named, const Choice* excluded,
                                                 const Choice* written) const {
  const auto has = [](const Choice* c, const Attribute* sub) {
    return c != nullptr && std::find(c->subs.begin(), c->subs.end(), sub) != c->subs.end();
  };
  json::object to;
  to.reserve(from.size());
  for (const auto& m : from) {
    const auto* sub = attribute.find(m.key());
    if (sub == nullptr || sub->returned == Returned::never) continue;
    if (sub->returned != Returned::always) {
      if (named != nullptr && !named->whole && !has(named, sub)) continue;
      if (has(excluded, sub)) continue;
      if (sub->returned == Returned::request && !has(named, sub) && (only_named_ || written == nullptr)) continue;
    }
    to.emplace(m.key(), m.value());
  }
  return to;
}

DEPROV_INLINE bool Projection::copy_value(const Attribute& attribute, const json::value& from, const Choice* named,
                                          const Choice* excluded, const Choice* written, json::value& to) const {
  Choice of_named{};
  Choice of_excluded{};
  const bool chosen = named != nullptr && !named->parts.empty();
  const bool thinned = excluded != nullptr && !excluded->parts.empty();
  named = of_value(named, from, of_named);
  excluded = of_value(excluded, from, of_excluded);
  if (attribute.returned != Returned::always) {
    if (chosen && !named->whole && named->subs.empty()) return false;
    if (thinned && excluded->whole) return false;
  }
  const auto* o = from.if_object();
  if (o == nullptr) {
    to = from;
    return true;
  }
  auto subs = copy_subs(attribute, *o, named, excluded, written);
  if (subs.empty()) return false;
  to = std::move(subs);
  return true;
}

DEPROV_INLINE bool Projection::copy(const Schema& schema, const Attribute& attribute, const json::value& from,
                                    json::value& to) const {
  if (!wanted(schema, attribute)) return false;
  const auto special = [](const Attribute& s) {
    return s.returned == Returned::never || s.returned == Returned::request;
  };
  const Choice* named = find(named_, schema, attribute);
  const Choice* excluded = find(excluded_, schema, attribute);
  const bool whole = (named == nullptr || named->whole) && (excluded == nullptr || excluded->whole) &&
                     std::none_of(attribute.sub_attributes.begin(), attribute.sub_attributes.end(), special);
  if (whole) {
    to = from;
    return true;
  }
  const Choice* written = find(written_, schema, attribute);
  const auto* values = from.if_array();
  if (values == nullptr) return copy_value(attribute, from, named, excluded, written, to);
  json::array out;
  json::value copied;
  for (const auto& v : *values)
    if (copy_value(attribute, v, named, excluded, written, copied)) out.push_back(std::move(copied));
  if (out.empty()) return false;
  to = std::move(out);
  return true;
}

DEPROV_INLINE json::object Projection::apply(const json::object& resource) const {
  json::object out;
  out.reserve(resource.size());
  json::value copied;
  for (const auto& m : resource) {
    if (const auto* a = type_->attribute(m.key())) {
      if (copy(type_->core(), *a, m.value(), copied)) out.emplace(m.key(), std::move(copied));
      continue;
    }
    const auto* extension = type_->extension(m.key());
    const auto* from = m.value().if_object();
    if (extension == nullptr || from == nullptr) continue;
    json::object inner;
    for (const auto& e : *from)
      if (const auto* a = extension->find(e.key()))
        if (copy(*extension, *a, e.value(), copied)) inner.emplace(e.key(), std::move(copied));
    if (!inner.empty()) out.emplace(m.key(), std::move(inner));
  }
  return out;
}

}  // namespace deprov::scim
