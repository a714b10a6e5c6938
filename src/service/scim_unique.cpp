#include "service/scim_unique.hpp"
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <deprov/scim/fold.hpp>
#include <iterator>
#include <string>
#include <utility>
#include "service/scim_rows.hpp"

namespace deprov::service {

namespace {

constexpr std::size_t max_value_bytes = 1024;
constexpr char separator = '\x1f';

bool in_own_index(const scim::TypeDef& type, const scim::Resolved& r) noexcept {
  return !r.extension && r.sub == nullptr && r.attribute->name == "userName" && indexed_keys(type).user_name;
}

std::string attribute_name(const scim::Resolved& r) {
  std::string out = r.extension ? r.schema->id + ":" : std::string();
  out += r.attribute->name;
  if (r.sub != nullptr) out += "." + r.sub->name;
  return out;
}

/// A value as its key holds it; the attribute says whether its case counts.
std::string key_value(const scim::Resolved& r, const json::value& v) {
  const auto* text = v.if_string();
  if (text == nullptr) return json::serialize(v);
  return r.leaf()->case_exact ? std::string(*text) : scim::fold(*text);
}

std::string key_of(const scim::TypeDef& type, const scim::Resolved& r, const json::value& v) {
  return type.name() + separator + attribute_name(r) + separator + key_value(r, v);
}

/// Whether equal values have equal keys: of numbers and times there are many spellings.
bool compares_by_key(const scim::Resolved& r, const json::value& literal) noexcept {
  using T = scim::AttributeType;
  const auto type = r.leaf()->type;
  return literal.is_string() && !literal.get_string().empty() && literal.get_string().size() <= max_value_bytes &&
         (type == T::string || type == T::reference);
}

class Collector {
 public:
  Collector(const scim::TypeDef& type, std::vector<engine::UniqueKey>& out) : type_(type), out_(out) {}

  Result<void> run(const scim::Resolved& r, const json::object& document) {
    const json::object* from = &document;
    if (r.extension) {
      const auto* e = document.if_contains(r.schema->id);
      from = e != nullptr ? e->if_object() : nullptr;
    }
    const auto* v = from != nullptr ? from->if_contains(r.attribute->name) : nullptr;
    if (v == nullptr) return {};
    if (const auto* list = v->if_array()) {
      for (const auto& e : *list) DEPROV_CHECK(one(r, e));
      return {};
    }
    return one(r, *v);
  }

 private:
  Result<void> one(const scim::Resolved& r, const json::value& v) {
    if (r.sub == nullptr) return add(r, v);
    const auto* o = v.if_object();
    const auto* inner = o != nullptr ? o->if_contains(r.sub->name) : nullptr;
    return inner != nullptr ? add(r, *inner) : Result<void>();
  }

  Result<void> add(const scim::Resolved& r, const json::value& v) {
    const auto* text = v.if_string();
    const auto bytes = text != nullptr ? text->size() : json::serialize(v).size();
    if (bytes > max_value_bytes)
      return Error(Errc::invalid_value,
                   "a unique value has at most " + std::to_string(max_value_bytes) + " bytes, and this one " +
                       std::to_string(bytes),
                   attribute_name(r));
    engine::UniqueKey key;
    key.key = key_of(type_, r, v);
    key.attribute = attribute_name(r);
    if (std::find(out_.begin(), out_.end(), key) == out_.end()) out_.push_back(std::move(key));
    return {};
  }

  const scim::TypeDef& type_;
  std::vector<engine::UniqueKey>& out_;
};

}  // namespace

bool has_unique_keys(const scim::TypeDef& type) noexcept {
  const auto all = type.unique();
  return std::any_of(all.begin(), all.end(), [&](const auto& r) { return !in_own_index(type, r); });
}

Result<std::vector<engine::UniqueKey>> unique_keys(const scim::TypeDef& type, const json::object& document) {
  std::vector<engine::UniqueKey> out;
  Collector collector(type, out);
  for (const auto& r : type.unique())
    if (!in_own_index(type, r)) DEPROV_CHECK(collector.run(r, document));
  return out;
}

namespace {
constexpr std::size_t max_filter_keys = 100;
}  // namespace

// NOLINTNEXTLINE(misc-no-recursion): as deep as the filter, which has a bound
std::optional<std::vector<std::string>> unique_keys_of(const scim::Filter& filter, const scim::TypeDef& type,
                                                       scim::UnknownAttribute unknown) {
  using Kind = scim::Filter::Kind;
  std::vector<std::string> out;
  if (filter.kind == Kind::all_of) {
    std::optional<std::vector<std::string>> best;
    for (const auto& o : filter.operands) {
      auto keys = unique_keys_of(o, type, unknown);
      if (keys && (!best || keys->size() < best->size())) best = std::move(keys);
    }
    return best;
  }
  if (filter.kind == Kind::any_of) {
    for (const auto& o : filter.operands) {
      auto keys = unique_keys_of(o, type, unknown);
      if (!keys || out.size() + keys->size() > max_filter_keys) return std::nullopt;
      std::move(keys->begin(), keys->end(), std::back_inserter(out));
    }
    return out;
  }
  if (filter.kind != Kind::compare || filter.op != scim::CompareOp::eq) return std::nullopt;
  auto r = type.resolve(filter.attr);
  if (!r)
    return unknown == scim::UnknownAttribute::no_value && !filter.value.is_null() ? std::optional(out)
                                                                                  : std::nullopt;
  if (r->attribute == nullptr) return std::nullopt;
  // A complex attribute is compared by its `value`.
  if (r->sub == nullptr && r->attribute->type == scim::AttributeType::complex)
    r->sub = r->attribute->find("value");
  if (r->leaf()->type == scim::AttributeType::complex || !compares_by_key(*r, filter.value)) return std::nullopt;
  const auto all = type.unique();
  const bool unique = std::any_of(all.begin(), all.end(), [&](const scim::Resolved& u) {
    return u.schema == r->schema && u.attribute == r->attribute && u.sub == r->sub && !in_own_index(type, u);
  });
  if (!unique) return std::nullopt;
  out.push_back(key_of(type, *r, filter.value));
  return out;
}

Result<void> move_keys(engine::Effect& effect, port::Reader& reader, const port::Scope& scope, ResourceId owner,
                       const std::vector<engine::UniqueKey>& before, const std::vector<engine::UniqueKey>& after) {
  const auto missing_in = [](const std::vector<engine::UniqueKey>& all, const engine::UniqueKey& key) {
    return std::find(all.begin(), all.end(), key) == all.end();
  };
  for (const auto& key : before)
    if (missing_in(after, key)) effect.released.push_back(key);
  for (const auto& key : after) {
    if (!missing_in(before, key)) continue;
    DEPROV_TRY(holder, reader.key_owner(scope, key.key));
    if (holder && *holder != owner)
      return Error(Errc::uniqueness, "it is taken by another resource of the type", key.attribute,
                   "look it up by a filter and change that one");
    effect.claimed.push_back(key);
  }
  return {};
}

}  // namespace deprov::service
