#pragma once
#include <algorithm>
#include <deprov/scim/impl/patch_compare.ipp>
#include <deprov/scim/impl/values.ipp>
#include <string>
#include <utility>
#include <vector>

// PUT: what a GET does not show by itself is not in the echo of one either. It stays unless the body names it.
namespace deprov::scim::detail {

inline bool is_unseen(const Attribute& a) noexcept {
  return a.returned == Returned::never || a.returned == Returned::request;
}

inline json::object seen_part(const json::object& value, const Attribute& a) {
  json::object out;
  for (const auto& m : value)
    if (const auto* sub = a.find(m.key()); sub != nullptr && !is_unseen(*sub)) out.emplace(m.key(), m.value());
  return out;
}

/// Whether a GET without parameters shows anything of a stored value.
inline bool is_seen(const json::value& v, const Attribute& a) {
  if (is_unseen(a)) return false;
  if (const auto* o = v.if_object()) return !seen_part(*o, a).empty();
  const auto* list = v.if_array();
  return list == nullptr || a.type != AttributeType::complex ||
         std::any_of(list->begin(), list->end(), [&](const json::value& e) { return is_seen(e, a); });
}

/// Brings what is stored and unseen into the body of a PUT, before that is checked.
class EchoFiller {
 public:
  EchoFiller(const json::object& existing, const TypeDef& type, const Limits& limits)
      : existing_(existing), type_(type), rules_{false, limits, notes_, true} {}

  void run(json::object& body) {
    read(body);
    fill_schema(type_.core(), existing_, {});
    for (const auto& e : type_.extensions()) {
      const auto* v = existing_.if_contains(e->id);
      const auto* o = v != nullptr ? v->if_object() : nullptr;
      if (o == nullptr || is_cleared(*e)) continue;
      if (names_any(*e) || !shows_any(*e, *o)) fill_schema(*e, *o, e->id + ":");
    }
    for (auto& [key, v] : missing_) body.insert_or_assign(key, std::move(v));
  }

 private:
  struct Named {
    const Attribute* attribute;
    json::value* value;
  };

  void read(json::object& body) {
    for (auto& m : body) {
      if (auto* inner = iequals(m.key(), type_.core().id) ? m.value().if_object() : nullptr) {
        for (auto& e : *inner) name(type_.attribute(e.key()), e.value());
      } else if (const auto* a = type_.attribute(m.key())) {
        name(a, m.value());
      } else if (const auto r = type_.resolve(m.key()); r && r->attribute != nullptr) {
        if (r->sub == nullptr) name(r->attribute, m.value());
      } else if (r && r->extension) {
        if (m.value().is_null()) cleared_.push_back(r->schema);
        if (auto* o = m.value().if_object())
          for (auto& e : *o) name(r->schema->find(e.key()), e.value());
      }
    }
  }
  void name(const Attribute* a, json::value& v) {
    if (a != nullptr) named_.push_back({a, &v});
  }
  bool is_cleared(const Schema& schema) const {
    return std::find(cleared_.begin(), cleared_.end(), &schema) != cleared_.end();
  }
  json::value* value_of(const Attribute& a) const {
    for (const auto& n : named_)
      if (n.attribute == &a) return n.value;
    return nullptr;
  }
  bool names_any(const Schema& schema) const {
    return std::any_of(schema.attributes.begin(), schema.attributes.end(),
                       [&](const Attribute& a) { return value_of(a) != nullptr; });
  }
  static bool shows_any(const Schema& schema, const json::object& stored) {
    return std::any_of(schema.attributes.begin(), schema.attributes.end(), [&](const Attribute& a) {
      const auto* v = stored.if_contains(a.name);
      return v != nullptr && is_seen(*v, a);
    });
  }

  void fill_schema(const Schema& schema, const json::object& stored, const std::string& prefix) {
    for (const auto& a : schema.attributes) {
      const auto* v = stored.if_contains(a.name);
      if (v == nullptr || a.mutability == Mutability::read_only || &a == type_.row_attribute()) continue;
      auto* given = value_of(a);
      const auto* object = given != nullptr ? given->if_object() : nullptr;
      if (given == nullptr || (object != nullptr && object->empty())) {
        if (is_seen(*v, a)) continue;
        if (given != nullptr) {
          *given = *v;
        } else {
          missing_.emplace_back(prefix + a.name, *v);
        }
      } else if (a.type == AttributeType::complex &&
                 std::any_of(a.sub_attributes.begin(), a.sub_attributes.end(), is_unseen)) {
        fill_value(*given, *v, a);
      }
    }
  }

  static void fill_object(json::object& given, const json::object& stored, const Attribute& a) {
    for (const auto& sub : a.sub_attributes) {
      if (!is_unseen(sub) || sub.mutability == Mutability::read_only) continue;
      if (const auto* v = stored.if_contains(sub.name); v != nullptr && find(given, sub.name) == nullptr)
        given.emplace(sub.name, *v);
    }
  }

  void fill_value(json::value& given, const json::value& stored, const Attribute& a) {
    if (const auto* one = stored.if_object()) {
      if (auto* o = given.if_object()) fill_object(*o, *one, a);
      return;
    }
    const auto* before = stored.if_array();
    if (before == nullptr) return;
    if (given.is_object()) {  // a lone value where a list of one is meant
      json::array one(given.storage());
      one.emplace_back(std::move(given));
      given = std::move(one);
    }
    if (auto* list = given.if_array();
        list != nullptr && !list->empty() && list->size() <= rules_.limits.max_values)
      fill_list(*list, *before, a);
  }

  /// Values are found again by what is seen of them, else by `value` with `type`, else by `value`; those of a
  /// schema without `value` by a `type` that is there once.
  void fill_list(json::array& given, const json::array& before, const Attribute& a) {
    std::vector<const json::object*> stored;
    for (const auto& e : before) stored.push_back(e.if_object());
    std::vector<json::value> open;  // as they would be stored; null: found, or nothing to look for
    for (const auto& e : given) {
      json::value v = e.is_object() && !e.get_object().empty() ? e : json::value();
      if (auto r = store_single(v, a, rules_); !r || !*r) v = nullptr;
      open.push_back(std::move(v));
    }
    const auto pair_up = [&](auto&& same) {
      for (std::size_t i = 0; i < given.size(); ++i) {
        if (open[i].is_null()) continue;
        const auto at = std::find_if(stored.begin(), stored.end(), [&](const auto* s) {
          return s != nullptr && same(open[i].get_object(), *s);
        });
        if (at == stored.end()) continue;
        fill_object(given[i].get_object(), **at, a);
        open[i] = nullptr;
        *at = nullptr;
      }
    };
    const auto same = [&](std::string_view name) {
      return [sub = a.find(name)](const json::object& x, const json::object& y) {
        const auto* v = sub != nullptr ? x.if_contains(sub->name) : nullptr;
        return v != nullptr && same_text(v, y.if_contains(sub->name), sub);
      };
    };
    const auto same_value = same("value");
    const auto same_type = same("type");
    pair_up([&](const auto& x, const auto& y) { return seen_part(x, a) == seen_part(y, a); });
    pair_up([&](const auto& x, const auto& y) { return same_value(x, y) && same_type(x, y); });
    pair_up(same_value);
    if (a.find("value") == nullptr) {
      const auto once = [&](const auto& x) {
        const auto is = [&](const auto* y) { return y != nullptr && same_type(x, *y); };
        return std::count_if(stored.begin(), stored.end(), is) == 1 &&
               std::count_if(open.begin(), open.end(), [&](const json::value& v) { return is(v.if_object()); }) ==
                   1;
      };
      pair_up([&](const auto& x, const auto& y) { return same_type(x, y) && once(x); });
    }
    for (const auto* s : stored)  // of which a GET shows nothing at all
      if (s != nullptr && seen_part(*s, a).empty()) given.emplace_back(*s);
  }

  const json::object& existing_;
  const TypeDef& type_;
  std::vector<std::string> notes_;  ///< nobody's: the body is checked afterwards
  ValueRules rules_;
  std::vector<Named> named_;
  std::vector<const Schema*> cleared_;
  std::vector<std::pair<std::string, json::value>> missing_;
};

}  // namespace deprov::scim::detail
