#pragma once
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <deprov/idp/dialect.hpp>
#include <deprov/idp/impl/dialect_filter.ipp>
#include <deprov/idp/impl/dialect_values.ipp>
#include <deprov/scim/match.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

class Normalization {
 public:
  Normalization(const Dialect& dialect, RawRequest&& request, const scim::Limits& limits)
      : type_(request.type), limits_(limits), rules_(dialect.rules, out_.fired), request_(std::move(request)) {
    out_.dialect = &dialect;
  }

  Result<NormalRequest> run() {
    const Dialect& given = *out_.dialect;
    if (given.name == "generic") out_.dialect = &detect(request_.headers, request_.query);
    out_.query = query(request_.query);
    if (auto* o = request_.body.if_object()) {
      if (request_.method == Method::patch) {
        DEPROV_CHECK(patch(*o));
      } else if (request_.method == Method::post || request_.method == Method::put) {
        DEPROV_CHECK(resource(*o));
      }
    }
    if (given.name == "generic" && out_.dialect == &given) {
      if (out_.fired.has(RuleId::op_case)) out_.dialect = find_dialect("entra");  // nobody else writes "Replace"
      if (old_urns_) out_.dialect = find_dialect("onelogin");
    }
    out_.body = std::move(request_.body);
    out_.patch_answer = out_.dialect->patch_answer;
    out_.patch_options.create_absent_values = rules_.allow(RuleId::create_absent_values);
    // Nobody else is known to replace what is not there, and the RFC has a word for it.
    out_.patch_options.create_on_replace = out_.dialect->name == "entra";
    out_.patch_options.remove_listed_values = rules_.allow(RuleId::remove_listed_values);
    out_.leniency = rules_.allow(RuleId::unknown_attributes) ? scim::Leniency::tolerant : scim::Leniency::strict;
    return std::move(out_);
  }

 private:
  // Queries.
  std::string query(std::string_view raw) {
    std::string kept(raw);
    if (raw.find(' ') != std::string_view::npos) (void)rules_.use(RuleId::raw_spaces);
    if (raw.find("ilter") == std::string_view::npos && raw.find("ILTER") == std::string_view::npos) return kept;
    auto pairs = scim::parse_query_pairs(raw, limits_);
    if (!pairs) return kept;
    bool changed = false;
    int filters = 0;
    for (auto& [key, value] : *pairs) {
      if (!scim::iequals(key, "filter")) continue;
      ++filters;
      auto read = FilterRules(rules_, type_, limits_).filter(value);
      if (read && read->changed) {
        value = scim::to_string(read->filter);
        changed = true;
      }
      if (read) out_.filter = std::move(read->filter);
    }
    if (filters > 1) out_.filter.reset();
    if (!changed) return kept;
    kept.clear();
    for (const auto& [key, value] : *pairs) {
      if (!kept.empty()) kept.push_back('&');
      percent_encode(key, kept);
      kept.push_back('=');
      percent_encode(value, kept);
    }
    return kept;
  }

  // Resources: POST and PUT.
  Result<void> resource(json::object& body) {
    if (request_.search || is_search(body)) {
      out_.filter.reset();
      if (auto* f = scim::find(body, "filter"); f != nullptr && f->is_string()) {
        const auto read = FilterRules(rules_, type_, limits_).filter(f->get_string());
        if (read && read->changed) *f = scim::to_string(read->filter);
      }
      return {};
    }
    if (type_ == nullptr) return {};
    rename_extensions(body);
    resource_schemas(body);
    std::vector<std::string> flat;
    for (auto& m : body) {
      if (scim::iequals(m.key(), "schemas")) continue;
      attribute_of(m.key(), m.value());
      if (is_flat(m.key())) flat.emplace_back(m.key());
    }
    for (const auto& key : flat) {
      if (!rules_.use(RuleId::flat_keys)) continue;
      json::value v = std::move(body.at(key));
      body.erase(key);
      if (!v.is_null()) DEPROV_CHECK(into_object(key, std::move(v), *type_->resolve(key), body));
    }
    return {};
  }

  /// `name.givenName`: a sub-attribute of a single value as a key of its own.
  bool is_flat(std::string_view key) const {
    if (key.find('.') == std::string_view::npos || key.find_first_of("[:") != std::string_view::npos) return false;
    const auto r = type_->resolve(key);
    return r && r->sub != nullptr && !r->attribute->multi_valued && !r->extension;
  }

  static bool is_search(const json::object& body) {
    const auto* schemas = scim::find(body, "schemas");
    const auto* list = schemas != nullptr ? schemas->if_array() : nullptr;
    if (list == nullptr) return false;
    for (const auto& e : *list)
      if (e.is_string() && scim::iequals(e.get_string(), scim::search_request_urn)) return true;
    return false;
  }

  void resource_schemas(json::object& body) {
    auto* schemas = scim::find(body, "schemas");
    auto* list = schemas != nullptr ? schemas->if_array() : nullptr;
    // One URN without its brackets says what is meant; other text says nothing, and is refused behind us.
    const auto* text = schemas != nullptr ? schemas->if_string() : nullptr;
    const bool one =
        text != nullptr && (known_schema(*type_, *text) != nullptr || meant_schema(*type_, *text) != nullptr);
    if (list == nullptr && (schemas == nullptr || schemas->is_null() || one)) {
      if (!rules_.use(RuleId::missing_schemas)) return;
      json::array made;
      if (one) made.push_back(*schemas);
      auto& slot = schemas != nullptr ? *schemas : body["schemas"];
      slot = std::move(made);
      list = &slot.get_array();
    }
    if (list == nullptr) return;
    bool core = false;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < list->size(); ++i) {
      auto& e = (*list)[i];
      if (e.is_string()) {
        const std::string_view urn = e.get_string();
        const auto* known = known_schema(*type_, urn);
        if (known == nullptr) {
          known = meant_schema(*type_, urn);
          old_urns_ = old_urns_ || is_old_urn(urn);
          if (known != nullptr && rules_.use(RuleId::schema_urns)) {
            e = known->id;
          } else if (known == nullptr && rules_.use(RuleId::unknown_schemas)) {
            continue;
          }
        }
        core = core || known == &type_->core();
      }
      if (kept != i) (*list)[kept] = std::move(e);
      ++kept;
    }
    list->resize(kept);
    if (!core && rules_.use(RuleId::missing_schemas)) list->emplace_back(type_->core().id);
  }

  /// Objects under a URN that only means an extension's.
  void rename_extensions(json::object& body) {
    std::vector<std::pair<std::string, std::string>> renamed;
    for (const auto& m : body) {
      const std::string_view key = m.key();
      if (key.find(':') == std::string_view::npos || type_->resolve(key)) continue;
      if (auto better = meant_name(*type_, key)) renamed.emplace_back(key, std::move(*better));
    }
    for (auto& [from, to] : renamed) {
      if (body.contains(to) || !rules_.use(RuleId::schema_urns)) continue;
      json::value v = std::move(body.at(from));
      body.erase(from);
      body.emplace(to, std::move(v));
    }
  }

  /// Under a member's name: an attribute, or an extension with attributes.
  void attribute_of(std::string_view key, json::value& v) {
    if (const auto* a = type_->attribute(key)) return whole(v, *a);
    const auto r = type_->resolve(key);
    if (!r) return unknown(v);
    if (r->sub != nullptr) return ValueRules(rules_, limits_).leaf(v, *r);
    if (r->attribute != nullptr) return whole(v, *r->attribute);
    if (auto* o = v.if_object())
      for (auto& m : *o) {
        if (const auto* a = r->schema->find(m.key())) {
          whole(m.value(), *a);
        } else {
          unknown(m.value());
        }
      }
  }
  void whole(json::value& v, const scim::Attribute& a) {
    if (&a == type_->row_attribute()) return;
    if (is_empty_text(v, a) && rules_.use(RuleId::empty_text_removes)) {
      v = nullptr;
      return;
    }
    ValueRules values(rules_, limits_);
    values.attribute(v, a);
    if (request_.method != Method::patch && values.has_unknown(v, a)) rules_.use(RuleId::unknown_attributes);
  }
  /// In a PATCH it is refused behind us.
  void unknown(const json::value& v) {
    if (!v.is_null() && request_.method != Method::patch) rules_.use(RuleId::unknown_attributes);
  }

  // PATCH.
  Result<void> patch(json::object& body) {
    if (is_scim_1_patch(body) && rules_.use(RuleId::scim_1_patch)) DEPROV_CHECK(scim_1_patch(body));
    patch_schemas(body);
    for (const std::string_view name : {"id", "meta"})
      if (scim::find(body, name) != nullptr && rules_.use(RuleId::read_only_echo)) erase(body, name);
    auto* list = scim::find(body, "Operations");
    auto* operations = list != nullptr ? list->if_array() : nullptr;
    if (operations == nullptr || operations->size() > limits_.max_operations) return {};
    std::vector<std::pair<std::size_t, json::value>> split;  // made of operation i, to stand behind it
    for (std::size_t i = 0; i < operations->size(); ++i) {
      auto* o = (*operations)[i].if_object();
      if (o == nullptr) continue;
      if (auto r = operation(*o, i, split); !r) return r.error().within("Operations[" + std::to_string(i) + "]");
    }
    if (split.empty()) return {};
    json::array all;
    all.reserve(operations->size() + split.size());
    auto next = split.begin();
    for (std::size_t i = 0; i < operations->size(); ++i) {
      auto& op = (*operations)[i];
      const bool follows = next != split.end() && next->first == i;
      const auto* value = op.is_object() ? scim::find(op.get_object(), "value") : nullptr;
      const bool emptied = follows && value != nullptr && value->is_object() && value->get_object().empty();
      if (!emptied) all.push_back(std::move(op));
      for (; next != split.end() && next->first == i; ++next) all.push_back(std::move(next->second));
    }
    *operations = std::move(all);
    return {};
  }

  bool is_scim_1_patch(const json::object& body) const {
    if (type_ == nullptr || scim::find(body, "Operations") != nullptr) return false;
    const auto* schemas = scim::find(body, "schemas");
    const auto* list = schemas != nullptr ? schemas->if_array() : nullptr;
    return list != nullptr && std::any_of(list->begin(), list->end(), [](const auto& e) {
             return e.is_string() && is_old_urn(e.get_string());
           });
  }

  /// SCIM 1.1, section 3.3.2: what `meta.attributes` names goes, single values are replaced, and values are added
  /// to lists or taken from them.
  Result<void> scim_1_patch(json::object& body) {
    old_urns_ = true;
    json::array operations;
    const auto operation = [&](std::string_view op, std::string_view path, json::value value) {
      operations.push_back(json::object{{"op", op}, {"path", path}, {"value", std::move(value)}});
    };
    rename_extensions(body);
    if (const auto* meta = scim::find(body, "meta"); meta != nullptr && meta->is_object())
      if (const auto* gone = scim::find(meta->get_object(), "attributes"); gone != nullptr && gone->is_array())
        for (const auto& name : gone->get_array())
          if (name.is_string()) operations.push_back(json::object{{"op", "remove"}, {"path", name}});
    for (auto& m : body) {
      const std::string_view key = m.key();
      if (scim::iequals(key, "schemas") || scim::iequals(key, "meta") || scim::iequals(key, "id")) continue;
      auto* list = m.value().if_array();
      if (list == nullptr) {
        operation("replace", key, std::move(m.value()));
        continue;
      }
      json::array added;
      for (auto& e : *list) {
        auto* o = e.if_object();
        const auto* what = o != nullptr ? scim::find(*o, "operation") : nullptr;
        if (what == nullptr) {
          added.push_back(std::move(e));
          continue;
        }
        const auto* value = scim::find(*o, "value");
        if (!what->is_string() || !scim::iequals(what->get_string(), "delete") || value == nullptr)
          return Error(Errc::invalid_value, "an operation on a value is \"delete\", with the value that goes",
                       std::string(key), "see section 3.3.2 of SCIM 1.1, or send a PatchOp of SCIM 2.0");
        std::string path(key);
        path.append("[value eq ").append(json::serialize(*value)).append("]");
        operations.push_back(json::object{{"op", "remove"}, {"path", path}});
      }
      if (!added.empty()) operation("add", key, std::move(added));
    }
    body = json::object{{"schemas", json::array{json::value(scim::patch_op_urn)}},
                        {"Operations", std::move(operations)}};
    return {};
  }

  /// `/name/givenName` of JSON Patch, where it comes to a path.
  void without_slashes(json::value& path) {
    std::string text(path.get_string());
    if (!text.starts_with('/') || text.find_first_of("[:") != std::string::npos) return;
    text.erase(0, 1);
    std::replace(text.begin(), text.end(), '/', '.');
    if (target(text) && rules_.use(RuleId::slash_paths)) path = text;
  }

  void patch_schemas(json::object& body) {
    auto* schemas = scim::find(body, "schemas");
    auto* list = schemas != nullptr ? schemas->if_array() : nullptr;
    const auto* text = schemas != nullptr ? schemas->if_string() : nullptr;
    const bool one = text != nullptr && scim::iequals(*text, scim::patch_op_urn);  // without its brackets
    if (schemas == nullptr || schemas->is_null() || (list != nullptr && list->empty()) || one) {
      auto& slot = schemas != nullptr ? *schemas : body["schemas"];
      if (rules_.use(RuleId::missing_schemas)) slot = json::array{json::value(scim::patch_op_urn)};
      return;
    }
    if (list == nullptr) return;
    for (auto& e : *list) {
      if (!e.is_string()) continue;
      const std::string_view urn = e.get_string();
      if (scim::iequals(urn, scim::patch_op_urn)) return;
      if (squeezed(urn) != squeezed(scim::patch_op_urn) &&
          !scim::iequals(urn, "urn:scim:api:messages:2.0:PatchOp"))
        continue;
      if (rules_.use(RuleId::schema_urns)) e = scim::patch_op_urn;
      return;
    }
  }

  Result<void> operation(json::object& o, std::size_t at,
                         std::vector<std::pair<std::size_t, json::value>>& split) {
    auto* op = scim::find(o, "op");
    if (op == nullptr || !op->is_string()) return {};
    std::string_view word;
    for (const std::string_view known : {"add", "remove", "replace"})
      if (scim::iequals(op->get_string(), known)) word = known;
    if (word.empty()) return {};  // nobody's operation: refused behind us
    if (op->get_string() != word && rules_.use(RuleId::op_case)) *op = word;
    if (const auto* name = scim::find(o, "name");
        name != nullptr && name->is_string() && rules_.use(RuleId::operation_name))
      erase(o, "name");

    auto* path = scim::find(o, "path");
    if (path != nullptr && path->is_string() && path->get_string().empty() && rules_.use(RuleId::empty_path)) {
      *path = nullptr;
      path = nullptr;
    }
    auto* value = scim::find(o, "value");
    if (type_ == nullptr) return {};
    if (path != nullptr && !path->is_null())
      return path->is_string() ? with_path(o, *path, value, *scim::find(o, "op"), word) : Result<void>();
    if (value == nullptr) return {};
    if (value->is_object()) return without_path(value->get_object(), word, at, split);
    auto* list = value->if_array();
    const bool objects = list != nullptr && !list->empty() && word != "remove" &&
                         std::all_of(list->begin(), list->end(), [](const auto& e) { return e.is_object(); });
    if (!objects || !rules_.use(RuleId::value_list)) return {};
    auto all = std::move(*list);
    for (auto& e : all) {
      std::vector<std::pair<std::size_t, json::value>> behind;
      auto each = e.get_object();
      DEPROV_CHECK(without_path(each, word, at, behind));
      if (!each.empty() || behind.empty())
        split.emplace_back(at, json::object{{"op", word}, {"value", std::move(each)}});
      for (auto& b : behind) split.push_back(std::move(b));
    }
    *value = json::object{};
    return {};
  }

  /// The attribute that a path names, brackets or not.
  std::optional<scim::Resolved> target(std::string_view path) const {
    const auto open = path.find('[');
    auto r = type_->resolve(path.substr(0, open));
    if (!r || open == std::string_view::npos || r->attribute == nullptr) return r;
    const auto close = path.rfind(']');
    if (close == std::string_view::npos || close + 1 >= path.size() || path[close + 1] != '.') return r;
    r->sub = r->attribute->find(path.substr(close + 2));
    return r->sub != nullptr ? r : std::nullopt;
  }

  Result<void> with_path(json::object& o, json::value& path, json::value* value, json::value& op,
                         std::string_view word) {
    without_slashes(path);
    auto r = target(path.get_string());
    if (!r) {
      if (auto better = meant_name(*type_, path.get_string()); better && rules_.use(RuleId::schema_urns)) {
        path = *better;
        r = target(path.get_string());
      }
    }
    if (!r) return {};
    if (path.get_string().find('[') != json::string::npos)
      if (auto better = FilterRules(rules_, type_, limits_).path(path.get_string(), *r)) path = *better;
    if (value == nullptr) return {};
    if (r->attribute == nullptr) {  // a whole extension, by its URN
      if (word != "remove") attribute_of(path.get_string(), *value);
      return {};
    }
    const bool filtered = path.get_string().find('[') != json::string::npos;
    const bool many = r->leaf()->multi_valued && !filtered;
    if (word == "remove") {
      if (value->is_null()) return {};
      if (many) {
        rules_.use(RuleId::remove_listed_values);
      } else if (rules_.allow(RuleId::remove_listed_values)) {
        if (!filtered && says_nothing(*value, *r->leaf())) {
          if (!rules_.use(RuleId::empty_text_removes)) rules_.use(RuleId::remove_listed_values);
          erase(o, "value");
          return {};
        }
        rules_.use(RuleId::remove_listed_values);
        if (filtered && r->sub == nullptr) {  // the path has said already what there is to remove
          DEPROV_CHECK(same_said_twice(path.get_string(), *value, *r->attribute));
          erase(o, "value");
          return {};
        }
      } else if (filtered && r->sub == nullptr) {
        DEPROV_CHECK(same_said_twice(path.get_string(), *value, *r->attribute));
      }
    }
    if (r->attribute == type_->row_attribute()) return {};
    if (word != "remove" && !many && r->sub == nullptr && is_empty_text(*value, *r->leaf()) &&
        rules_.use(RuleId::empty_text_removes)) {
      op = "remove";
      erase(o, "value");
      return {};
    }
    if (filtered && r->sub == nullptr) {
      ValueRules(rules_, limits_).single(*value, *r->attribute);
    } else {
      ValueRules(rules_, limits_).leaf(*value, *r);
    }
    return {};
  }

  /// The value of a `remove` that names none.
  static bool says_nothing(const json::value& v, const scim::Attribute& a) noexcept {
    if (const auto* s = v.if_string()) return s->empty();
    if (const auto* list = v.if_array(); list != nullptr && list->empty()) return true;
    return is_empty_text(v, a);
  }

  /// `members[value eq "a"]` with the value `[{"value":"b"}]` names two people: nobody can tell who is meant.
  Result<void> same_said_twice(std::string_view text, const json::value& value, const scim::Attribute& a) const {
    const auto path = scim::parse_path(text, limits_);
    if (!path || !path->value_filter) return {};  // refused behind us
    const auto matcher = scim::Matcher::compile_values(*path->value_filter, a);
    if (!matcher) return {};
    const auto check = [&](const json::value& v) -> Result<void> {
      const json::value named = v.is_string() ? json::value(json::object{{"value", v}}) : v;
      if (matcher->value(named)) return {};
      return Error(Errc::invalid_value, "the value names other " + a.name + " than the path does", "value",
                   "say what to remove once: by a filter in the path, or by a list of values");
    };
    const auto* list = value.if_array();
    if (list == nullptr) return check(value);
    for (const auto& e : *list) DEPROV_CHECK(check(e));
    return {};
  }

  static void erase(json::object& o, std::string_view name) {
    for (auto at = o.begin(); at != o.end(); ++at) {
      if (!scim::iequals(at->key(), name)) continue;
      o.erase(at);
      return;
    }
  }

  Result<void> without_path(json::object& value, std::string_view word, std::size_t at,
                            std::vector<std::pair<std::size_t, json::value>>& split) {
    rename_extensions(value);
    std::vector<std::string> gone;
    std::vector<std::string> flat;
    std::vector<std::string> silent;
    std::vector<const scim::Attribute*> named;
    for (auto& m : value) {
      const std::string_view key = m.key();
      if (scim::iequals(key, "schemas")) continue;
      const bool plain = key.find_first_of(".[:") == std::string_view::npos;
      const auto r = plain || key.find('[') == std::string_view::npos ? type_->resolve(key) : target(key);
      if (!r) continue;
      if (key.find('[') == std::string_view::npos && r->leaf() != nullptr) {
        if (std::find(named.begin(), named.end(), r->leaf()) != named.end()) return twice(key);
        named.push_back(r->leaf());
      }
      if (!plain && (key.find('[') != std::string_view::npos ||
                     (r->sub != nullptr && key.find(':') == std::string_view::npos))) {
        flat.emplace_back(key);
        continue;
      }
      if (r->attribute == nullptr) {
        attribute_of(key, m.value());
        continue;
      }
      if (r->leaf()->mutability == scim::Mutability::read_only) {
        gone.emplace_back(key);
        continue;
      }
      if (r->attribute == type_->row_attribute()) {
        if (m.value().is_null()) silent.emplace_back(key);
        continue;
      }
      if (r->sub == nullptr && is_empty_text(m.value(), *r->leaf()) && rules_.use(RuleId::empty_text_removes)) {
        m.value() = nullptr;
        continue;
      }
      ValueRules(rules_, limits_).leaf(m.value(), *r);
    }
    // Nothing else in the value: then it was sent for their sake, and is no echo.
    if (gone.size() < value.size() || named_by_id(value, gone))
      for (const auto& key : gone)
        if (rules_.use(RuleId::read_only_echo)) value.erase(key);
    for (const auto& key : silent)
      if (rules_.use(RuleId::null_members)) value.erase(key);
    for (const auto& key : flat) {
      if (!rules_.use(RuleId::flat_keys)) continue;
      json::value v = std::move(value.at(key));
      value.erase(key);
      DEPROV_CHECK(unflatten(key, std::move(v), value, word, at, split));
    }
    return {};
  }
  static bool named_by_id(const json::object& value, const std::vector<std::string>& keys) {
    return keys.size() == value.size() && std::all_of(keys.begin(), keys.end(), [](const auto& k) {
             return scim::iequals(k, "id") || scim::iequals(k, "meta");
           });
  }
  static Error twice(std::string_view key) {
    return Error(Errc::invalid_value, "the value names the attribute twice", std::string(key), "say it once");
  }

  /// `name.givenName` goes into the object `name`; what has brackets becomes an operation of its own.
  Result<void> unflatten(const std::string& key, json::value&& v, json::object& value, std::string_view word,
                         std::size_t at, std::vector<std::pair<std::size_t, json::value>>& split) {
    const auto r = target(key);
    if (!r) return {};
    if (key.find('[') != std::string::npos || r->attribute->multi_valued || r->extension) {
      json::object made{{"op", word}, {"path", key}, {"value", std::move(v)}};
      auto& path = made.at("path");
      auto& op = made.at("op");
      DEPROV_CHECK(with_path(made, path, &made.at("value"), op, word));
      split.emplace_back(at, std::move(made));
      return {};
    }
    return into_object(key, std::move(v), *r, value);
  }

  /// Sets a sub-attribute in the object that the value has, or gets, under the attribute's name.
  Result<void> into_object(const std::string& key, json::value&& v, const scim::Resolved& r, json::object& value) {
    ValueRules(rules_, limits_).leaf(v, r);
    auto* slot = scim::find(value, r.attribute->name);
    if (slot == nullptr) slot = &value[r.attribute->name];
    if (slot->is_null()) slot->emplace_object();
    auto* o = slot->if_object();
    const auto* present = o != nullptr ? scim::find(*o, r.sub->name) : nullptr;
    if (o == nullptr || (present != nullptr && *present != v))
      return Error(Errc::invalid_value, "the value says two things about " + r.attribute->name, key,
                   "say it once");
    if (present == nullptr) o->emplace(r.sub->name, std::move(v));
    return {};
  }

  const scim::TypeDef* type_;
  const scim::Limits& limits_;
  NormalRequest out_;
  ActiveRules rules_;
  RawRequest request_;
  bool old_urns_ = false;
};

}  // namespace detail

DEPROV_INLINE Result<NormalRequest> normalize(const Dialect& dialect, RawRequest&& request,
                                              const scim::Limits& limits) {
  return detail::Normalization(dialect, std::move(request), limits).run();
}

}  // namespace deprov::idp
