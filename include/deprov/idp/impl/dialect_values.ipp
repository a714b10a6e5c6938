#pragma once
#include <algorithm>
#include <boost/json/parse.hpp>
#include <deprov/idp/dialect.hpp>
#include <utility>

namespace deprov::idp::detail {

/// The rules in force, and which of them were used.
class ActiveRules {
 public:
  ActiveRules(const RuleSet& allowed, RuleSet& fired) : allowed_(allowed), fired_(fired) {}
  [[nodiscard]] bool allow(RuleId id) const noexcept { return allowed_.has(id); }
  /// Whether it may be used; it is, then.
  bool use(RuleId id) const noexcept {
    if (!allowed_.has(id)) return false;
    fired_.add(id);
    return true;
  }

 private:
  const RuleSet& allowed_;
  RuleSet& fired_;
};

/// A URN without what people get wrong in it.
inline std::string squeezed(std::string_view urn) {
  std::string out;
  out.reserve(urn.size());
  for (const char c : urn) {
    if (c == ':' || c == '.' || c == '-' || c == '_' || c == ' ') continue;
    out.push_back((c >= 'A' && c <= 'Z') ? static_cast<char>(c + 32) : c);
  }
  return out;
}

inline const scim::Schema* known_schema(const scim::TypeDef& type, std::string_view urn) noexcept {
  if (scim::iequals(type.core().id, urn)) return &type.core();
  return type.extension(urn);
}

/// A URN from before the RFC.
inline bool is_old_urn(std::string_view urn) noexcept {
  const std::string_view old = "urn:scim:schemas:";
  return urn.size() > old.size() && scim::iequals(urn.substr(0, old.size()), old);
}

/// The schema that a URN from before the RFC or a misspelt one stands for, or null.
inline const scim::Schema* meant_schema(const scim::TypeDef& type, std::string_view urn) {
  if (is_old_urn(urn)) {
    const auto rest = urn.substr(std::string_view("urn:scim:schemas:").size());
    const auto begins = [&](std::string_view p) {
      return rest.size() >= p.size() && scim::iequals(rest.substr(0, p.size()), p);
    };
    if (begins("core:")) {
      const auto last = rest.substr(rest.rfind(':') + 1);
      const bool other = !last.empty() && last.front() >= 'A' && !scim::iequals(last, type.name());
      return other ? nullptr : &type.core();
    }
    if (begins("extension:enterprise:")) return type.extension(scim::enterprise_user_urn);
    return nullptr;
  }
  const auto what = squeezed(urn);
  const auto same = [&](const scim::Schema& s) {
    const auto known = squeezed(s.id);
    return known == what || known == what + squeezed(type.name());
  };
  if (same(type.core())) return &type.core();
  for (const auto& e : type.extensions())
    if (same(*e)) return e.get();
  return nullptr;
}

/// A path or key whose URN only means one that is known: the same with the right URN.
inline std::optional<std::string> meant_name(const scim::TypeDef& type, std::string_view name) {
  const auto open = name.find('[');
  const auto front = name.substr(0, open);
  if (front.find(':') == std::string_view::npos) return std::nullopt;
  if (open == std::string_view::npos)
    if (const auto* s = meant_schema(type, front)) return s->id;
  // `urn:..:2.0:User.department`
  for (auto dot = front.rfind('.'); dot != std::string_view::npos && dot != 0; dot = front.rfind('.', dot - 1)) {
    const auto* s = known_schema(type, front.substr(0, dot));
    if (s == nullptr) continue;
    std::string better = s->id + ":" + std::string(name.substr(dot + 1));
    if (type.resolve(better.substr(0, better.find('[')))) return better;
  }
  const auto colon = front.rfind(':');
  const auto* s = known_schema(type, front.substr(0, colon));
  if (s == nullptr) s = meant_schema(type, front.substr(0, colon));
  if (s == nullptr) return std::nullopt;
  std::string better = s->id + std::string(name.substr(colon));
  if (!type.resolve(better.substr(0, better.find('[')))) return std::nullopt;
  return better;
}

/// "" or [] for what is an object.
inline bool is_empty_text(const json::value& v, const scim::Attribute& a) noexcept {
  if (a.type != scim::AttributeType::complex) return false;
  if (const auto* s = v.if_string()) return s->empty();
  if (a.multi_valued) return false;
  if (const auto* list = v.if_array()) {
    if (list->empty()) return true;
    if (list->size() != 1) return false;
  }
  // Wrapped in a list or not, and whatever else of it is empty too.
  const auto* o = v.is_array() ? v.get_array().front().if_object() : v.if_object();
  const auto* inner = o != nullptr ? scim::find(*o, "value") : nullptr;
  return inner != nullptr && inner->is_string() && std::all_of(o->begin(), o->end(), [](const auto& m) {
           return m.value().is_null() || (m.value().is_string() && m.value().get_string().empty());
         });
}

/// Brings values into the shape that their attribute's type has.
class ValueRules {
 public:
  ValueRules(const ActiveRules& rules, const scim::Limits& limits) : rules_(rules), limits_(limits) {}

  void leaf(json::value& v, const scim::Resolved& r) const {
    if (r.sub != nullptr) {
      attribute(v, *r.sub);
    } else {
      attribute(v, *r.attribute);
    }
  }

  void attribute(json::value& v, const scim::Attribute& a) const {
    if (!a.multi_valued) {
      single(v, a);
      return;
    }
    if (auto* list = v.if_array()) {
      for (auto& e : *list) single(e, a);
    } else if (!v.is_null()) {
      single(v, a);
      if (v.is_string() && a.type != scim::AttributeType::complex && rules_.use(RuleId::bare_values))
        v = json::array{std::move(v)};
    }
  }

  /// Whether it holds anything that the attribute does not have.
  [[nodiscard]] bool has_unknown(const json::value& v, const scim::Attribute& a) const {
    if (a.type != scim::AttributeType::complex) return false;
    if (const auto* list = v.if_array())
      return std::any_of(list->begin(), list->end(), [&](const auto& e) { return has_unknown(e, a); });
    const auto* o = v.if_object();
    return o != nullptr && std::any_of(o->begin(), o->end(), [&](const auto& m) {
             return !m.value().is_null() && a.find(m.key()) == nullptr;
           });
  }

  /// One value.
  void single(json::value& v, const scim::Attribute& a) const {
    unwrap(v, a);
    switch (a.type) {
      case scim::AttributeType::boolean: boolean(v); break;
      case scim::AttributeType::complex: complex(v, a); break;
      default: break;
    }
  }

 private:
  void unwrap(json::value& v, const scim::Attribute& a) const {
    if (auto* list = v.if_array(); list != nullptr && list->size() == 1 && rules_.use(RuleId::wrapped_values)) {
      json::value inner = std::move(list->front());
      v = std::move(inner);
    }
    if (a.type == scim::AttributeType::complex) return;
    auto* o = v.if_object();
    if (o == nullptr) return;
    auto* inner = scim::find(*o, "value");
    if (inner == nullptr && o->size() == 1) inner = scim::find(*o, a.name);
    if (inner == nullptr || inner->is_structured()) return;
    for (const auto& m : *o)
      if (&m.value() != inner && !m.value().is_null()) return;
    if (!rules_.use(RuleId::wrapped_values)) return;
    json::value taken = std::move(*inner);
    v = std::move(taken);
  }

  void boolean(json::value& v) const {
    const auto* s = v.if_string();
    if (s == nullptr) return;
    const bool yes = scim::iequals(*s, "true");
    if ((yes || scim::iequals(*s, "false")) && rules_.use(RuleId::string_booleans)) v = yes;
  }

  void complex(json::value& v, const scim::Attribute& a) const {
    const auto* value = a.find("value");
    if (v.is_string() && value != nullptr && !v.get_string().empty() && rules_.use(RuleId::bare_values)) {
      json::object made;
      made.emplace(value->name, std::move(v));
      v = std::move(made);
    }
    auto* o = v.if_object();
    if (o == nullptr) return;
    stringified(*o, a);
    for (auto& m : *o)
      if (const auto* sub = a.find(m.key())) {
        if (sub->multi_valued) continue;
        single(m.value(), *sub);
      }
  }

  /// `{"value":"{\"id\":\"827f\",\"value\":\"Admin\",\"displayName\":\"Admin\"}"}`
  void stringified(json::object& o, const scim::Attribute& a) const {
    auto* v = scim::find(o, "value");
    const auto* text = v != nullptr ? v->if_string() : nullptr;
    if (text == nullptr || text->size() < 2 || text->front() != '{' || text->back() != '}') return;
    auto inner = scim::parse_json(*text, limits_);
    if (!inner || !inner->is_object()) return;
    const auto& from = inner->get_object();
    const auto* real = scim::find(from, "value");
    if (real == nullptr || !real->is_string()) real = scim::find(from, "id");
    if (real == nullptr || !real->is_string() || !rules_.use(RuleId::stringified_values)) return;
    const auto* shown = scim::find(from, "displayName");
    if (shown == nullptr) shown = scim::find(from, "display");
    if (shown != nullptr && shown->is_string() && a.find("display") != nullptr &&
        scim::find(o, "display") == nullptr) {
      o.emplace("display", *shown);
      v = scim::find(o, "value");
    }
    for (const std::string_view name : {"type", "primary"}) {
      const auto* extra = scim::find(from, name);
      if (extra == nullptr || a.find(name) == nullptr || scim::find(o, name) != nullptr) continue;
      o.emplace(name, *extra);
      v = scim::find(o, "value");
    }
    *v = *real;
  }

  const ActiveRules& rules_;
  const scim::Limits& limits_;
};

}  // namespace deprov::idp::detail
