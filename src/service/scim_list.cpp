// Lists: by position, by an index, or by looking at everything (RFC 7644 section 3.4.2).
#include <algorithm>
#include <deprov/scim/fold.hpp>
#include <deprov/scim/match.hpp>
#include <utility>
#include "service/scim_render.hpp"

namespace deprov::service {

namespace {

constexpr std::size_t scan_page = 500;

/// One list being made; passed on from view to view.
struct Listing {
  explicit Listing(Call c) : call(std::move(c)), renderer(call) {}

  Call call;
  ScimRenderer renderer;
  std::vector<const scim::TypeDef*> types;
  std::optional<scim::Filter> filter;
  std::vector<scim::Matcher> matchers;  ///< one per type
  MatchNeeds needs;
  std::uint64_t first = 0;  ///< of the page, counted from 0
  std::uint64_t most = 0;   ///< resources on the page
  std::uint64_t total = 0;
  std::uint64_t shown = 0;
  ScimBody resources;
  // where a scan is
  std::size_t type_index = 0;
  std::optional<ResourceId> after;
  std::size_t looked_at = 0;

  /// Counts a hit and writes it if it is on the page.
  Result<void> hit(port::Reader& reader, const scim::TypeDef& type, const port::ResourceRow& row) {
    const auto at = total++;
    if (at < first || shown >= most) return {};
    if (shown++ != 0) resources.text().push_back(',');
    return renderer.append(resources, reader, type, row);
  }
};
using SharedListing = std::shared_ptr<Listing>;

void answer(const SharedListing& list) {
  std::string head = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":)";
  head += std::to_string(list->total);
  head += ",\"startIndex\":" + std::to_string(list->first + 1);
  head += ",\"itemsPerPage\":" + std::to_string(list->shown);
  head += ",\"Resources\":[";
  auto& body = list->resources;
  body.pieces.front().text.insert(0, head);
  body.text() += "]}";
  list->call->answer(list->renderer.response(200, std::move(body)));
}

void view_and_answer(const SharedListing& list, Result<void> (*fill)(Listing&, port::Reader&)) {
  list->call->engine.view(
      [list, fill](port::Reader& reader) -> Result<void> {
        DEPROV_CHECK(fill(*list, reader));
        answer(list);
        return {};
      },
      [list](Result<void> r) {
        if (!r) list->call->fail(r.error());
      });
}

Result<void> by_position(Listing& list, port::Reader& reader) {
  const auto& scope = list.call->scope();
  for (const auto* type : list.types) {
    DEPROV_TRY(count, reader.resource_count(scope, type->name()));
    const auto before = list.total;
    list.total += count;
    if (list.shown >= list.most || list.total <= list.first) continue;
    const auto offset = list.first > before ? list.first - before : 0;
    DEPROV_TRY(page, reader.resources_at(scope, type->name(), static_cast<std::size_t>(offset),
                                         static_cast<std::size_t>(list.most - list.shown)));
    for (const auto& row : page.rows) {
      if (list.shown++ != 0) list.resources.text().push_back(',');
      DEPROV_CHECK(list.renderer.append(list.resources, reader, *type, row));
    }
  }
  return {};
}

std::optional<port::ResourceKey> store_key(const scim::IndexedTerm& term) {
  using F = scim::IndexedField;
  using A = port::ResourceKey::Attribute;
  if (term.op != scim::CompareOp::eq) return std::nullopt;
  switch (term.field) {
    case F::id: return port::ResourceKey{A::id, term.value};
    case F::external_id: return port::ResourceKey{A::external_id, term.value};
    case F::user_name: return port::ResourceKey{A::user_name, scim::fold(term.value)};
    case F::email: return port::ResourceKey{A::email, scim::fold(term.value)};
    case F::display_name: return port::ResourceKey{A::display_name, scim::fold(term.value)};
    case F::member: return port::ResourceKey{A::member, term.value};
    case F::group:
    case F::last_modified: return std::nullopt;
  }
  return std::nullopt;
}

Error too_many(std::string what) {
  return Error(Errc::too_many, std::move(what), "filter",
               "narrow it down: `eq` on id, externalId, userName, emails.value, displayName, members.value or "
               "groups.value, alone or joined by `and`, is answered by an index");
}

/// Resources of the type that are in the group which the term names.
Result<std::vector<port::ResourceRow>> in_group(Listing& list, port::Reader& reader, const scim::TypeDef& type,
                                                const std::string& group_id) {
  std::vector<port::ResourceRow> rows;
  const auto& scope = list.call->scope();
  const auto group = ResourceId::parse(group_id);
  if (!group) return rows;
  DEPROV_TRY(group_row, reader.resource(scope, *group));
  if (!group_row || group_row->deleted) return rows;
  std::optional<ResourceId> after;
  for (bool more = true; more;) {
    DEPROV_TRY(page, reader.members(scope, *group, after, 1000));
    for (const auto& m : page.rows) {
      after = m.member;
      DEPROV_TRY(row, reader.resource(scope, m.member));
      if (row && !row->deleted && row->type == type.name()) rows.push_back(std::move(*row));
    }
    if (rows.size() > list.call->options.index_hits)
      return too_many("the group has more than " + std::to_string(list.call->options.index_hits) + " members");
    more = page.more && !page.rows.empty();
  }
  return rows;
}

Result<void> by_index(Listing& list, port::Reader& reader) {
  const auto& call = *list.call;
  const auto& scope = call.scope();
  const auto term = scim::indexable(*list.filter);
  const auto most = call.options.index_hits;
  for (const auto* type : list.types) {
    std::vector<port::ResourceRow> rows;
    if (term->field == scim::IndexedField::group) {
      DEPROV_TRY(found, in_group(list, reader, *type, term->value));
      rows = std::move(found);
    } else {
      DEPROV_TRY(found, reader.resources_by_key(scope, type->name(), *store_key(*term), most + 1));
      rows = std::move(found);
    }
    if (rows.size() > most) return too_many("the filter has more than " + std::to_string(most) + " hits");
    std::optional<scim::Matcher> rest;
    if (term->rest) {
      DEPROV_TRY(matcher, scim::Matcher::compile(*term->rest, *type, scim::UnknownAttribute::no_value));
      rest = std::move(matcher);
    }
    for (const auto& row : rows) {
      if (rest) {
        DEPROV_TRY(document, document_to_match(reader, *call.context, call.base, *type, row, list.needs, most));
        if (!(*rest)(document)) continue;
      }
      DEPROV_CHECK(list.hit(reader, *type, row));
    }
  }
  return {};
}

// Looks at one page. False: everything was looked at.
Result<bool> scan_page_of(Listing& list, port::Reader& reader) {
  const auto& call = *list.call;
  const auto* type = list.types[list.type_index];
  DEPROV_TRY(page, reader.resources(call.scope(), type->name(), list.after, scan_page));
  for (const auto& row : page.rows) {
    list.after = row.id;
    if (++list.looked_at > call.options.scan_rows)
      return too_many("no index answers the filter, and there are more than " +
                      std::to_string(call.options.scan_rows) + " resources to look at");
    DEPROV_TRY(document, document_to_match(reader, *call.context, call.base, *type, row, list.needs,
                                           call.options.index_hits));
    if (list.matchers[list.type_index](document)) DEPROV_CHECK(list.hit(reader, *type, row));
  }
  if (page.more && !page.rows.empty()) return true;
  list.after.reset();
  return ++list.type_index < list.types.size();
}

// A view for each page, so that a long scan keeps nobody waiting.
void scan(const SharedListing& list) {
  const auto more = std::make_shared<bool>(false);
  list->call->engine.view(
      [list, more](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rest, scan_page_of(*list, reader));
        *more = rest;
        return {};
      },
      [list, more](Result<void> r) {
        if (!r) return list->call->fail(r.error());
        if (*more) return scan(list);
        answer(list);
      });
}

}  // namespace

void handle_list(const Call& call, bool all_types) {
  const auto list = std::make_shared<Listing>(call);
  const auto& q = call->query;
  const auto most = static_cast<std::uint64_t>(call->options.max_results);
  list->first = static_cast<std::uint64_t>(q.start_index > 0 ? q.start_index - 1 : 0);
  list->most = q.count ? std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(*q.count, 0)), most) : most;
  if (all_types) {
    for (const auto& t : call->context->registry->types()) list->types.push_back(t.get());
  } else {
    list->types.push_back(call->type);
  }
  if (!q.filter) return view_and_answer(list, by_position);

  auto filter = scim::parse_filter(*q.filter, call->options.limits);
  if (!filter) return call->fail(filter.error());
  const auto unknown = all_types ? scim::UnknownAttribute::no_value : scim::UnknownAttribute::refuse;
  for (const auto* type : list->types) {
    auto matcher = scim::Matcher::compile(*filter, *type, unknown);
    if (!matcher) return call->fail(matcher.error());
    list->matchers.push_back(std::move(*matcher));
  }
  list->needs.meta = scim::mentions(*filter, "meta");
  list->needs.groups = scim::mentions(*filter, "groups");
  list->needs.members = scim::mentions(*filter, "members");
  const auto term = scim::indexable(*filter);
  const bool indexed =
      term && (store_key(*term) || (term->field == scim::IndexedField::group && term->op == scim::CompareOp::eq));
  list->filter = std::move(*filter);
  if (indexed) return view_and_answer(list, by_index);
  scan(list);
}

}  // namespace deprov::service
