#include "sqlite_reader.hpp"
#include <algorithm>
#include <array>
#include <limits>
#include "sqlite_reader_base.hpp"
#include "sqlite_rows.hpp"

namespace deprov::store {

using namespace port;

namespace {

class SqliteReader final : public SqliteReaderBase {
 public:
  using SqliteReaderBase::SqliteReaderBase;

  Result<std::optional<WorkspaceRow>> workspace(WorkspaceId id) override {
    Use use(c_, Q::workspace_get, id.value.bytes);
    return one<WorkspaceRow>(use, [&] { return read_workspace(use); });
  }
  Result<std::vector<WorkspaceRow>> workspaces() override {
    Use use(c_, Q::workspace_all);
    return all<WorkspaceRow>(use, [&] { return read_workspace(use); });
  }
  Result<std::vector<PrincipalRow>> principals(WorkspaceId workspace) override {
    Use use(c_, Q::principal_all, workspace.value.bytes);
    return all<PrincipalRow>(use, [&] { return read_principal(use); });
  }
  Result<std::optional<PrincipalRow>> principal_by_token(const Sha256& hash) override {
    Use use(c_, Q::principal_by_token, hash);
    return one<PrincipalRow>(use, [&] { return read_principal(use); });
  }
  Result<std::optional<IntegrationRow>> integration(Scope scope) override {
    Use use(c_, Q::integration_get, scopes_.find(scope));
    return one<IntegrationRow>(use, [&] { return read_integration(use); });
  }
  Result<std::vector<IntegrationRow>> integrations(std::optional<WorkspaceId> workspace) override {
    if (!workspace) {
      Use use(c_, Q::integration_all);
      return all<IntegrationRow>(use, [&] { return read_integration(use); });
    }
    Use use(c_, Q::integration_of_workspace, workspace->value.bytes);
    return all<IntegrationRow>(use, [&] { return read_integration(use); });
  }
  Result<std::vector<IntegrationRow>> integrations_ever(WorkspaceId workspace) override {
    Use use(c_, Q::integration_ever, workspace.value.bytes);
    return all<IntegrationRow>(use, [&] { return read_integration(use); });
  }
  Result<std::optional<GatewayTokenRow>> gateway_token(const Sha256& hash) override {
    Use use(c_, Q::token_get, hash);
    return one<GatewayTokenRow>(use, [&] { return read_token(use); });
  }
  Result<std::vector<GatewayTokenRow>> gateway_tokens(const Scope& scope) override {
    Use use(c_, Q::token_all, scopes_.find(scope));
    return all<GatewayTokenRow>(use, [&] { return read_token(use); });
  }

  Result<std::optional<ResourceRow>> resource(const Scope& scope, ResourceId id) override {
    Use use(c_, Q::resource_get, scopes_.find(scope), id);
    return one<ResourceRow>(use, [&] { return read_resource(use, scope); });
  }
  Result<std::optional<ResourceId>> key_owner(const Scope& scope, std::string_view key) override {
    Use use(c_, Q::claim_owner, scopes_.find(scope), key);
    std::optional<ResourceId> owner;
    if (use.row()) use.read(owner.emplace());
    DEPROV_CHECK(c_.check());
    return owner;
  }
  Result<std::vector<ResourceRow>> resources_by_key(const Scope& scope, std::string_view type,
                                                    const ResourceKey& key, std::size_t limit) override {
    using A = ResourceKey::Attribute;
    const auto s = scopes_.find(scope);
    const auto n = sql_limit(limit);
    const auto rows = [&](Q query, const auto& value) {
      Use use(c_, query, s, value, type, n);
      return all<ResourceRow>(use, [&] { return read_resource(use, scope); });
    };
    const auto none = [] { return Result<std::vector<ResourceRow>>(std::vector<ResourceRow>()); };
    if (limit == 0) return none();
    switch (key.attribute) {
      case A::id: {
        const auto id = ResourceId::parse(key.value);
        if (!id) return none();
        DEPROV_TRY(row, resource(scope, *id));
        std::vector<ResourceRow> found;
        if (row && !row->deleted && (type.empty() || row->type == type)) found.push_back(std::move(*row));
        return found;
      }
      case A::external_id: return rows(Q::resource_external, key.value);
      case A::display_name: return rows(Q::resource_display, key.value);
      case A::email: return rows(Q::resource_email, key.value);
      case A::member: {
        const auto id = ResourceId::parse(key.value);
        return id ? rows(Q::resource_of_member, *id) : none();
      }
      case A::user_name: break;
    }
    if (type.empty()) {
      Use use(c_, Q::resource_user_name_any, s, key.value, n);
      return all<ResourceRow>(use, [&] { return read_resource(use, scope); });
    }
    Use use(c_, Q::resource_user_name, s, key.value, type);
    return all<ResourceRow>(use, [&] { return read_resource(use, scope); });
  }
  Result<std::vector<ResourceRow>> tombstones_by_external_id(const Scope& scope, std::string_view type,
                                                             std::string_view external_id) override {
    Use use(c_, Q::resource_tombstones, scopes_.find(scope), external_id, type);
    return all<ResourceRow>(use, [&] { return read_resource(use, scope); });
  }
  Result<std::vector<ResourceRow>> tombstones_by_user_name(const Scope& scope, std::string_view type,
                                                           std::string_view user_name,
                                                           std::size_t limit) override {
    Use use(c_, Q::resource_tombstones_named, scopes_.find(scope), user_name, type, sql_limit(limit));
    return all<ResourceRow>(use, [&] { return read_resource(use, scope); });
  }
  Result<Page<ResourceRow>> resources(const Scope& scope, std::string_view type, std::optional<ResourceId> after,
                                      std::size_t limit) override {
    return resource_page(scope, type, after.value_or(ResourceId{}), 0, limit);
  }
  Result<Page<ResourceRow>> resources_at(const Scope& scope, std::string_view type, std::size_t offset,
                                         std::size_t limit) override {
    return resource_page(scope, type, ResourceId{}, offset, limit);
  }
  Result<Page<ResourceRow>> resources_in_order(const Scope& scope, std::string_view type,
                                               const ResourceOrder& order, std::size_t limit) override {
    const auto s = scopes_.find(scope);
    const auto n = sql_limit(limit) + 1;
    const auto read = [&](Use& use) {
      return page<ResourceRow>(use, limit, [&] { return read_resource(use, scope); });
    };
    const auto& after = order.after;
    if (order.by == ResourceOrder::By::user_name) {
      Use use(c_, order.descending ? Q::resource_user_name_down : Q::resource_user_name_up, s, type);
      if (after) {
        use.bind(after->user_name_key);
      } else if (order.descending) {
        use.bind(past_all_ids);  // a blob, and so beyond every text
      } else {
        use.bind("");
      }
      use.bind(n);
      return read(use);
    }
    const auto from = order.from.value_or(WallTime{std::numeric_limits<std::int64_t>::min()});
    const auto to = order.to.value_or(WallTime{std::numeric_limits<std::int64_t>::max()});
    if (!order.descending) {
      const bool later = after && after->modified >= from;
      const auto id = later ? after->id : ResourceId{};
      Use use(c_, Q::resource_modified_up, s, type, later ? after->modified.micros : from.micros, id, to, n);
      return read(use);
    }
    Use use(c_, Q::resource_modified_down, s, type);
    if (after && after->modified <= to) {
      use.bind(after->modified);
      use.bind(after->id);
    } else {
      use.bind(to);
      use.bind(past_all_ids);
    }
    use.bind(from);
    use.bind(n);
    return read(use);
  }
  Result<std::uint64_t> resource_count(const Scope& scope, std::string_view type) override {
    if (type.empty()) {
      Use use(c_, Q::resource_count_any, scopes_.find(scope));
      return number(use);
    }
    Use use(c_, Q::resource_count, scopes_.find(scope), type);
    return number(use);
  }

  Result<Page<MemberRow>> members(const Scope& scope, ResourceId group, std::optional<ResourceId> after,
                                  std::size_t limit) override {
    const auto start = after.value_or(ResourceId{});
    Use use(c_, Q::member_page, scopes_.find(scope), group, start, sql_limit(limit) + 1);
    return page<MemberRow>(use, limit, [&] {
      MemberRow row;
      row.group = group;
      use.read_all(row.member, row.member_is_group, row.display);
      return row;
    });
  }
  Result<std::optional<MemberRow>> member(const Scope& scope, ResourceId group, ResourceId member) override {
    Use use(c_, Q::member_get, scopes_.find(scope), group, member);
    std::optional<MemberRow> row;
    if (use.row()) {
      row.emplace(MemberRow{group, member, false, {}});
      use.read_all(row->member_is_group, row->display);
    }
    DEPROV_CHECK(c_.check());
    return row;
  }
  Result<bool> is_member(const Scope& scope, ResourceId group, ResourceId member) override {
    Use use(c_, Q::member_has, scopes_.find(scope), group, member);
    const bool found = use.row();
    DEPROV_CHECK(c_.check());
    return found;
  }
  Result<std::uint64_t> member_count(const Scope& scope, ResourceId group) override {
    Use use(c_, Q::group_size, scopes_.find(scope), group);
    return number(use);
  }
  Result<std::vector<ResourceId>> groups_of(const Scope& scope, ResourceId member) override {
    Use use(c_, Q::member_groups, scopes_.find(scope), member);
    return all<ResourceId>(use, [&] { return id_of<ResourceId>(use); });
  }

  Result<std::optional<SubjectRow>> subject(const Scope& scope, ResourceId id) override {
    Use use(c_, Q::subject_get, scopes_.find(scope), id);
    return one<SubjectRow>(use, [&] { return read_subject(use, scope, id); });
  }
  Result<std::optional<BindingRow>> binding(const Scope& scope, ResourceId subject) override {
    Use use(c_, Q::binding_get, scopes_.find(scope), subject);
    return one<BindingRow>(use, [&] { return read_binding(use, scope); });
  }
  Result<std::optional<BindingRow>> binding_by_account(const Scope& scope, std::string_view account_id) override {
    Use use(c_, Q::binding_by_account, scopes_.find(scope), account_id);
    return one<BindingRow>(use, [&] { return read_binding(use, scope); });
  }

  Result<std::optional<JobRow>> job(const Scope& scope, JobId id) override {
    const auto s = scopes_.find(scope);
    {
      Use use(c_, Q::job_get, s, id);
      auto row = one<JobRow>(use, [&] { return read_job(use, scope); });
      if (!row || *row) return row;
    }
    Use use(c_, Q::job_done_get, s, id);
    return one<JobRow>(use, [&] { return read_job(use, scope); });
  }

  Result<Page<JobRow>> jobs(const Scope& scope, const JobFilter& filter, std::optional<JobId> before,
                            std::size_t limit) override {
    if (filter.subject) return jobs_of(scope, filter, before, limit);
    const auto s = scopes_.find(scope);
    const auto n = sql_limit(limit) + 1;
    std::vector<JobRow> rows;
    const auto add = [&](Use& use) {
      if (before) {
        use.bind(*before);
      } else {
        use.bind(past_all_ids);
      }
      use.bind(n);
      while (use.row()) rows.push_back(read_job(use, scope));
    };
    if (filter.unfinished && !(filter.state && is_finished(*filter.state))) {
      if (filter.state) {
        Use use(c_, Q::job_page_state, s, *filter.state);
        add(use);
      } else {
        Use use(c_, Q::job_page, s);
        add(use);
      }
    }
    if (filter.finished && !(filter.state && !is_finished(*filter.state))) {
      if (!filter.state) {
        Use use(c_, Q::job_done_page, s);
        add(use);
      } else if (*filter.state == JobState::succeeded_verified) {
        Use use(c_, Q::job_done_page_verified, s);
        add(use);
      } else {
        Use use(c_, Q::job_done_page_state, s, *filter.state);
        add(use);
      }
    }
    DEPROV_CHECK(c_.check());
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return b.id < a.id; });
    Page<JobRow> result;
    result.more = rows.size() > limit;
    if (result.more) rows.resize(limit);
    result.rows = std::move(rows);
    return result;
  }

  Result<std::vector<JobRow>> due_jobs(const Scope& scope, WallTime now, std::uint64_t epoch,
                                       std::size_t limit) override {
    const auto s = scopes_.find(scope);
    std::vector<JobRow> rows;
    int priority = -1;
    while (rows.size() < limit) {
      DEPROV_TRY(next, next_priority(s, priority));
      if (!next) break;
      priority = *next;
      const auto first = rows.size();
      for (const auto state : timed) {
        Use use(c_, Q::job_due, s, state, priority, now, sql_limit(limit));
        while (use.row()) rows.push_back(read_job(use, scope));
      }
      Use use(c_, Q::job_orphans, s, priority, epoch, sql_limit(limit));
      while (use.row()) rows.push_back(read_job(use, scope));
      DEPROV_CHECK(c_.check());
      std::sort(rows.begin() + static_cast<std::ptrdiff_t>(first), rows.end(),
                [](const auto& a, const auto& b) { return std::tie(a.due, a.id) < std::tie(b.due, b.id); });
    }
    if (rows.size() > limit) rows.resize(limit);
    return rows;
  }
  Result<std::optional<WallTime>> next_job_due(const Scope& scope, WallTime now) override {
    const auto s = scopes_.find(scope);
    std::optional<WallTime> soonest;
    for (int priority = -1;;) {
      DEPROV_TRY(next, next_priority(s, priority));
      if (!next) return soonest;
      priority = *next;
      for (const auto state : timed) {
        Use use(c_, Q::job_next_due, s, state, priority, now);
        if (!use.row()) continue;
        const WallTime due{use.integer()};
        if (!soonest || due < *soonest) soonest = due;
      }
    }
  }
  Result<std::map<JobState, std::uint64_t>> job_counts(const Scope& scope) override {
    Use use(c_, Q::job_counts, scopes_.find(scope));
    std::map<JobState, std::uint64_t> counts;
    while (use.row()) {
      const auto state = static_cast<JobState>(use.integer());
      counts[state] = static_cast<std::uint64_t>(use.integer());
    }
    DEPROV_CHECK(c_.check());
    return counts;
  }

  Result<std::optional<LaneRow>> lane(const Scope& scope) override {
    Use use(c_, Q::lane_get, scopes_.find(scope));
    return one<LaneRow>(use, [&] {
      LaneRow row;
      row.scope = scope;
      use.read_all(row.owner, row.epoch, row.until, row.paused);
      return row;
    });
  }
  Result<std::vector<DueRow>> dues(const Scope& scope, WallTime now, std::size_t limit) override {
    Use use(c_, Q::due_page, scopes_.find(scope), now, sql_limit(limit));
    return all<DueRow>(use, [&] { return read_due(use, scope); });
  }
  Result<std::optional<WallTime>> next_due(const Scope& scope) override {
    Use use(c_, Q::due_next, scopes_.find(scope));
    std::optional<WallTime> next;
    if (use.row() && !use.null()) next = WallTime{use.integer()};
    DEPROV_CHECK(c_.check());
    return next;
  }
  Result<std::optional<DueRow>> due(const Scope& scope, ResourceId subject, std::string_view kind) override {
    Use use(c_, Q::due_get, scopes_.find(scope), subject, kind);
    return one<DueRow>(use, [&] { return read_due(use, scope); });
  }
  Result<Page<DueRow>> dues_of_kind(const Scope& scope, std::string_view kind, std::optional<ResourceId> after,
                                    std::size_t limit) override {
    const auto s = scopes_.find(scope);
    if (after) {
      Use use(c_, Q::due_kind_after, s, *after, kind, sql_limit(limit) + 1);
      return page<DueRow>(use, limit, [&] { return read_due(use, scope); });
    }
    Use use(c_, Q::due_kind, s, kind, sql_limit(limit) + 1);
    return page<DueRow>(use, limit, [&] { return read_due(use, scope); });
  }
  Result<std::vector<WorkRow>> works(const Scope& scope, std::size_t limit) override {
    Use use(c_, Q::work_page, scopes_.find(scope), sql_limit(limit));
    return all<WorkRow>(use, [&] { return read_work(use, scope); });
  }
  Result<std::optional<WorkId>> last_work(const Scope& scope, ResourceId group) override {
    Use use(c_, Q::work_last, scopes_.find(scope), group);
    return one<WorkId>(use, [&] { return id_of<WorkId>(use); });
  }
  Result<std::vector<ChangeRow>> changes(const Scope& scope, ResourceId subject, std::size_t limit) override {
    Use use(c_, Q::change_page, scopes_.find(scope), subject, sql_limit(limit));
    return all<ChangeRow>(use, [&] { return read_change(use, scope, subject); });
  }

  Result<Page<ActivityRow>> activity(const Scope& scope, std::uint64_t after, std::size_t limit) override {
    return activity_page(Q::activity_page, scope, after, limit);
  }
  Result<Page<ActivityRow>> activity_of(const Scope& scope, ResourceId subject, std::uint64_t after,
                                        std::size_t limit) override {
    if (subject.is_nil()) return activity_page(Q::activity_page_nobody, scope, after, limit);
    const auto s = scopes_.find(scope);
    Page<ActivityRow> result;
    const auto from = seq_ref(after);
    Use refs(c_, Q::history_after, s, subject, HistoryKind::activity, from, sql_limit(limit) + 1);
    while (refs.row()) {
      if (result.rows.size() == limit) {
        result.more = true;
        break;
      }
      Use use(c_, Q::activity_get, activity_key(s, seq_of(refs.text())));
      if (use.row()) result.rows.push_back(read_activity(use, scope));
    }
    DEPROV_CHECK(c_.check());
    return result;
  }
  Result<std::uint64_t> activity_head(const Scope& scope) override {
    const auto s = scopes_.find(scope);
    if (s == no_scope) return c_.failed() ? Result<std::uint64_t>(c_.check().error()) : std::uint64_t{0};
    Use use(c_, Q::activity_head, activity_key(s, 0), activity_key(s + 1, 0) - 1);
    const auto seq = use.row() ? activity_seq(use.integer()) : 0;
    DEPROV_CHECK(c_.check());
    return seq;
  }
  Result<std::optional<SeqSpan>> activity_span(const Scope& scope, std::uint64_t after, std::uint64_t upto,
                                               WallTime from, WallTime to) override {
    const auto s = scopes_.find(scope);
    DEPROV_CHECK(c_.check());
    std::optional<SeqSpan> span;
    constexpr auto last = (std::uint64_t{1} << activity_seq_bits) - 1;
    upto = std::min(upto, last);
    if (s == no_scope || after >= upto) return span;
    Use use(c_, Q::activity_span, activity_key(s, after), activity_key(s, upto), from, to);
    if (use.row() && !use.null()) {
      span.emplace();
      span->first = activity_seq(use.integer());
      span->last = activity_seq(use.integer());
    }
    DEPROV_CHECK(c_.check());
    return span;
  }

 private:
  Result<std::uint64_t> number(Use& use) {
    const auto n = use.row() ? use.integer() : 0;
    DEPROV_CHECK(c_.check());
    return static_cast<std::uint64_t>(n);
  }
  template <class IdType>
  static IdType id_of(Use& use) {
    IdType id;
    use.read(id);
    return id;
  }

  Result<Page<ResourceRow>> resource_page(const Scope& scope, std::string_view type, ResourceId after,
                                          std::size_t offset, std::size_t limit) {
    const auto s = scopes_.find(scope);
    const auto n = sql_limit(limit) + 1;
    const auto read = [&](Use& use) {
      return page<ResourceRow>(use, limit, [&] { return read_resource(use, scope); });
    };
    if (type.empty()) {
      Use use(c_, Q::resource_page_any, s, after, n, sql_limit(offset));
      return read(use);
    }
    Use use(c_, Q::resource_page, s, type, after, n, sql_limit(offset));
    return read(use);
  }

  Result<Page<JobRow>> jobs_of(const Scope& scope, const JobFilter& filter, std::optional<JobId> before,
                               std::size_t limit) {
    const auto s = scopes_.find(scope);
    Page<JobRow> result;
    Use refs(c_, Q::history_before, s, *filter.subject, HistoryKind::job);
    if (before) {
      refs.bind(*before);
    } else {
      refs.bind(past_all_ids);
    }
    while (refs.row()) {
      DEPROV_TRY(row, job(scope, id_of<JobId>(refs)));
      if (!row || (filter.state && row->state != *filter.state)) continue;
      if (is_finished(row->state) ? !filter.finished : !filter.unfinished) continue;
      if (result.rows.size() == limit) {
        result.more = true;
        break;
      }
      result.rows.push_back(std::move(*row));
    }
    DEPROV_CHECK(c_.check());
    return result;
  }

  static constexpr std::array timed{JobState::ready, JobState::retrying, JobState::in_grace,
                                    JobState::awaiting_approval, JobState::waiting_async};

  /// The next priority that any job that could run has.
  Result<std::optional<int>> next_priority(std::int64_t scope, int after) {
    std::optional<int> next;
    for (const auto state : {timed[0], timed[1], timed[2], timed[3], timed[4], JobState::running}) {
      Use use(c_, Q::job_next_priority, scope, state, after);
      if (!use.row()) continue;
      const auto priority = static_cast<int>(use.integer());
      if (!next || priority < *next) next = priority;
    }
    DEPROV_CHECK(c_.check());
    return next;
  }

  Result<Page<ActivityRow>> activity_page(Q query, const Scope& scope, std::uint64_t after, std::size_t limit) {
    const auto s = scopes_.find(scope);
    DEPROV_CHECK(c_.check());
    if (s == no_scope || after >= (std::uint64_t{1} << activity_seq_bits) - 1) return Page<ActivityRow>();
    Use use(c_, query, activity_key(s, after), activity_key(s + 1, 0) - 1, sql_limit(limit) + 1);
    return page<ActivityRow>(use, limit, [&] { return read_activity(use, scope); });
  }
};

}  // namespace

std::unique_ptr<Reader> make_sqlite_reader(Connection& connection, Scopes& scopes) {
  return std::make_unique<SqliteReader>(connection, scopes);
}

}  // namespace deprov::store
