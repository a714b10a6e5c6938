// Lists: by position, by an index, or by looking at everything (RFC 7644 section 3.4.2, RFC 9865).
#include <algorithm>
#include <map>
#include <utility>
#include "service/scim_cursor.hpp"
#include "service/scim_list_plan.hpp"
#include "service/scim_list_window.hpp"
#include "service/scim_rows.hpp"
#include "service/scim_unknown_members.hpp"

namespace deprov::service {

namespace {

using Access = ListPlan::Access;

constexpr std::size_t scan_page = 500;

Error too_many(std::string what) {
  return Error(Errc::too_many, std::move(what), "filter",
               "narrow it down: `eq` on id, externalId, userName, emails.value, displayName, members.value or "
               "groups.value and bounds of meta.lastModified are answered by an index, alone, joined by `and`, or "
               "all of them joined by `or`");
}

Error too_many_hits(std::size_t most) {
  return too_many("the filter has more than " + std::to_string(most) + " hits");
}

/// One list being made; passed on from view to view.
struct Listing {
  explicit Listing(Call c) : call(std::move(c)), renderer(call), window(call->options) {}

  Call call;
  ScimRenderer renderer;
  ListPlan plan;
  std::uint64_t first = 0;  ///< of the page, counted from 0; by cursor, from its place
  std::uint64_t most = 0;   ///< resources on the page
  std::uint64_t total = 0;
  bool total_known = false;  ///< without looking at everything
  std::uint64_t shown = 0;
  ScimBody resources;
  MonoTime began;

  // of a cursor
  bool by_cursor = false;
  std::string fingerprint;
  std::optional<ListPlace> from;  ///< the last resource of the page before
  ListPlace last;                 ///< of this one
  std::uint64_t behind = 0;       ///< resources that come behind `from`
  bool more = false;

  // where looking has come to
  std::size_t type_index = 0;
  std::optional<port::ResourceOrder::Place> after;
  std::size_t looked_at = 0;
  ListWindow window;

  // of `hits`
  struct Found {
    std::vector<port::ResourceRow> rows;
    std::size_t at = 0;                    ///< up to which they were checked
    const scim::Matcher* check = nullptr;  ///< null: all of them match
  };
  std::size_t source = 0;  ///< how many of the type's keys and terms were looked up
  Found found;             ///< by the last of them
  std::map<ResourceId, port::ResourceRow> hits;

  [[nodiscard]] const ListPlan::Type& type() const { return plan.types[type_index]; }

  Result<void> render(port::Reader& reader, const scim::TypeDef& def, const port::ResourceRow& row) {
    if (shown++ != 0) resources.text().push_back(',');
    DEPROV_TRY(version, renderer.append(resources, reader, def, row));
    (void)version;
    return {};
  }

  Result<json::object> document(port::Reader& reader, const port::ResourceRow& row) {
    return document_to_match(reader, *call->context, call->base, *type().def, row, type().needs,
                             call->options.index_hits);
  }

  /// A resource that matches. False: the page is whole and nothing further has to be known.
  Result<bool> accept(port::Reader& reader, const port::ResourceRow& row, const json::object* document) {
    const auto index = static_cast<std::uint32_t>(type_index);
    if (!total_known) ++total;
    if (plan.in_memory) {
      scim::SortKey key;
      if (type().sort) {
        if (document != nullptr) {
          key = scim::sort_key(*document, *type().sort);
        } else {
          DEPROV_TRY(made, this->document(reader, row));
          key = scim::sort_key(made, *type().sort);
        }
      }
      if (from && !window.comes_behind(key, row.id, from->key, from->id)) return true;
      ++behind;
      DEPROV_CHECK(window.add({std::move(key), row.id, index}));
      return true;
    }
    const auto at = behind++;
    if (at < first) return true;
    if (shown < most) {
      DEPROV_CHECK(render(reader, *type().def, row));
      last = {index, row.id, row.modified, row.user_name_key, {}};
      return !(total_known && !by_cursor && shown == most);
    }
    more = true;
    return !total_known;
  }
};
using SharedListing = std::shared_ptr<Listing>;

Result<void> answer(const SharedListing& list) {
  std::string head = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":)";
  head += std::to_string(list->total);
  if (!list->by_cursor) head += ",\"startIndex\":" + std::to_string(list->first + 1);
  head += ",\"itemsPerPage\":" + std::to_string(list->shown);
  if (list->by_cursor && list->more && list->shown > 0) {
    const auto& call = *list->call;
    Cursor cursor{list->fingerprint, static_cast<std::int64_t>(list->most), list->total, list->last};
    DEPROV_TRY(text, seal_cursor(call.engine, call.scope(), cursor, call.arrived + call.options.cursor_timeout));
    head += ",\"nextCursor\":\"" + text + "\"";
  }
  head += ",\"Resources\":[";
  auto& body = list->resources;
  body.pieces.front().text.insert(0, head);
  body.text() += "]}";
  list->call->answer(list->renderer.response(200, std::move(body)));
  return {};
}

/// Whether the hits are few: values of which each resource has its own, and no members to show.
bool is_brief(Listing& list) {
  using F = scim::IndexedField;
  constexpr std::size_t few = 4;
  const auto own = [](const scim::IndexedTerm& t) {
    return t.field == F::id || t.field == F::external_id || t.field == F::user_name;
  };
  const auto& types = list.plan.types;
  return list.plan.access == Access::hits && types.size() == 1 && types.front().terms.size() <= few &&
         types.front().unique_keys.size() <= few &&
         std::all_of(types.front().terms.begin(), types.front().terms.end(), own) &&
         !list.renderer.shows_members(*types.front().def);
}

void view_and_answer(const SharedListing& list, Result<void> (*fill)(Listing&, port::Reader&)) {
  list->call->engine.read(
      engine::Engine::Reading::any,
      [list, fill](port::Reader& reader) -> Result<void> {
        DEPROV_CHECK(fill(*list, reader));
        return answer(list);
      },
      [list](const Result<void>& r) { list->call->fail(r.error()); });
}

Result<void> by_position(Listing& list, port::Reader& reader) {
  const auto& scope = list.call->scope();
  for (const auto& type : list.plan.types) {
    DEPROV_TRY(count, reader.resource_count(scope, type.def->name()));
    const auto before = list.total;
    list.total += count;
    if (list.shown >= list.most || list.total <= list.first) continue;
    const auto offset = list.first > before ? list.first - before : 0;
    DEPROV_TRY(page, reader.resources_at(scope, type.def->name(), static_cast<std::size_t>(offset),
                                         static_cast<std::size_t>(list.most - list.shown)));
    for (const auto& row : page.rows) DEPROV_CHECK(list.render(reader, *type.def, row));
  }
  return {};
}

/// Resources of the type that are in the group which the term names.
Result<std::vector<port::ResourceRow>> in_group(const Listing& list, port::Reader& reader,
                                                const scim::TypeDef& type, const std::string& group_id) {
  std::vector<port::ResourceRow> rows;
  const auto& scope = list.call->scope();
  const auto group = ResourceId::parse(group_id);
  if (!group) return rows;
  DEPROV_TRY(group_row, reader.resource(scope, *group));
  if (!group_row || group_row->deleted) return rows;
  const auto most = list.call->options.index_hits;
  DEPROV_TRY(found, rows_below(reader, scope, *group, type.name(), most));
  if (found.size() > most) return too_many("the group has more than " + std::to_string(most) + " members");
  rows = std::move(found);
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return rows;
}

/// The key that a term is looked up by; nothing where nobody can have it.
Result<std::optional<port::ResourceKey>> key_to_ask(port::Reader& reader, const port::Scope& scope,
                                                    port::ResourceKey key) {
  using A = port::ResourceKey::Attribute;
  if (key.attribute == A::email && is_unknown_member_key(key.value)) return std::optional<port::ResourceKey>();
  if (key.attribute != A::member) return std::optional(std::move(key));
  const auto id = ResourceId::parse(key.value);
  std::optional<port::ResourceRow> row;
  if (id) {
    DEPROV_TRY(found, reader.resource(scope, *id));
    row = std::move(found);
  }
  if (!row) return std::optional(port::ResourceKey{A::email, unknown_member_key(key.value)});
  // Who was deleted is nobody's member any more, although the row of it stays.
  if (row->deleted) return std::optional<port::ResourceKey>();
  return std::optional(std::move(key));
}

/// Whoever matches by the term or key that comes next, as far as its index tells.
Result<void> fetch_hits(Listing& list, port::Reader& reader) {
  const auto& scope = list.call->scope();
  const auto most = list.call->options.index_hits;
  const auto& type = list.type();
  auto& to = list.found;
  to.rows.clear();
  to.at = 0;
  if (list.source < type.unique_keys.size()) {
    to.check = &*type.matcher;
    DEPROV_TRY(owner, reader.key_owner(scope, type.unique_keys[list.source]));
    if (!owner || list.hits.contains(*owner)) return {};
    DEPROV_TRY(row, reader.resource(scope, *owner));
    if (row && !row->deleted && row->type == type.def->name()) to.rows.push_back(std::move(*row));
    return {};
  }
  const auto index = list.source - type.unique_keys.size();
  const auto& term = type.terms[index];
  to.check = nullptr;
  if (term.rest) {
    const auto before = std::count_if(type.terms.begin(), type.terms.begin() + static_cast<std::ptrdiff_t>(index),
                                      [](const auto& t) { return t.rest.has_value(); });
    to.check = &type.term_checks[static_cast<std::size_t>(before)];
  }
  if (auto key = store_key(term)) {
    DEPROV_TRY(asked, key_to_ask(reader, scope, std::move(*key)));
    if (!asked) return {};
    DEPROV_TRY(rows, reader.resources_by_key(scope, type.def->name(), *asked, most + 1));
    to.rows = std::move(rows);
  } else {
    DEPROV_TRY(rows, in_group(list, reader, *type.def, term.value));
    to.rows = std::move(rows);
  }
  if (to.rows.size() > most) return too_many_hits(most);
  return {};
}

/// Those that match, each resource once.
Result<void> check_hits(Listing& list, port::Reader& reader, std::size_t& budget) {
  const auto most = list.call->options.index_hits;
  auto& from = list.found;
  for (; from.at < from.rows.size() && budget > 0; ++from.at, --budget) {
    auto& row = from.rows[from.at];
    if (list.hits.contains(row.id)) continue;
    if (from.check != nullptr) {
      DEPROV_TRY(document, list.document(reader, row));
      if (!(*from.check)(document)) continue;
    }
    const auto id = row.id;
    list.hits.emplace(id, std::move(row));
    if (list.hits.size() > most) return too_many_hits(most);
  }
  return {};
}

/// All hits of a type are known: in their order by id.
Result<void> accept_hits(Listing& list, port::Reader& reader, std::size_t& budget) {
  for (; !list.hits.empty() && budget > 0; --budget) {
    const auto hit = list.hits.extract(list.hits.begin());
    const auto& row = hit.mapped();
    // In memory the window knows what is behind the cursor; here it is the order by type and id.
    if (list.from && !list.plan.in_memory &&
        (list.type_index < list.from->type || (list.type_index == list.from->type && row.id <= list.from->id))) {
      ++list.total;
      continue;
    }
    DEPROV_TRY(go_on, list.accept(reader, row, nullptr));
    (void)go_on;
  }
  return {};
}

/// What the indexes answer, as much of it as a page of a scan. False: there is nothing more.
Result<bool> look_at_hits(Listing& list, port::Reader& reader) {
  std::size_t budget = scan_page;
  while (budget > 0) {
    const auto& type = list.type();
    if (list.found.at < list.found.rows.size()) {
      DEPROV_CHECK(check_hits(list, reader, budget));
    } else if (list.source < type.unique_keys.size() + type.terms.size()) {
      DEPROV_CHECK(fetch_hits(list, reader));
      ++list.source;
      --budget;
    } else if (!list.hits.empty()) {
      DEPROV_CHECK(accept_hits(list, reader, budget));
    } else {
      list.source = 0;
      list.found = {};
      if (++list.type_index == list.plan.types.size()) return false;
    }
  }
  return true;
}

/// Looks at one page. False: there is nothing more to look at, or to know.
Result<bool> look_at_page(Listing& list, port::Reader& reader) {
  const auto& call = *list.call;
  const auto& type = list.type();
  port::Page<port::ResourceRow> page;
  if (list.plan.access == Access::ordered) {
    auto order = list.plan.order;
    order.after = list.after;
    DEPROV_TRY(found, reader.resources_in_order(call.scope(), type.def->name(), order, scan_page));
    page = std::move(found);
  } else {
    const auto after = list.after ? std::optional(list.after->id) : std::nullopt;
    DEPROV_TRY(found, reader.resources(call.scope(), type.def->name(), after, scan_page));
    page = std::move(found);
  }
  for (const auto& row : page.rows) {
    list.after = port::ResourceOrder::Place{row.modified, row.user_name_key, row.id};
    if (++list.looked_at > call.options.scan_rows)
      return too_many("no index answers it, and there are more than " + std::to_string(call.options.scan_rows) +
                      " resources to look at");
    bool go_on = true;
    if (type.matcher) {
      DEPROV_TRY(document, list.document(reader, row));
      if (!(*type.matcher)(document)) continue;
      DEPROV_TRY(accepted, list.accept(reader, row, &document));
      go_on = accepted;
    } else {
      DEPROV_TRY(accepted, list.accept(reader, row, nullptr));
      go_on = accepted;
    }
    if (!go_on) return false;
  }
  if (page.more && !page.rows.empty()) return true;
  list.after.reset();
  return ++list.type_index < list.plan.types.size();
}

/// Puts the sorted page together; what was deleted since it was looked at is left out.
Result<void> show_window(Listing& list, port::Reader& reader) {
  const auto page = list.window.take(list.first, list.most);
  list.more = list.behind > list.first + page.size();
  for (const auto& entry : page) {
    list.last = {entry.type, entry.id, {}, {}, entry.key};
    DEPROV_TRY(row, reader.resource(list.call->scope(), entry.id));
    if (row && !row->deleted) DEPROV_CHECK(list.render(reader, *list.plan.types[entry.type].def, *row));
  }
  return {};
}

Result<void> finish(const SharedListing& list, port::Reader& reader) {
  if (list->plan.in_memory) DEPROV_CHECK(show_window(*list, reader));
  return answer(list);
}

Result<void> count_everything(Listing& list, port::Reader& reader) {
  list.total_known = true;
  for (const auto& type : list.plan.types) {
    DEPROV_TRY(count, reader.resource_count(list.call->scope(), type.def->name()));
    list.total += count;
  }
  return {};
}

/// Looks a while; false: there is nothing more to look at.
using Look = Result<bool> (*)(Listing&, port::Reader&);

Result<bool> look_at_all(Listing& list, port::Reader& reader) {
  if (!list.plan.filtered && !list.total_known) DEPROV_CHECK(count_everything(list, reader));
  return look_at_page(list, reader);
}

// A view for each page, so that a long scan keeps nobody waiting.
void scan(const SharedListing& list, Look look) {
  const auto more = std::make_shared<bool>(false);
  list->call->engine.view(
      [list, look, more](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rest, look(*list, reader));
        *more = rest;
        if (rest) return {};
        return finish(list, reader);
      },
      [list, look, more](Result<void> r) {
        auto& call = *list->call;
        if (!r) return call.fail(r.error());
        if (!*more) return;
        if (call.engine.ports().clock.mono() - list->began > call.options.scan_time)
          return call.fail(too_many(
              std::string(look == look_at_hits ? "" : "no index answers it, and ") +
              "looking at the resources took longer than " +
              std::to_string(std::chrono::duration_cast<std::chrono::seconds>(call.options.scan_time).count()) +
              " seconds"));
        scan(list, look);
      });
}

/// Few hits are answered from inside the first view.
void by_hits(const SharedListing& list) {
  using Reading = engine::Engine::Reading;
  list->call->engine.read(
      is_brief(*list) ? Reading::brief : Reading::any,
      [list](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(rest, look_at_hits(*list, reader));
        if (!rest) return finish(list, reader);
        list->call->engine.ports().executor.post([list] { scan(list, look_at_hits); });
        return {};
      },
      [list](const Result<void>& r) { list->call->fail(r.error()); });
}

/// The place where a cursor goes on.
Result<void> take_up(Listing& list, bool all_types) {
  const auto& call = *list.call;
  const auto& q = call.query;
  list.by_cursor = true;
  list.fingerprint = query_fingerprint(call.engine.ports().crypto,
                                       all_types ? std::string_view("/") : std::string_view(call.type->name()),
                                       q.filter, q.sort_by, q.descending);
  if (q.cursor->empty()) return {};
  DEPROV_TRY(cursor, open_cursor(call.engine, call.scope(), *q.cursor, call.arrived));
  if (cursor.query != list.fingerprint || cursor.place.type >= list.plan.types.size())
    return Error(Errc::invalid_cursor, "it belongs to another query", "cursor",
                 "send the parameters of the first page again, or an empty cursor");
  if (q.count && static_cast<std::int64_t>(list.most) != cursor.count)
    return Error(Errc::invalid_count,
                 "the first page was asked for with a count of " + std::to_string(cursor.count), "count",
                 "send the same count for each page");
  list.most = static_cast<std::uint64_t>(cursor.count);
  list.from = std::move(cursor.place);
  if (list.plan.access == Access::hits) return {};
  if (cursor.total && !list.plan.in_memory) {
    list.total = *cursor.total;
    list.total_known = true;
  }
  if (!list.plan.in_memory) {
    list.type_index = list.from->type;
    list.after = port::ResourceOrder::Place{list.from->modified, list.from->user_name_key, list.from->id};
  }
  return {};
}

}  // namespace

void handle_list(const Call& call, bool all_types) {
  const auto list = std::make_shared<Listing>(call);
  const auto& q = call->query;
  auto plan = plan_list(*call, all_types);
  if (!plan) return call->fail(plan.error());
  list->plan = std::move(*plan);
  const auto most = static_cast<std::uint64_t>(call->options.max_results);
  list->first = static_cast<std::uint64_t>(q.start_index > 0 ? q.start_index - 1 : 0);
  list->most = q.count ? std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(*q.count, 0)), most) : most;
  if (q.cursor)
    if (auto ready = take_up(*list, all_types); !ready) return call->fail(ready.error());
  if (list->plan.access == Access::position) return view_and_answer(list, by_position);
  if (list->plan.in_memory)
    if (auto fits = list->window.prepare(list->first, list->most, list->plan.descending); !fits)
      return call->fail(fits.error());
  list->began = call->engine.ports().clock.mono();
  if (list->plan.access == Access::hits) return by_hits(list);
  scan(list, look_at_all);
}

}  // namespace deprov::service
