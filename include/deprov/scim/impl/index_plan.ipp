#pragma once
#include <algorithm>
#include <deprov/scim/impl/filter.ipp>
#include <deprov/scim/index_plan.hpp>
#include <utility>

namespace deprov::scim {

namespace detail {

inline constexpr std::size_t max_index_terms = 100;

inline std::vector<IndexedTerm> terms_of_all(const Filter& filter) {
  std::vector<IndexedTerm> best;
  std::size_t best_at = 0;
  const auto better = [&](const std::vector<IndexedTerm>& terms) {
    if (best.empty()) return true;
    if (terms.size() != best.size()) return terms.size() < best.size();
    return terms.front().field < best.front().field;
  };
  for (std::size_t i = 0; i < filter.operands.size(); ++i) {
    auto terms = index_terms(filter.operands[i]);
    if (terms.empty() || !better(terms)) continue;
    best = std::move(terms);
    best_at = i;
  }
  for (auto& term : best) {
    Filter rest;
    rest.kind = Filter::Kind::all_of;
    if (term.rest) rest.operands.push_back(std::move(*term.rest));
    for (std::size_t i = 0; i < filter.operands.size(); ++i)
      if (i != best_at) rest.operands.push_back(filter.operands[i]);
    if (rest.operands.empty()) {
      term.rest.reset();
    } else {
      Filter only = rest.operands.size() == 1 ? Filter(rest.operands.front()) : Filter(rest);
      term.rest = std::move(only);
    }
  }
  return best;
}

inline void ask_rows(const Filter& f, std::string_view attribute, RowQuestions& out) {
  if (f.kind == Filter::Kind::all_of || f.kind == Filter::Kind::any_of || f.kind == Filter::Kind::negate) {
    for (const auto& o : f.operands) ask_rows(o, attribute, out);
    return;
  }
  if (!iequals(f.attr.attribute, attribute)) return;
  out.any = true;
  const auto value_is = [](std::string_view sub, const Filter& c) {
    return c.kind == Filter::Kind::compare && c.op == CompareOp::eq && c.value.is_string() &&
           (sub.empty() || iequals(sub, "value"));
  };
  if (f.kind == Filter::Kind::present && (f.attr.sub.empty() || iequals(f.attr.sub, "value"))) {
    out.present = true;
  } else if (value_is(f.attr.sub, f)) {
    out.named.emplace_back(f.value.get_string());
  } else if (f.kind == Filter::Kind::value_path && f.operands.size() == 1 && f.operands.front().attr.sub.empty() &&
             value_is(f.operands.front().attr.attribute, f.operands.front())) {
    out.named.emplace_back(f.operands.front().value.get_string());
  } else {
    out.all = true;
  }
}

inline void bound_by(const Filter& f, TimeRange& range, bool& bounded) {
  if (f.kind == Filter::Kind::all_of) {
    for (const auto& o : f.operands) bound_by(o, range, bounded);
    return;
  }
  if (f.kind != Filter::Kind::compare) return;
  const auto term = indexed_comparison(f);
  if (!term || term->field != IndexedField::last_modified) return;
  const auto moment = parse_rfc3339(term->value);
  if (!moment) return;
  // The text of a dateTime has milliseconds, what is stored has microseconds.
  const WallTime low{moment->micros - 1000};
  const WallTime high{moment->micros + 1000};
  bounded = true;
  if (term->op == CompareOp::eq || term->op == CompareOp::gt || term->op == CompareOp::ge)
    range.from = range.from ? std::max(*range.from, low) : low;
  if (term->op == CompareOp::eq || term->op == CompareOp::lt || term->op == CompareOp::le)
    range.to = range.to ? std::min(*range.to, high) : high;
}

}  // namespace detail

DEPROV_INLINE std::vector<IndexedTerm> index_terms(const Filter& filter) {
  if (filter.kind == Filter::Kind::all_of) return detail::terms_of_all(filter);
  std::vector<IndexedTerm> out;
  if (filter.kind == Filter::Kind::any_of) {
    for (const auto& o : filter.operands) {
      auto terms = index_terms(o);
      if (terms.empty() || out.size() + terms.size() > detail::max_index_terms) return {};
      std::move(terms.begin(), terms.end(), std::back_inserter(out));
    }
    return out;
  }
  auto term = detail::indexed_conjunct(filter);
  if (term && term->op == CompareOp::eq && term->field != IndexedField::last_modified)
    out.push_back(std::move(*term));
  return out;
}

DEPROV_INLINE std::optional<TimeRange> modified_range(const Filter& filter) {
  TimeRange range;
  bool bounded = false;
  detail::bound_by(filter, range, bounded);
  return bounded ? std::optional(range) : std::nullopt;
}

DEPROV_INLINE RowQuestions row_questions(const Filter& filter, std::string_view attribute) {
  RowQuestions out;
  detail::ask_rows(filter, attribute, out);
  return out;
}

}  // namespace deprov::scim
