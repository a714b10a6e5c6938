#pragma once
#include <algorithm>
#include <deprov/scim/impl/patch_compare.ipp>
#include <deprov/scim/impl/patch_members.ipp>
#include <deprov/scim/impl/patch_schemas.ipp>
#include <deprov/scim/impl/patch_touched.ipp>
#include <deprov/scim/impl/values.ipp>
#include <deprov/scim/match.hpp>
#include <deprov/scim/patch.hpp>
#include <optional>
#include <utility>

namespace deprov::scim {

namespace detail {

inline Error unknown_path(const Path& path, const TypeDef& type) {
  return unknown_attribute(Errc::invalid_path, to_string(path.attr), type.name()).within("path");
}
inline std::string place_of(std::size_t operation) { return "Operations[" + std::to_string(operation) + "]"; }

class Patcher {
 public:
  using Op = PatchOperation::Op;

  Patcher(json::object& document, const TypeDef& type, const PatchOptions& options, const Limits& limits)
      : document_(document),
        type_(type),
        options_(options),
        rules_{!options.ignore_unknown, limits, result_.notes},
        members_(result_.members, limits, options.remove_listed_values) {}

  Result<PatchResult> run(PatchRequest&& patch) {
    for (std::size_t i = 0; i < patch.operations.size(); ++i) {
      index_ = i;
      if (auto r = operation(patch.operations[i]); !r) {
        touched_.restore();
        return r.error().within(place_of(i));
      }
    }
    if (auto r = check_whole(); !r) {
      touched_.restore();
      return r.error();
    }
    members_.finish();
    finish();
    return std::move(result_);
  }

 private:
  void touch(std::string_view key) { touched_.add(key, index_); }
  void finish() {
    touched_.list(result_);
    result_.changed = !result_.changes.empty();
    if (result_.changed) update_schemas(document_, type_);
  }

  /// Attributes of extensions that are required within them, and extensions that are required.
  Result<void> check_whole() const {
    for (const auto& s : touched_.all()) {
      const auto* extension = type_.extension(s.key);
      if (extension == nullptr) continue;
      const auto* v = document_.if_contains(s.key);
      const auto* o = v != nullptr ? v->if_object() : nullptr;
      if (o != nullptr) {
        for (const auto& a : extension->attributes)
          if (a.required && a.mutability != Mutability::read_only && !o->contains(a.name))
            return Error(Errc::invalid_value, "it is required and missing", extension->id + ":" + a.name)
                .within(place_of(s.last));
        continue;
      }
      for (const auto& e : type_.type().extensions)
        if (e.required && iequals(e.schema, s.key))
          return Error(Errc::mutability, "the extension is required and cannot be removed", extension->id)
              .within(place_of(s.last));
    }
    return {};
  }

  Result<void> operation(PatchOperation& op) {
    json::value* value = op.value ? &*op.value : nullptr;
    if (!op.path) return all_of(op.op, *value);
    const auto& path = *op.path;
    if (is_schemas(path)) return schemas(op.op, value);
    const auto r = type_.resolve(path.attr);
    if (!r) {
      if (options_.ignore_unknown) {
        rules_.note(to_string(path.attr) + " is unknown and was ignored");
        return {};
      }
      return unknown_path(path, type_);
    }
    if (r->attribute == nullptr) return whole_schema(op.op, *r, value);
    return attribute(op.op, *r, path.value_filter ? &*path.value_filter : nullptr, value);
  }

  /// Without a path: each member of the value is an attribute.
  Result<void> all_of(Op op, json::value& value) {
    for (auto& m : value.get_object()) {
      if (iequals(m.key(), "schemas")) {
        DEPROV_CHECK(schemas(op, &m.value()));
        continue;
      }
      const auto r = type_.resolve(m.key());
      if (!r || (r->sub != nullptr && m.key().find(':') == json::string::npos)) {
        DEPROV_CHECK(unknown_member(m.key(), m.value(), type_.name()));
        continue;
      }
      if (r->attribute == nullptr) {
        DEPROV_CHECK(whole_schema(op, *r, &m.value()));
        continue;
      }
      if (r->attribute == type_.row_attribute() && m.value().is_null()) continue;  // absent, not empty
      DEPROV_CHECK(attribute(op, *r, nullptr, &m.value()));
    }
    return {};
  }

  Result<void> unknown_member(std::string_view key, const json::value& v, std::string_view of) {
    if (v.is_null()) return {};
    if (!options_.ignore_unknown) return unknown_attribute(Errc::invalid_value, key, of).within("value");
    rules_.note(std::string(key.substr(0, 200)) + " is unknown and was ignored");
    return {};
  }

  Result<void> schemas(Op op, const json::value* value) {
    return patch_schemas(op, value, type_, [this](std::string_view urn, const json::value& v) {
      return unknown_member(urn, v, type_.name());
    });
  }

  Result<void> whole_schema(Op op, const Resolved& r, json::value* value) {
    // RFC 7643 section 2.5: null is no value, so a replace by it leaves none.
    if (op == Op::remove || (op == Op::replace && r.extension && value->is_null())) {
      if (!r.extension) return Error(Errc::mutability, "the core schema cannot be removed", r.schema->id);
      return remove_extension(*r.schema);
    }
    if (value->is_null()) return {};
    auto* o = value->if_object();
    if (o == nullptr)
      return Error(Errc::invalid_value, "expected an object, not " + std::string(kind_name(*value)), r.schema->id);
    for (auto& m : *o) {
      if (names_schema(m.key(), m.value(), *r.schema)) continue;
      const auto* a = r.schema->find(m.key());
      if (a == nullptr && !r.extension) a = type_.attribute(m.key());
      if (a == nullptr) {
        DEPROV_CHECK(unknown_member(m.key(), m.value(), r.schema->id));
        continue;
      }
      DEPROV_CHECK(attribute(op, Resolved{r.schema, r.extension, a, nullptr}, nullptr, &m.value()));
    }
    return {};
  }

  /// What is required is so within the extension: with all of it, it goes as well.
  Result<void> remove_extension(const Schema& schema) {
    for (const auto& a : schema.attributes) {
      const Resolved each{&schema, true, &a, nullptr};
      if (auto kept = immutable_unless_same(a, current(each), nullptr); !kept) return with_urn(each, kept.error());
    }
    auto* v = document_.if_contains(schema.id);
    if (v == nullptr || !v->is_object()) return {};
    touch(std::string_view(schema.id));
    auto& o = v->get_object();
    for (const auto& a : schema.attributes)
      if (a.mutability != Mutability::read_only) o.erase(a.name);
    if (o.empty()) document_.erase(schema.id);
    return {};
  }

  // Where an attribute's value is.
  [[nodiscard]] json::value* current(const Resolved& r) {
    json::object* o = &document_;
    if (r.extension) {
      auto* v = document_.if_contains(r.schema->id);
      o = v != nullptr ? v->if_object() : nullptr;
    }
    return o != nullptr ? o->if_contains(r.attribute->name) : nullptr;
  }
  void touch(const Resolved& r) { touch(std::string_view(r.extension ? r.schema->id : r.attribute->name)); }
  void put(const Resolved& r, json::value&& v) {
    touch(r);
    if (!r.extension) {
      document_.insert_or_assign(r.attribute->name, std::move(v));
      return;
    }
    auto& e = document_[r.schema->id];
    if (!e.is_object()) e.emplace_object();
    e.get_object().insert_or_assign(r.attribute->name, std::move(v));
  }
  Result<void> drop(const Resolved& r) {
    if (current(r) == nullptr) return {};
    if (r.attribute->required)
      return Error(Errc::mutability, "it is required and cannot be removed", r.attribute->name);
    touch(r);
    if (!r.extension) {
      document_.erase(r.attribute->name);
      return {};
    }
    auto& e = document_.at(r.schema->id).get_object();
    e.erase(r.attribute->name);
    if (e.empty()) document_.erase(r.schema->id);
    return {};
  }

  /// Whatever the operation is, and wherever its path leads: an immutable attribute keeps the value it has.
  Result<void> attribute(Op op, const Resolved& r, const Filter* filter, json::value* value) {
    const auto* now = r.attribute->mutability == Mutability::immutable ? current(r) : nullptr;
    std::optional<json::value> before;
    if (now != nullptr) before = *now;
    auto done = change(op, r, filter, value);
    if (done && before) done = immutable_unless_same(*r.attribute, &*before, current(r));
    return done ? done : Result<void>(with_urn(r, done.error()));
  }
  /// Of an extension, as POST names it.
  static Error with_urn(const Resolved& r, const Error& error) {
    if (!r.extension || !error.where().starts_with(r.attribute->name)) return error;
    return Error(error.code(), error.detail(), r.schema->id + ":" + error.where(), error.advice());
  }

  Result<void> change(Op op, const Resolved& r, const Filter* filter, json::value* value) {
    const auto& a = *r.attribute;
    if (&a == type_.row_attribute()) return members_.apply(op, a, r.sub, filter, value);
    if (a.mutability == Mutability::read_only || (r.sub != nullptr && r.sub->mutability == Mutability::read_only))
      return read_only(op, r, value);
    if (filter != nullptr) {
      if (!a.multi_valued)
        return Error(Errc::invalid_path, "a filter in brackets stands behind a single-valued attribute", a.name);
      return values_where(op, r, *filter, value);
    }
    if (op == Op::remove && value != nullptr && !value->is_null()) {
      if (!options_.remove_listed_values)
        return Error(Errc::invalid_value, "a remove operation has no value", name_of(r),
                     a.multi_valued ? "select values by a filter in the path" : "the path says what to remove");
      return a.multi_valued && r.sub == nullptr ? remove_listed(r, *value) : remove_if_same(r, *value);
    }
    if (op == Op::remove || value->is_null()) return r.sub != nullptr ? remove_sub(r) : remove(op, r);
    if (r.sub != nullptr) return set_sub(r, *value);
    if (a.multi_valued) return op == Op::add ? add_values(r, *value) : replace_values(r, *value);
    return set(r, *value);
  }

  /// Saying what is the case already changes nothing; anything else is refused.
  Result<void> read_only(Op op, const Resolved& r, const json::value* value) {
    const auto* now = current(r);
    if (op != Op::remove && value != nullptr && r.sub == nullptr && now != nullptr && *now == *value) return {};
    return Error(Errc::mutability, "it is read-only", name_of(r));
  }
  static std::string name_of(const Resolved& r) {
    return r.attribute->name + (r.sub != nullptr ? "." + r.sub->name : std::string());
  }

  Result<void> immutable_sub(const Attribute& a, const Attribute& sub, const json::value* now,
                             const json::value* next) const {
    auto r = immutable_unless_same(sub, now, next);
    if (!r) return r.error().within(a.name);
    return r;
  }

  Result<void> immutable_unless_same(const Attribute& a, const json::value* now, const json::value* next) const {
    if (a.mutability != Mutability::immutable || now == nullptr) return {};
    if (next != nullptr && *now == *next) return {};
    return Error(Errc::mutability, "it is immutable and has a value already", a.name);
  }

  Result<void> remove(Op op, const Resolved& r) {
    if (op == Op::add) return {};  // adding nothing
    DEPROV_CHECK(immutable_unless_same(*r.attribute, current(r), nullptr));
    return drop(r);
  }

  [[nodiscard]] Result<void> not_stored(const std::string& name) const {
    rules_.note(name + std::string(not_stored_note));
    return {};
  }

  /// A single value: set, or merged if it is complex.
  Result<void> set(const Resolved& r, json::value& value) {
    const auto& a = *r.attribute;
    auto rules = rules_;
    rules.partial = a.type == AttributeType::complex && current(r) != nullptr;
    DEPROV_TRY(keep, store_value(value, a, rules));
    if (a.mutability == Mutability::write_only) return not_stored(a.name);
    if (!keep) return {};
    if (a.required && value.is_string() && is_blank(value.get_string()))
      return Error(Errc::invalid_value, "it is required and cannot be empty", a.name);
    auto* now = current(r);
    DEPROV_CHECK(immutable_unless_same(a, now, &value));
    if (a.type == AttributeType::complex && now != nullptr && now->is_object()) {
      touch(r);
      return merge(a, current(r)->get_object(), value.get_object());
    }
    if (now != nullptr && *now == value) return {};
    put(r, std::move(value));
    return {};
  }

  Result<void> merge(const Attribute& a, json::object& into, json::object& from) {
    for (auto& m : from) {
      const auto* sub = a.find(m.key());
      const auto* now = into.if_contains(m.key());
      if (sub != nullptr) DEPROV_CHECK(immutable_sub(a, *sub, now, &m.value()));
      into.insert_or_assign(m.key(), std::move(m.value()));
    }
    return {};
  }

  /// One sub-attribute of a single complex value, or of all values of a multi-valued one.
  Result<void> set_sub(const Resolved& r, json::value& value) {
    const auto& a = *r.attribute;
    auto stored = store_value(value, *r.sub, rules_);
    if (!stored) return stored.error().within(a.name);
    if (!*stored) return {};
    if (a.mutability == Mutability::write_only || r.sub->mutability == Mutability::write_only)
      return not_stored(a.mutability == Mutability::write_only ? a.name : a.name + "." + r.sub->name);
    auto* now = current(r);
    if (now == nullptr) {
      json::value fresh = json::object{{r.sub->name, value}};
      DEPROV_CHECK(check_required_subs(fresh.get_object(), a));
      if (a.multi_valued) fresh = json::array{std::move(fresh)};
      put(r, std::move(fresh));
      return {};
    }
    touch(r);
    if (auto* o = now->if_object()) {
      DEPROV_CHECK(immutable_sub(a, *r.sub, o->if_contains(r.sub->name), &value));
      o->insert_or_assign(r.sub->name, std::move(value));
      return {};
    }
    auto& values = now->get_array();
    if (r.sub->name == "primary" && is_true(&value) && values.size() > 1)
      return Error(Errc::invalid_value, "only one value can be primary", a.name,
                   "select it by a filter in the path");
    for (auto& e : values)
      if (auto* o = e.if_object()) {
        DEPROV_CHECK(immutable_sub(a, *r.sub, o->if_contains(r.sub->name), &value));
        o->insert_or_assign(r.sub->name, value);
      }
    return {};
  }

  Result<void> remove_sub_of(json::object& o, const Attribute& sub) {
    const auto* now = o.if_contains(sub.name);
    if (now == nullptr) return {};
    if (sub.required) return Error(Errc::mutability, "it is required and cannot be removed", sub.name);
    DEPROV_CHECK(immutable_unless_same(sub, now, nullptr));
    o.erase(sub.name);
    return {};
  }
  Result<void> remove_sub(const Resolved& r) {
    auto* now = current(r);
    if (now == nullptr) return {};
    touch(r);
    if (auto* o = now->if_object()) {
      if (auto e = remove_sub_of(*o, *r.sub); !e) return e.error().within(r.attribute->name);
      return o->empty() ? drop(r) : Result<void>();
    }
    for (auto& e : now->get_array())
      if (auto* o = e.if_object())
        if (auto x = remove_sub_of(*o, *r.sub); !x) return x.error().within(r.attribute->name);
    return drop_empty(r);
  }
  /// Takes values without members out of a list, and the list if nothing is left.
  Result<void> drop_empty(const Resolved& r) {
    auto& values = current(r)->get_array();
    const auto empty = [](const json::value& v) {
      return v.is_null() || (v.is_object() && v.get_object().empty());
    };
    std::size_t kept = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (empty(values[i])) continue;
      if (kept != i) values[kept] = std::move(values[i]);
      ++kept;
    }
    values.resize(kept);
    return kept == 0 ? drop(r) : Result<void>();
  }

  // Multi-valued attributes.

  Result<void> replace_values(const Resolved& r, json::value& value) {
    const auto& a = *r.attribute;
    DEPROV_TRY(keep, store_value(value, a, rules_));
    if (a.mutability == Mutability::write_only) return not_stored(a.name);
    const auto* now = current(r);
    DEPROV_CHECK(immutable_unless_same(a, now, keep ? &value : nullptr));
    if (!keep) return drop(r);
    if (now != nullptr && *now == value) return {};
    put(r, std::move(value));
    return {};
  }

  Result<void> add_values(const Resolved& r, json::value& value) {
    const auto& a = *r.attribute;
    if (!value.is_array()) value = json::array{std::move(value)};
    DEPROV_TRY(keep, store_value(value, a, rules_));
    if (!keep) return {};
    if (a.mutability == Mutability::write_only) return not_stored(a.name);
    if (current(r) == nullptr) {
      put(r, std::move(value));
      return {};
    }
    touch(r);
    auto& values = current(r)->get_array();
    std::optional<std::size_t> primary;
    for (auto& fresh : value.get_array()) {
      const bool is_new_primary = is_primary(fresh);
      const auto at =
          std::find_if(values.begin(), values.end(), [&](const auto& e) { return same_value(e, fresh, a); });
      const auto index = static_cast<std::size_t>(at - values.begin());
      if (at == values.end()) {
        values.push_back(std::move(fresh));
      } else if (fresh.is_object()) {
        // What says which value it is is there already, perhaps in another case.
        fresh.get_object().erase("value");
        fresh.get_object().erase("type");
        DEPROV_CHECK(merge(a, at->get_object(), fresh.get_object()));
      }
      if (is_new_primary) primary = index;
    }
    if (primary) clear_other_primaries(values, *primary);
    return check_count(values.size(), a, rules_.limits);
  }

  /// `remove` with a list of values, as Entra ID sends it for members.
  Result<void> remove_listed(const Resolved& r, json::value& value) {
    const auto& a = *r.attribute;
    DEPROV_TRY(keep, store_value(value, a, rules_));
    auto* now = current(r);
    if (!keep || now == nullptr) return {};
    touch(r);
    for (auto& e : now->get_array())
      if (is_among(e, value.get_array(), a)) e = nullptr;
    return drop_empty(r);
  }
  /// `remove` of a single value, or of a sub-attribute, that says which value it is: like one of a list, it goes
  /// only if it is there.
  Result<void> remove_if_same(const Resolved& r, json::value& value) {
    DEPROV_TRY(named, named_value(r, value));
    auto* now = current(r);
    if (!named || now == nullptr) return {};
    if (r.sub == nullptr) {
      if (!is_named(*now, value, *r.attribute)) return other_value(r);
      return remove(Op::remove, r);
    }
    if (const auto* o = now->if_object()) {
      const auto* v = o->if_contains(r.sub->name);
      if (v == nullptr) return {};
      if (!is_named(*v, value, *r.sub)) return other_value(r);
      return remove_sub(r);
    }
    std::vector<std::size_t> all(now->get_array().size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    return remove_hits_if_same(r, all, value);
  }
  /// False: there is nothing in it to compare with.
  Result<bool> named_value(const Resolved& r, json::value& value) {
    auto rules = rules_;
    rules.partial = true;
    auto stored = store_value(value, *r.leaf(), rules);
    if (!stored) return r.sub != nullptr ? stored.error().within(r.attribute->name) : stored.error();
    return *stored;
  }
  Result<void> other_value(const Resolved& r) {
    rules_.note(name_of(r) + ": it has another value than the one to remove, and keeps it");
    return {};
  }
  Result<void> remove_hits_if_same(const Resolved& r, const std::vector<std::size_t>& hits,
                                   const json::value& value) {
    std::vector<std::size_t> same;
    const auto& values = current(r)->get_array();
    for (const auto i : hits) {
      const auto* o = values[i].if_object();
      const auto* v = o != nullptr ? o->if_contains(r.sub->name) : nullptr;
      if (v != nullptr && is_named(*v, value, *r.sub)) same.push_back(i);
    }
    if (same.empty()) return hits.empty() ? Result<void>() : other_value(r);
    return remove_hits(r, same);
  }

  Result<void> values_where(Op op, const Resolved& r, const Filter& filter, json::value* value) {
    const auto& a = *r.attribute;
    auto matcher = Matcher::compile_values(filter, a);
    if (!matcher) return matcher.error().within("path");
    auto* now = current(r);
    std::vector<std::size_t> hits;
    if (now != nullptr) {
      const auto& values = now->get_array();
      for (std::size_t i = 0; i < values.size(); ++i)
        if (matcher->value(values[i])) hits.push_back(i);
    }
    if (op == Op::remove || value->is_null()) {
      if (hits.empty() || op == Op::add) return {};  // RFC 7644 section 3.5.2.2: success, no change
      if (r.sub != nullptr && value != nullptr && !value->is_null() && options_.remove_listed_values) {
        DEPROV_TRY(named, named_value(r, *value));
        return named ? remove_hits_if_same(r, hits, *value) : Result<void>();
      }
      return remove_hits(r, hits);
    }
    json::value* what = value;
    if (auto* list = value->if_array();
        list != nullptr && list->size() == 1 && (r.sub == nullptr || !r.sub->multi_valued))
      what = &list->front();
    if (hits.empty()) return create_from_filter(op, r, filter, *what);
    return change_hits(op, r, hits, *what);
  }

  Result<void> remove_hits(const Resolved& r, const std::vector<std::size_t>& hits) {
    touch(r);
    auto& values = current(r)->get_array();
    for (const auto i : hits) {
      if (r.sub == nullptr) {
        values[i] = nullptr;
      } else if (auto* o = values[i].if_object()) {
        if (auto e = remove_sub_of(*o, *r.sub); !e) return e.error().within(r.attribute->name);
      }
    }
    return drop_empty(r);
  }

  Result<void> change_hits(Op op, const Resolved& r, const std::vector<std::size_t>& hits, json::value& value) {
    const auto& a = *r.attribute;
    const auto& shape = r.sub != nullptr ? *r.sub : a;
    auto stored = r.sub != nullptr ? store_value(value, shape, rules_) : store_single(value, shape, rules_);
    if (!stored) return r.sub != nullptr ? stored.error().within(a.name) : stored.error();
    if (!*stored) return {};
    const bool primary = r.sub != nullptr ? r.sub->name == "primary" && is_true(&value) : is_primary(value);
    if (primary && hits.size() > 1)
      return Error(Errc::invalid_value,
                   "the filter selects " + std::to_string(hits.size()) + " values to be primary", a.name,
                   "select one");
    touch(r);
    auto& values = current(r)->get_array();
    for (const auto i : hits) {
      auto& e = values[i];
      if (r.sub != nullptr && e.is_object()) {
        auto& o = e.get_object();
        DEPROV_CHECK(immutable_sub(a, *r.sub, o.if_contains(r.sub->name), &value));
        o.insert_or_assign(r.sub->name, value);
      } else if (op == Op::add && e.is_object() && value.is_object()) {
        json::object copy = value.get_object();
        DEPROV_CHECK(merge(a, e.get_object(), copy));
      } else {
        e = value;
      }
    }
    if (primary) clear_other_primaries(values, hits.front());
    return {};
  }

  /// Entra ID: a value path that matches nothing names the value to be made.
  Result<void> create_from_filter(Op op, const Resolved& r, const Filter& filter, json::value& value) {
    const auto& a = *r.attribute;
    json::object fresh;
    const bool may = options_.create_absent_values && (op != Op::replace || options_.create_on_replace);
    if (!may || !equal_terms(filter, a, fresh))
      return Error(Errc::no_target, "no value matches " + a.name + "[" + to_string(filter) + "]", "path",
                   "add the value first");
    if (r.sub != nullptr) {
      fresh.insert_or_assign(r.sub->name, std::move(value));
    } else if (auto* o = value.if_object()) {
      for (auto& m : *o) fresh.insert_or_assign(m.key(), std::move(m.value()));
    } else {
      return wrong_type(a, value, "an object");
    }
    json::value list = json::array{std::move(fresh)};
    result_.created_values = true;
    return add_values(r, list);
  }
  json::object& document_;
  const TypeDef& type_;
  const PatchOptions& options_;
  PatchResult result_;
  ValueRules rules_;
  MemberSteps members_;
  Touched touched_{document_};
  std::size_t index_ = 0;  ///< of the operation that is being applied
};

}  // namespace detail

DEPROV_INLINE Result<void> check_paths(const PatchRequest& patch, const TypeDef& type,
                                       const PatchOptions& options) {
  if (options.ignore_unknown) return {};
  for (std::size_t i = 0; i < patch.operations.size(); ++i) {
    const auto& path = patch.operations[i].path;
    if (path && !detail::is_schemas(*path) && !type.resolve(path->attr))
      return detail::unknown_path(*path, type).within(detail::place_of(i));
  }
  return {};
}

DEPROV_INLINE Result<PatchResult> apply(PatchRequest&& patch, json::object& resource, const TypeDef& type,
                                        const PatchOptions& options, const Limits& limits) {
  return detail::Patcher(resource, type, options, limits).run(std::move(patch));
}

}  // namespace deprov::scim
