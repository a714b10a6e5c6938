#pragma once
#include <algorithm>
#include <cmath>
#include <deprov/scim/fold.hpp>
#include <deprov/scim/schema.hpp>
#include <deprov/time.hpp>
#include <utility>

namespace deprov::scim {

namespace detail {

/// How values of a request are checked, and where what was ignored is noted.
struct ValueRules {
  bool strict = true;  ///< what the schema does not know is refused, not ignored
  const Limits& limits;
  std::vector<std::string>& notes;
  bool partial = false;  ///< a part of a complex value, to be merged: required sub-attributes may be missing

  void note(std::string text) const { notes.push_back(std::move(text)); }
};

inline bool is_base64(std::string_view s) noexcept {
  std::size_t padding = 0;
  std::size_t digits = 0;
  for (const char c : s) {
    if (c == '\r' || c == '\n') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    if (padding != 0 || (!is_alpha(c) && !is_digit(c) && c != '+' && c != '/' && c != '-' && c != '_'))
      return false;
    ++digits;
  }
  return padding <= 2 && digits % 4 != 1 && (padding == 0 || (digits + padding) % 4 == 0);
}

inline Error wrong_type(const Attribute& a, const json::value& v, std::string_view expected) {
  return Error(Errc::invalid_value, "expected " + std::string(expected) + ", not " + std::string(kind_name(v)),
               a.name);
}

inline Error unknown_attribute(Errc code, std::string_view name, std::string_view of) {
  return Error(code, std::string(of) + " has no such attribute", std::string(name.substr(0, 200)),
               "see /Schemas for what there is");
}

/// RFC 3986, no more than by its characters: what is refused is never a URI.
inline bool may_be_uri(std::string_view s) noexcept {
  return std::none_of(s.begin(), s.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' ||
           c == '`' || c == '{' || c == '|' || c == '}' || c == '\x7f';
  });
}

/// Nothing, or nothing but white space: no name that somebody could be known by.
inline bool is_blank(std::string_view s) noexcept {
  return s.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

inline bool is_canonical(const Attribute& a, std::string_view text) {
  return std::any_of(a.canonical_values.begin(), a.canonical_values.end(),
                     [&](const std::string& v) { return a.case_exact ? v == text : equal_folded(v, text); });
}

inline Error not_canonical(const Attribute& a, std::string_view text) {
  constexpr std::size_t most_named = 20;
  std::string known;
  for (std::size_t i = 0; i < a.canonical_values.size() && i < most_named; ++i)
    known += (i == 0 ? "" : ", ") + a.canonical_values[i].substr(0, 100);
  if (a.canonical_values.size() > most_named) known += ", ...";
  return Error(Errc::invalid_value,
               "\"" + std::string(text.substr(0, 100)) + "\" is none of the values that its schema names", a.name,
               "use one of: " + known);
}

inline bool same_text(const json::value* x, const json::value* y, const Attribute* a) {
  if (x == nullptr || y == nullptr) return x == y;
  if (a == nullptr || a->case_exact || !x->is_string() || !y->is_string()) return *x == *y;
  return equal_folded(x->get_string(), y->get_string());
}

/// The same `value` and `type`: RFC 7643 section 2.4 wants such a pair once.
inline bool same_value(const json::value& x, const json::value& y, const Attribute& attribute) {
  if (x == y) return true;
  if (attribute.type != AttributeType::complex) return same_text(&x, &y, &attribute);
  const auto* a = x.if_object();
  const auto* b = y.if_object();
  if (a == nullptr || b == nullptr) return false;
  const auto* v = a->if_contains("value");
  const auto* w = b->if_contains("value");
  if (v == nullptr || w == nullptr || !same_text(v, w, attribute.find("value"))) return false;
  return same_text(a->if_contains("type"), b->if_contains("type"), attribute.find("type"));
}

/// Each value once. What the later of two says besides its `value` and `type` counts.
inline void drop_repeated(json::array& values, const Attribute& a) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(kept);
    const bool complex = a.type == AttributeType::complex;
    const auto same = std::find_if(values.begin(), end, [&](const json::value& v) {
      return complex ? same_value(v, values[i], a) : v == values[i];
    });
    if (same == end) {
      if (kept != i) values[kept] = std::move(values[i]);
      ++kept;
    } else if (complex) {
      auto& first = same->get_object();
      for (auto& m : values[i].get_object())
        if (m.key() != "value" && m.key() != "type") first.insert_or_assign(m.key(), std::move(m.value()));
    }
  }
  values.resize(kept);
}

inline Result<void> check_required_subs(const json::object& o, const Attribute& a) {
  for (const auto& sub : a.sub_attributes)
    if (sub.required && sub.mutability != Mutability::read_only && sub.mutability != Mutability::write_only &&
        !o.contains(sub.name))
      return Error(Errc::invalid_value, "it is required and missing", a.name + "." + sub.name);
  return {};
}

inline bool is_true(const json::value* v) noexcept { return v != nullptr && v->is_bool() && v->get_bool(); }

inline bool is_primary(const json::value& element) noexcept {
  const auto* o = element.if_object();
  return o != nullptr && is_true(o->if_contains("primary"));
}

/// The checks below bring a value into the form in which it is stored, in place. They answer false if nothing is
/// left to store: null, an empty array, an object without members.
Result<bool> store_value(json::value& v, const Attribute& a, const ValueRules& rules);

inline Result<bool> store_complex(json::value& v, const Attribute& a, const ValueRules& rules) {
  auto* o = v.if_object();
  if (o == nullptr) return wrong_type(a, v, "an object");
  std::vector<std::pair<std::string, const Attribute*>> odd;  // to leave out (null) or to rename
  for (auto& m : *o) {
    const auto* sub = a.find(m.key());
    if (sub == nullptr) {
      const std::string name = a.name + "." + std::string(std::string_view(m.key()).substr(0, 200));
      if (rules.strict && !m.value().is_null()) return unknown_attribute(Errc::invalid_syntax, name, "the schema");
      if (!m.value().is_null()) rules.note(name + " is unknown and was ignored");
      odd.emplace_back(m.key(), nullptr);
      continue;
    }
    bool keep = sub->mutability != Mutability::read_only;
    if (keep) {
      auto stored = store_value(m.value(), *sub, rules);
      if (!stored) return stored.error().within(a.name);
      keep = *stored && sub->mutability != Mutability::write_only;
    }
    if (!keep) {
      odd.emplace_back(m.key(), nullptr);
    } else if (m.key() != sub->name) {
      odd.emplace_back(m.key(), sub);
    }
  }
  for (auto& [key, sub] : odd) {
    if (sub == nullptr) {
      o->erase(key);
      continue;
    }
    if (o->contains(sub->name))
      return Error(Errc::invalid_syntax,
                   "the attribute is given twice, as \"" + key + "\" and \"" + sub->name + "\"",
                   a.name + "." + sub->name);
    json::value moved = std::move(o->at(key));
    o->erase(key);
    o->emplace(sub->name, std::move(moved));
  }
  if (o->empty()) return false;
  if (!rules.partial) DEPROV_CHECK(check_required_subs(*o, a));
  return true;
}

/// A value that is no list.
inline Result<bool> store_single(json::value& v, const Attribute& a, const ValueRules& rules) {
  if (v.is_null()) return false;
  switch (a.type) {
    case AttributeType::complex: return store_complex(v, a, rules);
    case AttributeType::boolean:
      if (!v.is_bool()) return wrong_type(a, v, "true or false");
      return true;
    case AttributeType::decimal:
      if (!v.is_number()) return wrong_type(a, v, "a number");
      return true;
    case AttributeType::integer: {
      if (v.is_int64() || v.is_uint64()) return true;
      if (!v.is_double()) return wrong_type(a, v, "an integer");
      const double d = v.get_double();
      if (d != std::floor(d) || std::fabs(d) > 9007199254740992.0)
        return Error(Errc::invalid_value, "expected an integer", a.name);
      v = static_cast<std::int64_t>(d);
      return true;
    }
    case AttributeType::string:
      if (!v.is_string()) return wrong_type(a, v, "a string");
      if (a.restricted && !is_canonical(a, v.get_string())) return not_canonical(a, v.get_string());
      return true;
    case AttributeType::reference:
      if (!v.is_string()) return wrong_type(a, v, "a URI");
      if (may_be_uri(v.get_string())) return true;
      if (rules.strict) return Error(Errc::invalid_value, "expected a URI, which has no such characters", a.name);
      rules.note(a.name + " is no URI and was kept as it is");
      return true;
    case AttributeType::date_time: {
      if (!v.is_string()) return wrong_type(a, v, "a dateTime");
      auto moment = parse_rfc3339(v.get_string());
      if (!moment) return moment.error().within(a.name);
      return true;
    }
    case AttributeType::binary:
      if (!v.is_string()) return wrong_type(a, v, "base64 text");
      if (!is_base64(v.get_string())) return Error(Errc::invalid_value, "the text is not base64", a.name);
      return true;
  }
  return true;
}

inline Result<void> check_primary(const json::array& values, const Attribute& a) {
  std::size_t primaries = 0;
  for (const auto& e : values) primaries += is_primary(e) ? 1U : 0U;
  if (primaries > 1)
    return Error(Errc::invalid_value, std::to_string(primaries) + " values are primary", a.name,
                 "mark at most one value as primary (RFC 7643 section 2.4)");
  return {};
}

inline Result<void> check_count(std::size_t n, const Attribute& a, const Limits& limits) {
  if (n > limits.max_values)
    return Error(Errc::limit_exceeded,
                 "it has " + std::to_string(n) + " values, more than max_values (" +
                     std::to_string(limits.max_values) + ")",
                 a.name);
  return {};
}

inline Result<bool> store_value(json::value& v, const Attribute& a, const ValueRules& rules) {
  if (!a.multi_valued) return store_single(v, a, rules);
  if (v.is_null()) return false;
  if (v.is_object()) {  // a lone value where a list of one is meant
    json::array one(v.storage());
    one.emplace_back(std::move(v));
    v = std::move(one);
  }
  auto* values = v.if_array();
  if (values == nullptr) return wrong_type(a, v, "an array");
  DEPROV_CHECK(check_count(values->size(), a, rules.limits));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < values->size(); ++i) {
    auto stored = store_single((*values)[i], a, rules);
    if (!stored) {
      const auto& e = stored.error();
      const auto rest = std::string_view(e.where()).substr(std::min(a.name.size(), e.where().size()));
      return Error(e.code(), e.detail(), a.name + "[" + std::to_string(i) + "]" + std::string(rest), e.advice());
    }
    if (!*stored) continue;
    if (kept != i) (*values)[kept] = std::move((*values)[i]);
    ++kept;
  }
  values->resize(kept);
  drop_repeated(*values, a);
  kept = values->size();
  DEPROV_CHECK(check_primary(*values, a));
  return kept != 0;
}

/// `schemas` within an extension, naming nothing but that extension, says nothing new; some clients write it.
inline bool names_schema(std::string_view key, const json::value& v, const Schema& schema) {
  const auto* urns = v.if_array();
  return urns != nullptr && iequals(key, "schemas") &&
         std::all_of(urns->begin(), urns->end(),
                     [&](const json::value& e) { return e.is_string() && iequals(e.get_string(), schema.id); });
}

/// An object whose members are attributes of one schema extension.
inline Result<bool> store_extension(json::value& v, const Schema& schema, const ValueRules& rules) {
  if (v.is_null()) return false;
  auto* o = v.if_object();
  if (o == nullptr)
    return Error(Errc::invalid_value, "expected an object, not " + std::string(kind_name(v)), schema.id);
  std::vector<std::pair<std::string, const Attribute*>> odd;
  for (auto& m : *o) {
    const auto* a = schema.find(m.key());
    if (a == nullptr) {
      if (m.value().is_null() || names_schema(m.key(), m.value(), schema)) {
        odd.emplace_back(m.key(), nullptr);
        continue;
      }
      if (rules.strict) return unknown_attribute(Errc::invalid_syntax, m.key(), schema.id);
      rules.note(schema.id + ":" + std::string(std::string_view(m.key()).substr(0, 200)) +
                 " is unknown and was ignored");
      odd.emplace_back(m.key(), nullptr);
      continue;
    }
    bool keep = a->mutability != Mutability::read_only;
    if (keep) {
      auto stored = store_value(m.value(), *a, rules);
      if (!stored) return stored.error().within(schema.id);
      keep = *stored && a->mutability != Mutability::write_only;
    }
    if (!keep) {
      odd.emplace_back(m.key(), nullptr);
    } else if (m.key() != a->name) {
      odd.emplace_back(m.key(), a);
    }
  }
  for (auto& [key, a] : odd) {
    if (a == nullptr) {
      o->erase(key);
      continue;
    }
    if (o->contains(a->name))
      return Error(Errc::invalid_syntax,
                   "the attribute is given twice, as \"" + key + "\" and \"" + a->name + "\"", schema.id);
    json::value moved = std::move(o->at(key));
    o->erase(key);
    o->emplace(a->name, std::move(moved));
  }
  if (o->empty()) return false;
  for (const auto& a : schema.attributes)
    if (a.required && a.mutability != Mutability::read_only && a.mutability != Mutability::write_only &&
        !o->contains(a.name))
      return Error(Errc::invalid_value, "it is required and missing", schema.id + ":" + a.name);
  return true;
}

/// `schemas`: the core schema and the extensions that have values. Answers true if that changed it.
inline bool update_schemas(json::object& document, const TypeDef& type) {
  json::array schemas;
  schemas.emplace_back(type.core().id);
  for (const auto& e : type.extensions())
    if (document.contains(e->id)) schemas.emplace_back(e->id);
  auto& present = document["schemas"];
  if (present.is_array() && present.get_array() == schemas) return false;
  present = std::move(schemas);
  return true;
}

}  // namespace detail

}  // namespace deprov::scim
