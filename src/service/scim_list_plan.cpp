#include "service/scim_list_plan.hpp"
#include <algorithm>
#include <deprov/scim/fold.hpp>
#include <utility>
#include "service/scim_rows.hpp"
#include "service/scim_unique.hpp"

namespace deprov::service {

namespace {

/// Where every type answers the filter by values that no two resources share.
bool by_unique_keys(ListPlan& plan, const scim::Filter& filter, scim::UnknownAttribute unknown) {
  std::vector<std::vector<std::string>> keys;
  for (const auto& type : plan.types) {
    auto found = unique_keys_of(filter, *type.def, unknown);
    if (!found) return false;
    keys.push_back(std::move(*found));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) plan.types[i].unique_keys = std::move(keys[i]);
  plan.access = ListPlan::Access::hits;
  return true;
}

/// Whether `display` stands in it, as in `members.display` or `members[display pr]`.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the filter, which has a bound
bool speaks_of_display(const scim::Filter& filter) {
  return scim::iequals(filter.attr.sub, "display") || scim::iequals(filter.attr.attribute, "display") ||
         std::any_of(filter.operands.begin(), filter.operands.end(), speaks_of_display);
}

/// Whether `meta.version` may stand in it.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the filter, which has a bound
bool speaks_of_version(const scim::Filter& filter) {
  return scim::iequals(filter.attr.sub, "version") || scim::iequals(filter.attr.attribute, "version") ||
         std::any_of(filter.operands.begin(), filter.operands.end(), speaks_of_version);
}

/// What is never returned must not be found out by asking for it; RFC 7643 section 7 leaves the choice. `inside`:
/// the attribute whose values a filter in brackets is about.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the filter, which has a bound
Result<void> check_shown(const scim::Filter& filter, const scim::TypeDef& type,
                         const scim::Attribute* inside = nullptr) {
  using K = scim::Filter::Kind;
  const auto hidden = [&](const scim::Attribute* a) { return a != nullptr && scim::is_hidden(*a); };
  const bool named = filter.kind == K::compare || filter.kind == K::present || filter.kind == K::value_path;
  const scim::Attribute* attribute = nullptr;
  const scim::Attribute* sub = nullptr;
  if (named && inside != nullptr) {
    attribute = inside->find(filter.attr.attribute);
  } else if (named) {
    if (const auto r = type.resolve(filter.attr)) {
      attribute = r->attribute;
      sub = r->sub;
    }
    if (filter.kind == K::compare && sub == nullptr && attribute != nullptr &&
        attribute->type == scim::AttributeType::complex)
      sub = attribute->find("value");
  }
  if (hidden(attribute) || hidden(sub))
    return Error(Errc::invalid_filter,
                 scim::to_string(filter.attr) + " is never returned, and nothing is found by it", "filter",
                 "filter by an attribute that is returned");
  for (const auto& o : filter.operands)
    DEPROV_CHECK(check_shown(o, type, filter.kind == K::value_path ? attribute : inside));
  return {};
}

Result<void> plan_filter(ListPlan& plan, const scim::Filter& filter, bool all_types) {
  const auto unknown = all_types ? scim::UnknownAttribute::no_value : scim::UnknownAttribute::refuse;
  const auto terms = scim::index_terms(filter);
  bool indexed = !terms.empty();
  for (auto& type : plan.types) {
    DEPROV_CHECK(check_shown(filter, *type.def));
    DEPROV_TRY(matcher, scim::Matcher::compile(filter, *type.def, unknown));
    type.matcher = std::move(matcher);
    type.needs.meta = scim::mentions(filter, "meta");
    type.needs.groups = scim::mentions(filter, "groups");
    type.needs.version = type.needs.meta && speaks_of_version(filter);
    if (const auto* rows = type.def->row_attribute()) {
      type.needs.rows = scim::row_questions(filter, rows->name);
      type.needs.member_names = type.needs.rows.all && speaks_of_display(filter);
    }
    indexed = indexed && std::all_of(terms.begin(), terms.end(),
                                     [&](const auto& t) { return index_answers(*type.def, t.field); });
  }
  if (indexed) {
    plan.access = ListPlan::Access::hits;
    for (auto& type : plan.types) {
      type.terms = terms;
      type.needs.rows = {};
      for (const auto& term : terms) {
        if (!term.rest) continue;
        DEPROV_TRY(check, scim::Matcher::compile(*term.rest, *type.def, scim::UnknownAttribute::no_value));
        type.term_checks.push_back(std::move(check));
        if (const auto* rows = type.def->row_attribute()) {
          auto asked = scim::row_questions(*term.rest, rows->name);
          auto& needs = type.needs.rows;
          needs.any = needs.any || asked.any;
          needs.all = needs.all || asked.all;
          needs.present = needs.present || asked.present;
          std::move(asked.named.begin(), asked.named.end(), std::back_inserter(needs.named));
        }
      }
    }
    return {};
  }
  if (by_unique_keys(plan, filter, unknown)) return {};
  plan.access = ListPlan::Access::scan;
  if (const auto range = scim::modified_range(filter)) {
    plan.access = ListPlan::Access::ordered;
    plan.order.by = port::ResourceOrder::By::modified;
    plan.order.from = range->from;
    plan.order.to = range->to;
  }
  return {};
}

Result<void> plan_sort(const ScimCall& call, ListPlan& plan) {
  const auto& name = *call.query.sort_by;
  plan.descending = call.query.descending;
  bool known = false;
  for (auto& type : plan.types) {
    type.sort = type.def->resolve(name);
    if (!type.sort) continue;
    known = true;
    DEPROV_CHECK(scim::check_sortable(*type.sort, name));
    if (type.sort->attribute == type.def->row_attribute())
      return Error(Errc::invalid_value, "resources cannot be sorted by their " + type.sort->attribute->name,
                   "sortBy");
    const auto& attribute = type.sort->attribute->name;
    if (type.sort->extension) continue;
    if (attribute == "meta") {
      type.needs.meta = true;
      type.needs.version = type.needs.version || (type.sort->sub != nullptr && type.sort->sub->name == "version");
    }
    if (attribute == "groups") type.needs.groups = true;
  }
  if (!known)
    return Error(Errc::invalid_value, "there is no attribute \"" + name.substr(0, 100) + "\"", "sortBy",
                 "see /Schemas for what there is");
  plan.in_memory = true;
  if (plan.types.size() != 1 || plan.access == ListPlan::Access::hits) {
    if (plan.access == ListPlan::Access::position) plan.access = ListPlan::Access::scan;
    return {};
  }
  const auto& type = plan.types.front();
  const auto* core = type.def->core().find("userName");
  const bool by_user_name = core != nullptr && type.sort->attribute == core && core->required &&
                            index_answers(*type.def, scim::IndexedField::user_name);
  const bool by_modified = !type.sort->extension && type.sort->attribute->name == "meta" &&
                           type.sort->sub != nullptr && type.sort->sub->name == "lastModified";
  const bool ranged = plan.access == ListPlan::Access::ordered;
  if (by_modified || (by_user_name && !ranged)) {
    plan.access = ListPlan::Access::ordered;
    plan.order.by = by_modified ? port::ResourceOrder::By::modified : port::ResourceOrder::By::user_name;
    plan.order.descending = plan.descending;
    plan.in_memory = false;
  } else if (plan.access == ListPlan::Access::position) {
    plan.access = ListPlan::Access::scan;
  }
  return {};
}

}  // namespace

std::optional<port::ResourceKey> store_key(const scim::IndexedTerm& term) {
  using F = scim::IndexedField;
  using A = port::ResourceKey::Attribute;
  switch (term.field) {
    case F::id: return port::ResourceKey{A::id, term.value};
    case F::external_id: return port::ResourceKey{A::external_id, term.value};
    case F::user_name: return port::ResourceKey{A::user_name, scim::fold(term.value)};
    case F::email: return port::ResourceKey{A::email, scim::fold(term.value)};
    case F::display_name: return port::ResourceKey{A::display_name, scim::fold(term.value)};
    case F::member: return port::ResourceKey{A::member, term.value};
    case F::group:
    case F::last_modified: break;
  }
  return std::nullopt;
}

Result<ListPlan> plan_list(const ScimCall& call, bool all_types) {
  ListPlan plan;
  const auto add = [&](const scim::TypeDef* type) { plan.types.emplace_back().def = type; };
  if (all_types) {
    for (const auto& t : call.context->registry->types()) add(t.get());
  } else {
    add(call.type);
  }
  const auto& q = call.query;
  if (q.filter) {
    plan.filtered = true;
    if (call.normal.filter) {
      DEPROV_CHECK(plan_filter(plan, *call.normal.filter, all_types));
    } else {
      DEPROV_TRY(filter, scim::parse_filter(*q.filter, call.options.limits));
      DEPROV_CHECK(plan_filter(plan, filter, all_types));
    }
  }
  if (q.sort_by) DEPROV_CHECK(plan_sort(call, plan));
  if (q.cursor && plan.access == ListPlan::Access::position) plan.access = ListPlan::Access::scan;
  return plan;
}

}  // namespace deprov::service
