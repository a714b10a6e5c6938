#pragma once
#include <algorithm>
#include <deprov/scim/filter.hpp>
#include <deprov/scim/impl/values.ipp>

// Which values of an attribute are the same, and which are meant.
namespace deprov::scim::detail {

inline void clear_other_primaries(json::array& values, std::size_t primary) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (i != primary && is_primary(values[i])) values[i].get_object().insert_or_assign("primary", false);
}

/// Whether `named` says which value is meant, and it is this one: an object by the members that it has.
inline bool is_named(const json::value& value, const json::value& named, const Attribute& a) {
  if (value == named) return true;
  if (a.type != AttributeType::complex) return same_text(&value, &named, &a);
  const auto* o = value.if_object();
  const auto* n = named.if_object();
  if (o == nullptr || n == nullptr || n->empty()) return false;
  return std::all_of(n->begin(), n->end(), [&](const auto& m) {
    const auto* v = o->if_contains(m.key());
    return v != nullptr && same_text(v, &m.value(), a.find(m.key()));
  });
}

/// Whether a list names it.
inline bool is_among(const json::value& e, const json::array& listed, const Attribute& a) {
  return std::any_of(listed.begin(), listed.end(), [&](const json::value& v) { return is_named(e, v, a); });
}

/// The values that a filter of `eq` terms joined by `and` names. False: it is another one.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the filter, which has a bound
inline bool equal_terms(const Filter& f, const Attribute& a, json::object& out) {
  if (f.kind == Filter::Kind::all_of)
    return std::all_of(f.operands.begin(), f.operands.end(),
                       [&](const auto& o) { return equal_terms(o, a, out); });
  if (f.kind != Filter::Kind::compare || f.op != CompareOp::eq || f.value.is_null()) return false;
  const auto* sub = a.find(f.attr.attribute);
  if (sub == nullptr) return false;
  out.insert_or_assign(sub->name, f.value);
  return true;
}

}  // namespace deprov::scim::detail
