// Reading the ordered maps of the memory store.
#include <algorithm>
#include <limits>
#include "memory_state.hpp"

namespace deprov::store {
namespace {

using namespace port;

template <class Map, class K>
auto copy_of(const Map& map, const K& key) {
  const auto it = map.find(key);
  using Row = typename Map::mapped_type;
  return it == map.end() ? std::optional<Row>() : std::optional<Row>(it->second);
}

class MemoryReader final : public Reader {
 public:
  explicit MemoryReader(const MemoryState& state) : s_(state) {}

  Result<std::optional<WorkspaceRow>> workspace(WorkspaceId id) override { return copy_of(s_.workspaces, id); }
  Result<std::vector<WorkspaceRow>> workspaces() override {
    std::vector<WorkspaceRow> rows;
    for (const auto& [id, row] : s_.workspaces) rows.push_back(row);
    return rows;
  }
  Result<std::vector<PrincipalRow>> principals(WorkspaceId workspace) override {
    return principals_of(s_, workspace);
  }
  Result<std::optional<PrincipalRow>> principal_by_token(const Sha256& hash) override {
    const auto key = copy_of(s_.principal_by_token, hash);
    if (!key) return std::optional<PrincipalRow>();
    return copy_of(s_.principals, *key);
  }
  Result<std::optional<IntegrationRow>> integration(Scope scope) override {
    return copy_of(s_.integrations, scope);
  }
  Result<std::vector<IntegrationRow>> integrations(std::optional<WorkspaceId> workspace) override {
    return integrations_of(s_, workspace, false);
  }
  Result<std::vector<IntegrationRow>> integrations_ever(WorkspaceId workspace) override {
    return integrations_of(s_, workspace, true);
  }
  Result<std::optional<GatewayTokenRow>> gateway_token(const Sha256& hash) override {
    return copy_of(s_.tokens, hash);
  }

  Result<std::vector<GatewayTokenRow>> gateway_tokens(const Scope& scope) override {
    std::vector<GatewayTokenRow> rows;
    for (const auto& [hash, row] : s_.tokens)
      if (row.scope == scope) rows.push_back(row);
    return rows;
  }

  Result<std::optional<ResourceRow>> resource(const Scope& scope, ResourceId id) override {
    return copy_of(s_.resources, std::tuple(scope, id));
  }

  Result<std::vector<ResourceRow>> resources_by_key(const Scope& scope, std::string_view type,
                                                    const ResourceKey& key, std::size_t limit) override {
    using A = ResourceKey::Attribute;
    std::vector<ResourceRow> rows;
    const auto take = [&](ResourceId id) {
      const auto it = s_.resources.find(std::tuple(scope, id));
      if (it == s_.resources.end() || it->second.deleted) return;
      if (!type.empty() && it->second.type != type) return;
      if (rows.size() < limit) rows.push_back(it->second);
    };
    const auto scan = [&](const auto& index) {
      each_from(index, {scope, key.value, ResourceId{}}, [&](const auto& k, const auto&) {
        if (std::get<0>(k) != scope || std::get<1>(k) != key.value) return false;
        take(std::get<2>(k));
        return rows.size() < limit;
      });
    };
    switch (key.attribute) {
      case A::id:
        if (const auto id = ResourceId::parse(key.value)) take(*id);
        break;
      case A::external_id: scan(s_.by_external_id); break;
      case A::display_name: scan(s_.by_display_name); break;
      case A::email: scan(s_.by_email); break;
      case A::user_name: {
        std::vector<ResourceId> ids;
        each_from(s_.by_user_name, {scope, std::string(type), std::string()}, [&](const auto& k, ResourceId id) {
          if (std::get<0>(k) != scope) return false;
          if (std::get<2>(k) == key.value && (type.empty() || std::get<1>(k) == type)) ids.push_back(id);
          return type.empty() || std::get<1>(k) == type;
        });
        std::sort(ids.begin(), ids.end());
        for (const auto id : ids) take(id);
        break;
      }
      case A::member:
        if (const auto member = ResourceId::parse(key.value)) {
          each_from(s_.member_of, {scope, *member, ResourceId{}}, [&](const auto& k, const auto&) {
            if (std::get<0>(k) != scope || std::get<1>(k) != *member) return false;
            take(std::get<2>(k));
            return rows.size() < limit;
          });
        }
        break;
    }
    return rows;
  }

  Result<std::optional<ResourceId>> key_owner(const Scope& scope, std::string_view key) override {
    return copy_of(s_.claims, std::tuple(scope, std::string(key)));
  }

  Result<std::vector<ResourceRow>> tombstones_by_external_id(const Scope& scope, std::string_view type,
                                                             std::string_view external_id) override {
    return tombstones(s_.by_external_id, scope, type, external_id);
  }
  Result<std::vector<ResourceRow>> tombstones_by_user_name(const Scope& scope, std::string_view type,
                                                           std::string_view user_name,
                                                           std::size_t limit) override {
    auto rows = tombstones(s_.by_gone_name, scope, type, user_name);
    if (rows.size() > limit) rows.resize(limit);
    return rows;
  }

  /// Live resources in id order: `f` says whether to go on.
  template <class F>
  void each_resource(const Scope& scope, std::string_view type, std::optional<ResourceId> after, F&& f) {
    const auto start = after.value_or(ResourceId{});
    if (!type.empty()) {
      each_from(s_.by_type, {scope, std::string(type), start}, [&](const auto& k, const auto&) {
        if (std::get<0>(k) != scope || std::get<1>(k) != type) return false;
        if (after && std::get<2>(k) == *after) return true;
        return f(s_.resources.at(std::tuple(scope, std::get<2>(k))));
      });
      return;
    }
    each_from(s_.resources, {scope, start}, [&](const auto& k, const auto& row) {
      if (std::get<0>(k) != scope) return false;
      if (row.deleted || (after && std::get<1>(k) == *after)) return true;
      return f(row);
    });
  }

  template <class T>
  static bool take(Page<T>& page, const T& row, std::size_t limit) {
    if (page.rows.size() == limit) {
      page.more = true;
      return false;
    }
    page.rows.push_back(row);
    return true;
  }

  Result<Page<ResourceRow>> resources(const Scope& scope, std::string_view type, std::optional<ResourceId> after,
                                      std::size_t limit) override {
    Page<ResourceRow> page;
    each_resource(scope, type, after, [&](const auto& row) { return take(page, row, limit); });
    return page;
  }
  Result<Page<ResourceRow>> resources_at(const Scope& scope, std::string_view type, std::size_t offset,
                                         std::size_t limit) override {
    Page<ResourceRow> page;
    each_resource(scope, type, std::nullopt, [&](const auto& row) {
      if (offset > 0) {
        --offset;
        return true;
      }
      return take(page, row, limit);
    });
    return page;
  }
  Result<Page<ResourceRow>> resources_in_order(const Scope& scope, std::string_view type_view,
                                               const ResourceOrder& order, std::size_t limit) override {
    const std::string type(type_view);
    const auto& after = order.after;
    Page<ResourceRow> page;
    const auto add = [&](ResourceId id) { return take(page, s_.resources.at(std::tuple(scope, id)), limit); };
    const auto mine = [&](const auto& k) { return std::get<0>(k) == scope && std::get<1>(k) == type; };
    if (order.by == ResourceOrder::By::user_name) {
      const auto named = [&](const auto& k, ResourceId id) { return mine(k) && add(id); };
      if (!order.descending) {
        // The smallest text behind another one has a zero more.
        auto start = after ? after->user_name_key + std::string(1, '\0') : std::string();
        each_from(s_.by_user_name, {scope, type, std::move(start)}, named);
      } else if (after) {
        each_before(s_.by_user_name, {scope, type, after->user_name_key}, named);
      } else {
        each_before(s_.by_user_name, {scope, type + std::string(1, '\0'), std::string()}, named);
      }
      return page;
    }
    const auto from = order.from.value_or(WallTime{std::numeric_limits<std::int64_t>::min()});
    const auto to = order.to.value_or(WallTime{std::numeric_limits<std::int64_t>::max()});
    const auto within = [&](const auto& k, const auto&) {
      if (!mine(k)) return false;
      const auto at = std::get<2>(k);
      if (order.descending ? at < from : at > to) return false;
      if (after && at == after->modified && std::get<3>(k) == after->id) return true;
      return add(std::get<3>(k));
    };
    if (!order.descending) {
      const bool later = after && after->modified >= from;
      each_from(s_.by_modified, {scope, type, later ? after->modified : from, later ? after->id : ResourceId{}},
                within);
    } else {
      const bool earlier = after && after->modified <= to;
      each_before(s_.by_modified,
                  {scope, type, earlier ? after->modified : to, earlier ? after->id : ResourceId{last_uuid()}},
                  within);
    }
    return page;
  }
  Result<std::uint64_t> resource_count(const Scope& scope, std::string_view type) override {
    std::uint64_t n = 0;
    each_from(s_.resource_counts, {scope, std::string(type)}, [&](const auto& k, std::uint64_t count) {
      if (std::get<0>(k) != scope || (!type.empty() && std::get<1>(k) != type)) return false;
      n += count;
      return true;
    });
    return n;
  }

  Result<Page<MemberRow>> members(const Scope& scope, ResourceId group, std::optional<ResourceId> after,
                                  std::size_t limit) override {
    Page<MemberRow> page;
    each_from(s_.members, {scope, group, after.value_or(ResourceId{})}, [&](const auto& k, const auto& m) {
      if (std::get<0>(k) != scope || std::get<1>(k) != group) return false;
      if (after && std::get<2>(k) == *after) return true;
      return take(page, MemberRow{group, std::get<2>(k), m.is_group, m.display}, limit);
    });
    return page;
  }
  Result<std::optional<MemberRow>> member(const Scope& scope, ResourceId group, ResourceId member) override {
    const auto it = s_.members.find(std::tuple(scope, group, member));
    if (it == s_.members.end()) return std::optional<MemberRow>();
    return std::optional(MemberRow{group, member, it->second.is_group, it->second.display});
  }
  Result<bool> is_member(const Scope& scope, ResourceId group, ResourceId member) override {
    return s_.members.contains(std::tuple(scope, group, member));
  }
  Result<std::uint64_t> member_count(const Scope& scope, ResourceId group) override {
    return copy_of(s_.group_sizes, std::tuple(scope, group)).value_or(0);
  }
  Result<std::vector<ResourceId>> groups_of(const Scope& scope, ResourceId member) override {
    std::vector<ResourceId> groups;
    each_from(s_.member_of, {scope, member, ResourceId{}}, [&](const auto& k, const auto&) {
      if (std::get<0>(k) != scope || std::get<1>(k) != member) return false;
      const auto it = s_.resources.find(std::tuple(scope, std::get<2>(k)));
      if (it != s_.resources.end() && !it->second.deleted) groups.push_back(std::get<2>(k));
      return true;
    });
    return groups;
  }

  Result<std::optional<SubjectRow>> subject(const Scope& scope, ResourceId id) override {
    return copy_of(s_.subjects, std::tuple(scope, id));
  }
  Result<std::optional<BindingRow>> binding(const Scope& scope, ResourceId subject) override {
    return copy_of(s_.bindings, std::tuple(scope, subject));
  }
  Result<std::optional<BindingRow>> binding_by_account(const Scope& scope, std::string_view account_id) override {
    const auto it = s_.by_account.lower_bound(std::tuple(scope, std::string(account_id), ResourceId{}));
    if (it == s_.by_account.end() || std::get<0>(it->first) != scope || std::get<1>(it->first) != account_id)
      return std::optional<BindingRow>();
    return copy_of(s_.bindings, std::tuple(scope, std::get<2>(it->first)));
  }

  Result<std::optional<JobRow>> job(const Scope& scope, JobId id) override {
    auto row = copy_of(s_.jobs, std::tuple(scope, id));
    return row ? row : copy_of(s_.finished_jobs, std::tuple(scope, id));
  }
  Result<Page<JobRow>> jobs(const Scope& scope, const JobFilter& filter, std::optional<JobId> before,
                            std::size_t limit) override {
    std::vector<const JobRow*> found;
    const auto collect = [&](const auto& table) {
      each_from(table, {scope, JobId{}}, [&](const auto& k, const JobRow& row) {
        if (std::get<0>(k) != scope || (before && !(row.id < *before))) return false;
        if (filter.subject && row.subject != *filter.subject) return true;
        if (filter.state && row.state != *filter.state) return true;
        found.push_back(&row);
        return true;
      });
    };
    if (filter.unfinished) collect(s_.jobs);
    if (filter.finished) collect(s_.finished_jobs);
    std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return b->id < a->id; });
    Page<JobRow> page;
    for (const auto* row : found)
      if (!take(page, *row, limit)) break;
    return page;
  }

  /// Jobs of one state by priority, due, id.
  template <class F>
  void each_queued(const Scope& scope, JobState state, F&& f) {
    each_from(s_.job_queue,
              {scope, state, std::uint8_t{0}, WallTime{std::numeric_limits<std::int64_t>::min()}, JobId{}},
              [&](const auto& k, const auto&) {
                if (std::get<0>(k) != scope || std::get<1>(k) != state) return false;
                f(std::get<3>(k), std::get<4>(k));
                return true;
              });
  }
  static constexpr std::array timed{JobState::ready, JobState::retrying, JobState::in_grace,
                                    JobState::awaiting_approval, JobState::waiting_async};

  Result<std::vector<JobRow>> due_jobs(const Scope& scope, WallTime now, std::uint64_t epoch,
                                       std::size_t limit) override {
    std::vector<const JobRow*> found;
    for (const auto state : timed) {
      each_queued(scope, state, [&](WallTime due, JobId id) {
        if (due <= now) found.push_back(&s_.jobs.at(std::tuple(scope, id)));
      });
    }
    each_queued(scope, JobState::running, [&](WallTime, JobId id) {
      const auto& row = s_.jobs.at(std::tuple(scope, id));
      if (row.lane_epoch < epoch) found.push_back(&row);
    });
    std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) {
      return std::tie(a->priority, a->due, a->id) < std::tie(b->priority, b->due, b->id);
    });
    std::vector<JobRow> rows;
    for (const auto* row : found)
      if (rows.size() < limit) rows.push_back(*row);
    return rows;
  }
  Result<std::optional<WallTime>> next_job_due(const Scope& scope, WallTime now) override {
    std::optional<WallTime> next;
    for (const auto state : timed) {
      each_queued(scope, state, [&](WallTime due, JobId) {
        if (due > now && (!next || due < *next)) next = due;
      });
    }
    return next;
  }
  Result<std::map<JobState, std::uint64_t>> job_counts(const Scope& scope) override {
    std::map<JobState, std::uint64_t> counts;
    each_from(s_.job_counts, {scope, JobState{}}, [&](const auto& k, std::uint64_t n) {
      if (std::get<0>(k) != scope) return false;
      counts[std::get<1>(k)] = n;
      return true;
    });
    return counts;
  }

  Result<std::optional<LaneRow>> lane(const Scope& scope) override { return copy_of(s_.lanes, scope); }
  Result<std::vector<DueRow>> dues(const Scope& scope, WallTime now, std::size_t limit) override {
    std::vector<DueRow> rows;
    each_from(s_.due_order,
              {scope, WallTime{std::numeric_limits<std::int64_t>::min()}, ResourceId{}, std::string()},
              [&](const auto& k, const auto&) {
                if (std::get<0>(k) != scope || std::get<1>(k) > now || rows.size() == limit) return false;
                rows.push_back(s_.dues.at(std::tuple(scope, std::get<2>(k), std::get<3>(k))));
                return true;
              });
    return rows;
  }
  Result<std::optional<WallTime>> next_due(const Scope& scope) override {
    std::optional<WallTime> next;
    each_from(s_.due_order,
              {scope, WallTime{std::numeric_limits<std::int64_t>::min()}, ResourceId{}, std::string()},
              [&](const auto& k, const auto&) {
                if (std::get<0>(k) == scope) next = std::get<1>(k);
                return false;
              });
    return next;
  }
  Result<std::optional<DueRow>> due(const Scope& scope, ResourceId subject, std::string_view kind) override {
    return copy_of(s_.dues, std::tuple(scope, subject, std::string(kind)));
  }
  Result<Page<DueRow>> dues_of_kind(const Scope& scope, std::string_view kind, std::optional<ResourceId> after,
                                    std::size_t limit) override {
    Page<DueRow> page;
    each_from(s_.dues, {scope, after.value_or(ResourceId{}), std::string()}, [&](const auto& k, const auto& row) {
      if (std::get<0>(k) != scope) return false;
      if (std::get<2>(k) != kind || (after && std::get<1>(k) == *after)) return true;
      return take(page, row, limit);
    });
    return page;
  }
  Result<std::optional<HoldRow>> open_hold(const Scope& scope) override {
    const auto id = copy_of(s_.open_holds, scope);
    if (!id) return std::optional<HoldRow>();
    return copy_of(s_.holds, std::tuple(scope, *id));
  }
  Result<std::optional<HoldRow>> hold(const Scope& scope, HoldId id) override {
    return copy_of(s_.holds, std::tuple(scope, id));
  }
  Result<Page<HoldRow>> holds(const Scope& scope, std::optional<HoldId> before, std::size_t limit) override {
    Page<HoldRow> page;
    auto it = s_.holds.lower_bound(std::tuple(scope, before.value_or(HoldId{last_uuid()})));
    while (it != s_.holds.begin()) {
      --it;
      if (std::get<0>(it->first) != scope || !take(page, it->second, limit)) break;
    }
    return page;
  }
  Result<Page<HoldItemRow>> hold_items(const Scope& scope, HoldId hold, std::uint64_t after,
                                       std::size_t limit) override {
    Page<HoldItemRow> page;
    each_from(s_.hold_items, {scope, hold, after + 1}, [&](const auto& k, const auto& row) {
      return std::get<0>(k) == scope && std::get<1>(k) == hold && take(page, row, limit);
    });
    return page;
  }
  Result<std::optional<HoldItemRow>> hold_item_of(const Scope& scope, ResourceId subject) override {
    auto it = s_.hold_items_of.upper_bound(
        std::tuple(scope, subject, HoldId{last_uuid()}, std::numeric_limits<std::uint64_t>::max()));
    if (it == s_.hold_items_of.begin()) return std::optional<HoldItemRow>();
    --it;
    const auto& [of, who, hold, seq] = it->first;
    if (of != scope || who != subject) return std::optional<HoldItemRow>();
    return copy_of(s_.hold_items, std::tuple(scope, hold, seq));
  }
  Result<std::optional<HoldItemRow>> hold_item_at(const Scope& scope, HoldId hold,
                                                  const Sha256& listing) override {
    std::optional<HoldItemRow> found;
    each_from(s_.hold_items, {scope, hold, 0}, [&](const auto& k, const auto& row) {
      if (std::get<0>(k) != scope || std::get<1>(k) != hold) return false;
      if (row.listing == listing) found = row;
      return !found;
    });
    return found;
  }
  Result<std::vector<PopulationRow>> population(const Scope& scope, WallTime now) override {
    std::vector<PopulationRow> rows{{minute_of(now) - minutes_of_day, 0}};
    each_from(s_.population, {scope, std::numeric_limits<std::int64_t>::min()},
              [&](const auto& k, std::int64_t n) {
                if (std::get<0>(k) != scope) return false;
                if (std::get<1>(k) <= rows.front().minute) {
                  rows.front().delta += n;
                } else if (n != 0) {
                  rows.push_back({std::get<1>(k), n});
                }
                return true;
              });
    return rows;
  }
  Result<ReservedCounts> reserved(const Scope& scope, std::string_view counter, WallTime now) override {
    ReservedCounts sums;
    const auto minute = minute_of(now);
    each_from(s_.counters, {scope, std::string(counter), minute - minutes_of_day + 1},
              [&](const auto& k, std::uint64_t n) {
                if (std::get<0>(k) != scope || std::get<1>(k) != counter) return false;
                sums.day += n;
                if (std::get<2>(k) > minute - minutes_of_hour) sums.hour += n;
                return true;
              });
    return sums;
  }
  Result<std::vector<WorkRow>> works(const Scope& scope, std::size_t limit) override {
    std::vector<WorkRow> rows;
    each_from(s_.works, {scope, WorkId{}}, [&](const auto& k, const auto& row) {
      if (std::get<0>(k) != scope || rows.size() == limit) return false;
      rows.push_back(row);
      return true;
    });
    return rows;
  }
  Result<std::optional<WorkId>> last_work(const Scope& scope, ResourceId group) override {
    std::optional<WorkId> last;
    each_from(s_.works_of, {scope, group, WorkId{}}, [&](const auto& k, const auto&) {
      if (std::get<0>(k) != scope || std::get<1>(k) != group) return false;
      last = std::get<2>(k);
      return true;
    });
    return last;
  }
  Result<std::vector<ChangeRow>> changes(const Scope& scope, ResourceId subject, std::size_t limit) override {
    std::vector<ChangeRow> rows;
    auto it = s_.changes.upper_bound(std::tuple(scope, subject, ChangeId{last_uuid()}));
    while (it != s_.changes.begin() && rows.size() < limit) {
      --it;
      if (std::get<0>(it->first) != scope || std::get<1>(it->first) != subject) break;
      rows.push_back(it->second);
    }
    return rows;
  }

  Result<Page<ActivityRow>> activity(const Scope& scope, std::uint64_t after, std::size_t limit) override {
    Page<ActivityRow> page;
    const auto it = s_.chains.find(scope);
    if (it == s_.chains.end()) return page;
    for (auto i = after; i < it->second.size(); ++i)
      if (!take(page, it->second[i], limit)) break;
    return page;
  }
  Result<Page<ActivityRow>> activity_of(const Scope& scope, ResourceId subject, std::uint64_t after,
                                        std::size_t limit) override {
    Page<ActivityRow> page;
    const auto it = s_.chains.find(scope);
    if (it == s_.chains.end()) return page;
    for (auto i = after; i < it->second.size(); ++i)
      if (it->second[i].subject == subject && !take(page, it->second[i], limit)) break;
    return page;
  }
  Result<std::uint64_t> activity_head(const Scope& scope) override {
    const auto it = s_.chains.find(scope);
    return it == s_.chains.end() ? std::uint64_t{0} : it->second.size();
  }
  Result<std::optional<SeqSpan>> activity_span(const Scope& scope, std::uint64_t after, std::uint64_t upto,
                                               WallTime from, WallTime to) override {
    std::optional<SeqSpan> span;
    const auto it = s_.chains.find(scope);
    if (it == s_.chains.end()) return span;
    for (auto i = after; i < std::min<std::uint64_t>(upto, it->second.size()); ++i) {
      const auto& row = it->second[i];
      if (row.at < from || row.at >= to) continue;
      if (!span) span = SeqSpan{row.seq, row.seq};
      span->last = row.seq;
    }
    return span;
  }

  Result<std::optional<ChoreRow>> chore(const Scope& scope, std::string_view name) override {
    return copy_of(s_.chores, std::tuple(scope, std::string(name)));
  }
  Result<std::vector<WebhookRow>> webhooks(std::optional<WorkspaceId> workspace) override {
    return webhooks_of(s_, workspace);
  }
  Result<std::vector<WebhookCursorRow>> webhook_cursors(WorkspaceId workspace, WebhookId webhook) override {
    return webhook_cursors_of(s_, workspace, webhook);
  }
  Result<Page<DeliveryRow>> deliveries(WorkspaceId workspace, WebhookId webhook,
                                       std::optional<DeliveryState> state, std::optional<DeliveryId> before,
                                       std::size_t limit) override {
    return deliveries_of(s_, workspace, webhook, state, before, limit);
  }
  Result<std::optional<SourceRow>> source(const Scope& scope, SourceId id) override {
    return copy_of(s_.sources, std::tuple(scope, id));
  }
  Result<std::vector<SourceRow>> sources(const Scope& scope) override { return sources_of(s_, scope); }
  Result<Page<SourcePieceRow>> source_pieces(const SourcePieces& which, std::uint32_t from,
                                             std::size_t limit) override {
    return source_pieces_of(s_, which, from, limit);
  }
  Result<std::vector<GrantRow>> grants(const Scope& scope, ResourceId subject) override {
    return grants_of(s_, scope, subject);
  }
  Result<Page<ResourceId>> subjects_to_reread(const Scope& scope, SourceId source, std::optional<ResourceId> after,
                                              std::size_t limit) override {
    return subjects_to_reread_of(s_, scope, source, after, limit);
  }
  Result<Page<ResourceId>> subjects_with_grants(const Scope& scope, std::optional<ResourceId> after,
                                                std::size_t limit) override {
    return subjects_with_grants_of(s_, scope, after, limit);
  }
  Result<std::optional<std::string>> checkpoint(const Scope& scope, std::string_view name) override {
    return copy_of(s_.checkpoints, std::tuple(scope, std::string(name)));
  }
  Result<Page<FindingRow>> findings(const Scope& scope, WorkId run, std::uint64_t after,
                                    std::size_t limit) override {
    Page<FindingRow> page;
    each_from(s_.findings, {scope, run, after}, [&](const auto& k, const auto& row) {
      if (std::get<0>(k) != scope || std::get<1>(k) != run) return false;
      if (std::get<2>(k) == after) return true;
      return take(page, row, limit);
    });
    return page;
  }

 private:
  template <class Index>
  std::vector<ResourceRow> tombstones(const Index& index, const Scope& scope, std::string_view type,
                                      std::string_view value) const {
    std::vector<ResourceRow> rows;
    each_from(index, {scope, std::string(value), ResourceId{}}, [&](const auto& k, const auto&) {
      if (std::get<0>(k) != scope || std::get<1>(k) != value) return false;
      const auto& row = s_.resources.at(std::tuple(scope, std::get<2>(k)));
      if (row.deleted && (type.empty() || row.type == type)) rows.push_back(row);
      return true;
    });
    std::reverse(rows.begin(), rows.end());
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.modified > b.modified; });
    return rows;
  }
  const MemoryState& s_;
};

}  // namespace

std::unique_ptr<Reader> make_memory_reader(const MemoryState& state) {
  return std::make_unique<MemoryReader>(state);
}

}  // namespace deprov::store
