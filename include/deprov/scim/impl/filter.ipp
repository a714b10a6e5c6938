#pragma once
#include <deprov/scim/filter.hpp>
#include <deprov/scim/schema.hpp>
#include <utility>

namespace deprov::scim {

DEPROV_INLINE std::string_view to_string(CompareOp op) noexcept {
  switch (op) {
    case CompareOp::eq: return "eq";
    case CompareOp::ne: return "ne";
    case CompareOp::co: return "co";
    case CompareOp::sw: return "sw";
    case CompareOp::ew: return "ew";
    case CompareOp::gt: return "gt";
    case CompareOp::ge: return "ge";
    case CompareOp::lt: return "lt";
    case CompareOp::le: return "le";
  }
  return "eq";
}

namespace detail {

inline void print_filter(const Filter& f, std::string& out) {
  const auto join = [&](std::string_view word) {
    bool first = true;
    for (const auto& o : f.operands) {
      if (!first) out.append(" ").append(word).append(" ");
      first = false;
      const bool brackets = f.kind == Filter::Kind::all_of && o.kind == Filter::Kind::any_of;
      if (brackets) out.push_back('(');
      print_filter(o, out);
      if (brackets) out.push_back(')');
    }
  };
  switch (f.kind) {
    case Filter::Kind::compare:
      out += to_string(f.attr);
      out.append(" ").append(to_string(f.op)).append(" ");
      out += json::serialize(f.value);
      break;
    case Filter::Kind::present:
      out += to_string(f.attr);
      out += " pr";
      break;
    case Filter::Kind::all_of: join("and"); break;
    case Filter::Kind::any_of: join("or"); break;
    case Filter::Kind::negate:
      out += "not (";
      for (const auto& o : f.operands) print_filter(o, out);
      out.push_back(')');
      break;
    case Filter::Kind::value_path:
      out += to_string(f.attr);
      out.push_back('[');
      for (const auto& o : f.operands) print_filter(o, out);
      out.push_back(']');
      break;
  }
}

/// Of core attributes: without a URN, or with the one of User or Group.
inline bool names_core(const AttrPath& p, std::string_view attribute) noexcept {
  return iequals(p.attribute, attribute) &&
         (p.schema.empty() || iequals(p.schema, user_urn) || iequals(p.schema, group_urn));
}

inline std::optional<IndexedTerm> indexed_comparison(const Filter& f) {
  if (f.kind != Filter::Kind::compare || !f.value.is_string() || f.value.get_string().empty()) return std::nullopt;
  const auto term = [&](IndexedField field) {
    return IndexedTerm{field, f.op, std::string(f.value.get_string()), std::nullopt};
  };
  if (names_core(f.attr, "meta") && iequals(f.attr.sub, "lastModified")) {
    if (f.op == CompareOp::eq || f.op >= CompareOp::gt) return term(IndexedField::last_modified);
    return std::nullopt;
  }
  if (f.op != CompareOp::eq) return std::nullopt;
  if (f.attr.sub.empty()) {
    if (names_core(f.attr, "id")) return term(IndexedField::id);
    if (names_core(f.attr, "externalId")) return term(IndexedField::external_id);
    if (names_core(f.attr, "userName")) return term(IndexedField::user_name);
    if (names_core(f.attr, "displayName")) return term(IndexedField::display_name);
  }
  if (f.attr.sub.empty() || iequals(f.attr.sub, "value")) {
    if (names_core(f.attr, "emails")) return term(IndexedField::email);
    if (names_core(f.attr, "members")) return term(IndexedField::member);
    if (names_core(f.attr, "groups")) return term(IndexedField::group);
  }
  return std::nullopt;
}

/// The term of one conjunct; `rest` is set where the index answers with more than what matches.
inline std::optional<IndexedTerm> indexed_conjunct(const Filter& f) {
  if (f.kind == Filter::Kind::compare) return indexed_comparison(f);
  if (f.kind != Filter::Kind::value_path || f.operands.size() != 1) return std::nullopt;
  const Filter& inner = f.operands.front();
  const bool alone = inner.kind == Filter::Kind::compare;
  if (!alone && inner.kind != Filter::Kind::all_of) return std::nullopt;
  const auto look = [&](const Filter& c) -> std::optional<IndexedTerm> {
    if (c.kind != Filter::Kind::compare || !iequals(c.attr.attribute, "value") || !c.attr.sub.empty() ||
        !c.attr.schema.empty())
      return std::nullopt;
    Filter as_compare = c;
    as_compare.attr = f.attr;
    auto t = indexed_comparison(as_compare);
    if (t && t->field != IndexedField::email && t->field != IndexedField::member &&
        t->field != IndexedField::group)
      return std::nullopt;
    return t;
  };
  if (alone) return look(inner);
  for (const auto& o : inner.operands) {
    if (auto t = look(o)) {
      t->rest = f;
      return t;
    }
  }
  return std::nullopt;
}

}  // namespace detail

DEPROV_INLINE std::string to_string(const Filter& filter) {
  std::string out;
  detail::print_filter(filter, out);
  return out;
}

DEPROV_INLINE bool mentions(const Filter& filter, std::string_view attribute) noexcept {
  if (iequals(filter.attr.attribute, attribute)) return true;
  if (filter.kind == Filter::Kind::value_path) return false;  // within it stand sub-attributes
  for (const auto& o : filter.operands)
    if (mentions(o, attribute)) return true;
  return false;
}

DEPROV_INLINE std::optional<IndexedTerm> indexable(const Filter& filter) {
  if (filter.kind != Filter::Kind::all_of) return detail::indexed_conjunct(filter);
  std::optional<IndexedTerm> best;
  std::size_t best_at = 0;
  for (std::size_t i = 0; i < filter.operands.size(); ++i) {
    auto t = detail::indexed_conjunct(filter.operands[i]);
    if (!t || (best && best->field <= t->field)) continue;
    best = std::move(t);
    best_at = i;
  }
  if (!best) return best;
  Filter rest;
  rest.kind = Filter::Kind::all_of;
  if (best->rest) rest.operands.push_back(std::move(*best->rest));
  for (std::size_t i = 0; i < filter.operands.size(); ++i)
    if (i != best_at) rest.operands.push_back(filter.operands[i]);
  best->rest = rest.operands.size() == 1 ? Filter(std::move(rest.operands.front())) : std::move(rest);
  return best;
}

}  // namespace deprov::scim
