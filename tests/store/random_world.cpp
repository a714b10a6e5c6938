#include "random_world.hpp"
#include <array>
#include "stores.hpp"

namespace deprov::test {

namespace {

constexpr std::uint64_t users = 8;
constexpr std::uint64_t groups = 4;  // the ids after the users
constexpr std::uint64_t jobs = 14;
constexpr std::uint64_t works = 4;
constexpr std::uint64_t principals = 4;
constexpr std::uint64_t tokens = 5;

const std::array scopes{scope(1, 1), scope(1, 2), scope(2, 1), scope(1, 0)};

ResourceId user(std::uint64_t n) { return id<ResourceId>(1 + n, 2); }
ResourceId group(std::uint64_t n) { return id<ResourceId>(1 + users + n, 2); }
ResourceId subject_of_job(std::uint64_t n) { return user(n % 5); }
Sha256 hash_of(std::uint64_t n) {
  Sha256 h{};
  h[0] = static_cast<std::uint8_t>(n);
  return h;
}
JobId job_id(std::uint64_t n) { return id<JobId>(1 + n, 3); }

template <class T>
T value(Result<T> result) {
  REQUIRE(result);
  return std::move(*result);
}

}  // namespace

RandomWorld::RandomWorld(std::uint64_t seed) : random_(seed) {}

std::string RandomWorld::text(std::uint64_t variety) {
  const auto n = below(variety + 1);
  if (n == 0) return {};
  return "t" + std::to_string(n) + std::string(n % 3, '\0');
}

Scope RandomWorld::any_scope() { return scopes.at(below(scopes.size())); }

std::uint64_t RandomWorld::doubted(std::uint64_t version) {
  if (!chance(8)) return version;
  return below(4);
}

Op RandomWorld::resource_op(Reader& reader) {
  const auto s = any_scope();
  const bool is_group = chance(30);
  ResourceRow row;
  row.scope = s;
  row.id = is_group ? group(below(groups)) : user(below(users));
  row.type = is_group ? "Group" : "User";
  if (chance(2)) row.type = is_group ? "User" : "Group";
  if (const auto old = value(reader.resource(s, row.id))) row.version = old->version;
  row.version = doubted(row.version);
  row.external_id = text(4);
  row.user_name_key = is_group ? "" : text(6);
  row.display_name_key = text(3);
  for (auto n = below(3); n > 0; --n) row.email_keys.push_back(text(4));
  row.active = chance(70);
  row.deleted = chance(20);
  row.created = {static_cast<std::int64_t>(below(5))};
  row.modified = {static_cast<std::int64_t>(below(50))};
  row.document = "{\"n\":" + std::to_string(next_++) + "}";
  if (chance(2)) row.document += std::string(9000, 'x');
  return op::PutResource{row, chance(50)};
}

Op RandomWorld::job_op(Reader& reader) {
  JobRow row;
  row.scope = any_scope();
  const auto n = below(jobs);
  row.id = job_id(n);
  row.subject = chance(2) ? user(7) : subject_of_job(n);
  const auto old = value(reader.job(row.scope, row.id));
  if (old) {
    row = *old;
  } else {
    row.subject = subject_of_job(n);
  }
  row.version = doubted(row.version);
  if (row.version == 0) row.subject = subject_of_job(n);
  std::optional<LeaseToken> lease;
  if (old && chance(40)) lease = old->lease;
  if (chance(5)) lease = id<LeaseToken>(below(3), 5);
  if (chance(70)) row.state = static_cast<JobState>(1 + below(chance(60) ? 7 : 14));
  if (chance(30)) row.priority = static_cast<std::uint8_t>(below(4));
  if (chance(50)) row.due = {static_cast<std::int64_t>(below(60))};
  row.lease = below(3) == 0 ? LeaseToken{} : id<LeaseToken>(below(3), 5);
  row.lane_epoch = below(4);
  row.attempts = static_cast<std::uint32_t>(below(5));
  row.generation = below(5);
  row.kind = static_cast<JobKind>(1 + below(4));
  row.cause = static_cast<idp::Cause>(below(5));
  row.via_group = chance(50) ? group(below(groups)) : ResourceId{};
  row.via_inferred = chance(50);
  row.reason = text(3);
  row.plan = "{\"p\":" + std::to_string(next_++) + "}";
  row.deadline = row.evidence_at = row.finished = row.created = {static_cast<std::int64_t>(below(99))};
  return op::PutJob{row, lease};
}

Op RandomWorld::admin_op(Reader& reader) {
  const auto s = any_scope();
  switch (below(6)) {
    case 0: return op::PutWorkspace{{s.workspace, text(3), {static_cast<std::int64_t>(below(9))}}};
    case 1: {
      PrincipalRow row;
      row.workspace = s.workspace;
      row.id = id<PrincipalId>(1 + below(principals), 6);
      for (const auto& p : value(reader.principals(s.workspace)))
        if (p.id == row.id) row.version = p.version;
      row.version = doubted(row.version);
      row.role = static_cast<Role>(1 + below(4));
      row.token_hash = hash_of(below(6));
      row.name = text(4);
      return op::PutPrincipal{row};
    }
    case 2: return op::RemovePrincipal{s.workspace, id<PrincipalId>(1 + below(principals), 6)};
    case 3: {
      IntegrationRow row;
      row.scope = s;
      if (const auto old = value(reader.integration(s))) row.version = old->version;
      row.version = doubted(row.version);
      row.name = text(5);
      row.idp = "okta";
      row.config = row.settings = row.policy = "{}";
      row.secrets = text(3);
      row.state = static_cast<IntegrationState>(1 + below(3));
      row.created = {static_cast<std::int64_t>(below(4))};
      row.sources = chance(50);
      return op::PutIntegration{row};
    }
    case 4: {
      GatewayTokenRow row{hash_of(below(tokens)), s, {static_cast<std::int64_t>(below(9))}, {}};
      if (chance(30)) row.expires = WallTime{static_cast<std::int64_t>(below(9))};
      return op::PutGatewayToken{row};
    }
    default: return op::ExpireGatewayTokens{s, hash_of(below(tokens)), {static_cast<std::int64_t>(below(9))}};
  }
}

Op RandomWorld::any_op(Reader& reader) {
  const auto s = any_scope();
  const auto at = [this] { return WallTime{static_cast<std::int64_t>(below(60))}; };
  switch (below(24)) {
    case 0:
    case 1:
    case 2: return resource_op(reader);
    case 3:
    case 4: return job_op(reader);
    case 5: return admin_op(reader);
    case 6: return op::TouchResource{s, chance(50) ? user(below(users)) : group(below(groups)), at()};
    case 7:
    case 8: {
      const bool nested = chance(20);
      const auto into = group(below(groups));
      const auto who = nested ? group(below(groups)) : user(below(users));
      std::string display = chance(50) ? std::string() : "D" + std::to_string(below(3));
      if (chance(30)) return op::NameMember{s, into, who, std::move(display)};
      return op::AddMember{s, {into, who, nested, std::move(display)}};
    }
    case 9: return op::RemoveMember{s, group(below(groups)), user(below(users))};
    case 10: {
      SubjectRow row;
      row.scope = s;
      row.id = user(below(users));
      row.access = chance(50);
      row.generation = below(4);
      row.desired = static_cast<Desired>(below(3));
      row.cause = static_cast<idp::Cause>(below(6));
      row.via_group = chance(50) ? ResourceId{} : group(below(groups));
      row.evidence_at = row.last_deactivated = row.last_group_lost_at = at();
      row.policy_version = below(4);
      row.job = chance(50) ? JobId{} : job_id(below(jobs));
      row.last_group_lost = chance(50) ? ResourceId{} : group(below(groups));
      row.counted_at = at();
      return op::PutSubject{row};
    }
    case 11: {
      BindingRow row;
      row.scope = s;
      row.subject = user(below(users));
      if (const auto old = value(reader.binding(s, row.subject))) row.version = old->version;
      row.version = doubted(row.version);
      row.state = static_cast<BindingState>(below(5));
      row.account_id = text(3);
      row.account_login = text(5);
      row.was_bound = chance(50);
      row.checked_at = at();
      return op::PutBinding{row};
    }
    case 12: {
      ChangeRow row;
      row.scope = s;
      row.id = id<ChangeId>(chance(5) ? 1 + below(5) : next_++, 7);
      row.subject = chance(20) ? ResourceId{} : user(below(users));
      row.group = chance(50) ? ResourceId{} : group(below(groups));
      row.kind = static_cast<idp::ChangeKind>(1 + below(13));
      row.at = at();
      row.source = "scim";
      row.request = text(9);
      row.count = below(9);
      return op::AppendChange{row};
    }
    case 13: {
      if (chance(30)) return op::PutLane{{s, text(3), below(4), at(), text(2)}};
      if (chance(60))
        return op::PutDue{{s, user(below(users)), chance(50) ? "settle" : "other", at(), at(), text(9)}};
      if (chance(50)) return op::RemoveDue{s, user(below(users)), chance(50) ? "settle" : "other"};
      if (chance(30)) return op::ReleaseKey{s, "key" + std::to_string(below(4)), user(below(users))};
      return op::ClaimKey{s, "key" + std::to_string(below(4)), user(below(users)), "tag"};
    }
    case 14: {
      WorkRow row;
      row.scope = s;
      row.id = id<WorkId>(1 + below(works), 8);
      for (const auto& w : value(reader.works(s, 99)))
        if (w.id == row.id) row.version = w.version;
      row.version = doubted(row.version);
      row.group = group(below(groups));
      row.kind = "expand";
      row.payload = text(9);
      row.cursor = text(9);
      row.total = below(99);
      row.done = below(99);
      if (chance(30)) return op::AdvanceWork{s, row.id, row.version, text(9), below(99)};
      if (chance(30)) return op::RemoveWork{s, row.id};
      return op::PutWork{row};
    }
    case 15: {
      op::AppendActivity o;
      o.scope = s;
      o.at = at();
      o.event = "e" + text(3);
      o.actor = "idp:okta";
      o.subject = chance(30) ? ResourceId{} : user(below(users));
      o.job = chance(50) ? JobId{} : job_id(below(jobs));
      o.detail = "{\"n\":" + std::to_string(next_++) + "}";
      random_.fill(o.salt);
      return o;
    }
    case 16: {
      const auto head = value(reader.activity_head(s));
      return op::DeleteDetails{s, below(3) == 0 ? 0 : below(head + 2), below(head + 3), at()};
    }
    case 17: {
      if (chance(30)) return op::PutChore{{s, chance(50) ? "reconcile" : "retention", at(), text(9)}};
      const auto run = id<WorkId>(1 + below(3), 10);
      if (chance(20)) return op::RemoveFindings{s, run, below(4)};
      FindingRow row;
      row.scope = s;
      row.run = run;
      row.n = 1 + below(6);
      row.kind = static_cast<FindingKind>(1 + below(5));
      row.subject = chance(50) ? ResourceId{} : user(below(users));
      row.account_id = text(5);
      row.account_login = text(5);
      row.note = text(9);
      row.job = chance(50) ? JobId{} : job_id(below(jobs));
      return op::PutFinding{row};
    }
    case 20:
    case 21: return webhook_op(reader);
    case 22:
    case 23: return source_op(reader);
    default: return guard_op(reader);
  }
}

Op RandomWorld::guard_op(Reader& reader) {
  const auto s = any_scope();
  const auto minutes = [this] {
    return WallTime{static_cast<std::int64_t>((100'000 + next_ / 4 + below(20)) * 60'000'000)};
  };
  const std::string counter = chance(50) ? "removals" : "deletions";
  switch (below(9)) {
    case 0: return op::Unreserve{s, counter, below(4), minutes()};
    case 1: return op::Population{s, static_cast<std::int64_t>(below(7)) - 3, minutes()};
    case 2: {
      HoldRow row;
      row.scope = s;
      row.id = id<HoldId>(chance(10) ? 1 + below(20) : next_++, 11);
      row.opened = row.window_from = minutes();
      row.reason = text(4);
      return op::OpenHold{row};
    }
    case 3:
    case 4:
    case 5: {
      HoldItemRow row;
      row.scope = s;
      row.subject = user(below(users));
      row.job = job_id(below(jobs));
      row.generation = below(5);
      row.cause = static_cast<idp::Cause>(below(5));
      row.state = chance(70) ? HoldItemState::held : HoldItemState::sent;
      row.at = minutes();
      if (chance(65)) {
        const auto held = value(reader.hold_item_of(s, row.subject));
        if (held) {
          row = *held;
          row.state = static_cast<HoldItemState>(1 + below(5));
          row.decided = minutes();
          row.by = text(3);
        }
      }
      return op::PutHoldItem{row};
    }
    default: {
      op::Reserve o;
      o.scope = s;
      o.counter = counter;
      o.amount = below(4);
      o.limit_hour = 4;
      o.limit_day = 9;
      o.now = minutes();
      if (chance(30)) o.counted = minutes();
      o.regardless = chance(15);
      return o;
    }
  }
}

Transaction RandomWorld::transaction(Reader& reader) {
  Transaction txn;
  txn.id = id<TxnId>(next_++, 9);
  for (auto n = 1 + below(5); n > 0; --n) txn.ops.push_back(any_op(reader));
  for (auto n = below(3); n > 0; --n) {
    auto s = any_scope();
    auto r = chance(80) ? user(below(users)) : group(below(groups));
    // Often about what the transaction changes, where comparing and changing are one statement.
    if (const auto* put = std::get_if<op::PutResource>(&txn.ops[below(txn.ops.size())]))
      s = put->row.scope, r = put->row.id;
    const auto subject = value(reader.subject(s, r));
    switch (below(6)) {
      case 5: {
        const auto open = value(reader.open_hold(s));
        txn.reads.holds.push_back({s, open && !chance(10) ? open->id : HoldId{}});
        break;
      }
      case 0:
      case 1: {
        const auto row = value(reader.resource(s, r));
        txn.reads.resources.push_back({s, r, doubted(row ? row->version : 0)});
        break;
      }
      case 2: txn.reads.intents.push_back({s, r, doubted(subject ? subject->generation : 0)}); break;
      case 3: {
        const auto row = value(reader.integration(s));
        txn.reads.integrations.push_back({s, doubted(row ? row->version : 0)});
        break;
      }
      default: {
        const auto row = value(reader.lane(s));
        txn.reads.lanes.push_back({s, doubted(row ? row->epoch : 0)});
      }
    }
  }
  for (const auto& op : txn.ops) {
    const auto* put = std::get_if<op::PutSubject>(&op);
    if (put == nullptr || chance(30)) continue;
    const auto row = value(reader.subject(put->row.scope, put->row.id));
    txn.reads.subjects.push_back({put->row.scope, put->row.id, doubted(row ? row->grants_version : 0)});
  }
  return txn;
}

std::vector<std::string> RandomWorld::dump(Reader& r) {
  std::vector<std::string> out;
  std::string what;
  const auto line = [&](const std::string& text) { out.push_back(what + ": " + text); };
  const auto one = [&](const auto& row) { line(row ? show(*row) : "none"); };
  const auto all = [&](const auto& rows) {
    for (const auto& row : rows) line(show(row));
    line("end");
  };
  const auto page = [&](const auto& p) {
    all(p.rows);
    line(p.more ? "more" : "no more");
  };
  what = "workspaces";
  all(value(r.workspaces()));
  for (std::uint64_t w = 1; w <= 3; ++w) {
    what = "workspace " + std::to_string(w);
    one(value(r.workspace(id<WorkspaceId>(w))));
    all(value(r.principals(id<WorkspaceId>(w))));
    all(value(r.integrations(id<WorkspaceId>(w))));
    all(value(r.integrations_ever(id<WorkspaceId>(w))));
  }
  what = "integrations";
  all(value(r.integrations(std::nullopt)));
  for (std::uint64_t n = 1; n < 7; ++n) {
    what = "hash " + std::to_string(n);
    one(value(r.principal_by_token(hash_of(n))));
    one(value(r.gateway_token(hash_of(n))));
  }
  std::vector<Scope> all_scopes(scopes.begin(), scopes.end());
  all_scopes.push_back(scope(9, 9));
  using A = ResourceKey::Attribute;
  for (std::size_t si = 0; si < all_scopes.size(); ++si) {
    const auto& s = all_scopes[si];
    const auto name = [&](const std::string& text) { what = "scope " + std::to_string(si) + " " + text; };
    name("scope");
    one(value(r.integration(s)));
    all(value(r.gateway_tokens(s)));
    one(value(r.lane(s)));
    for (const auto* key : {"key0", "key1", "key2", "key3"}) {
      const auto owner = value(r.key_owner(s, key));
      line(owner ? owner->str() : "nobody's");
    }
    for (const std::string type : {"", "User", "Group", "Device"}) {
      name("type " + type);
      line(std::to_string(value(r.resource_count(s, type))));
      page(value(r.resources(s, type, std::nullopt, 5)));
      page(value(r.resources(s, type, user(3), 100)));
      page(value(r.resources_at(s, type, 2, 3)));
      if (!type.empty()) {
        for (const auto by : {ResourceOrder::By::modified, ResourceOrder::By::user_name}) {
          for (const bool down : {false, true}) {
            name("order " + type + std::to_string(static_cast<int>(by)) + (down ? " down" : " up"));
            ResourceOrder order;
            order.by = by;
            order.descending = down;
            page(value(r.resources_in_order(s, type, order, 100)));
            const auto first = value(r.resources_in_order(s, type, order, 2));
            page(first);
            if (first.rows.empty()) continue;
            const auto& last = first.rows.back();
            order.after = ResourceOrder::Place{last.modified, last.user_name_key, last.id};
            page(value(r.resources_in_order(s, type, order, 2)));
            order.from = WallTime{10};
            order.to = WallTime{30};
            page(value(r.resources_in_order(s, type, order, 100)));
            order.after.reset();
            page(value(r.resources_in_order(s, type, order, 100)));
          }
        }
      }
      for (const std::string key : {"", "t1\0", "t2", "t3", "t4", "t9"}) {
        for (const auto& text : {key, key + std::string(1, '\0'), key + std::string(2, '\0')}) {
          for (const auto attribute : {A::external_id, A::user_name, A::display_name, A::email}) {
            name("key " + text + " of attribute " + std::to_string(static_cast<int>(attribute)));
            if (text.empty()) continue;  // absent keys are not looked up
            all(value(r.resources_by_key(s, type, {attribute, text}, 3)));
          }
          if (text.empty()) continue;
          name("tombstones " + text);
          all(value(r.tombstones_by_external_id(s, type, text)));
          all(value(r.tombstones_by_user_name(s, type, text, 100)));
          all(value(r.tombstones_by_user_name(s, type, text, 1)));
        }
      }
    }
    for (std::uint64_t n = 0; n < users + groups; ++n) {
      const auto rid = user(n);
      name("resource " + std::to_string(n));
      one(value(r.resource(s, rid)));
      all(value(r.resources_by_key(s, "", {A::id, rid.str()}, 3)));
      all(value(r.resources_by_key(s, "Group", {A::member, rid.str()}, 3)));
      one(value(r.subject(s, rid)));
      one(value(r.binding(s, rid)));
      one(value(r.due(s, rid, "settle")));
      one(value(r.hold_item_of(s, rid)));
      page(value(r.members(s, rid, std::nullopt, 3)));
      page(value(r.members(s, rid, user(2), 30)));
      line(std::to_string(value(r.member_count(s, rid))));
      for (const auto g : value(r.groups_of(s, rid))) line(g.str());
      line(value(r.is_member(s, group(0), rid)) ? "in group 0" : "not in group 0");
      one(value(r.member(s, group(1), rid)));
      all(value(r.changes(s, rid, 3)));
      page(value(r.activity_of(s, rid, 1, 4)));
      JobFilter filter;
      filter.subject = rid;
      page(value(r.jobs(s, filter, std::nullopt, 2)));
      filter.finished = false;
      page(value(r.jobs(s, filter, job_id(8), 9)));
      const auto work = value(r.last_work(s, rid));
      line(work ? work->str() : "no work");
    }
    name("nobody");
    all(value(r.changes(s, ResourceId{}, 4)));
    page(value(r.activity_of(s, ResourceId{}, 2, 3)));
    name("accounts");
    for (const std::string a : {"t1", "t2", "t3"})
      for (std::size_t zeros = 0; zeros < 3; ++zeros)
        one(value(r.binding_by_account(s, a + std::string(zeros, '\0'))));
    name("jobs");
    for (std::uint64_t n = 0; n < jobs; ++n) one(value(r.job(s, job_id(n))));
    for (std::uint8_t state = 0; state <= 14; ++state) {
      JobFilter filter;
      if (state > 0) filter.state = static_cast<JobState>(state);
      page(value(r.jobs(s, filter, std::nullopt, 3)));
      filter.unfinished = false;
      page(value(r.jobs(s, filter, job_id(9), 30)));
      std::swap(filter.finished, filter.unfinished);
      page(value(r.jobs(s, filter, job_id(9), 30)));
    }
    for (const std::int64_t now : {0, 20, 100}) {
      name("at " + std::to_string(now));
      all(value(r.due_jobs(s, {now}, 2, 4)));
      all(value(r.due_jobs(s, {now}, 3, 100)));
      const auto next = value(r.next_job_due(s, {now}));
      line(next ? std::to_string(next->micros) : "never");
      all(value(r.dues(s, {now}, 3)));
    }
    name("counts");
    for (const auto& [state, n] : value(r.job_counts(s)))
      line(std::string(to_string(state)) + " " + std::to_string(n));
    const auto next = value(r.next_due(s));
    line(next ? std::to_string(next->micros) : "never");
    name("dues");
    std::optional<ResourceId> last;
    for (int n = 0; n < 3; ++n) {
      const auto some = value(r.dues_of_kind(s, "settle", last, 2));
      page(some);
      if (!some.rows.empty()) last = some.rows.back().subject;
    }
    page(value(r.dues_of_kind(s, "none", std::nullopt, 2)));
    name("guard");
    one(value(r.open_hold(s)));
    const auto holds = value(r.holds(s, std::nullopt, 3));
    if (!holds.rows.empty()) page(value(r.holds(s, holds.rows.back().id, 2)));
    for (const auto& hold : holds.rows) {
      line(show(hold));
      one(value(r.hold(s, hold.id)));
      page(value(r.hold_items(s, hold.id, 0, 100)));
      const auto some = value(r.hold_items(s, hold.id, 1, 2));
      page(some);
      for (const auto& item : some.rows) one(value(r.hold_item_at(s, hold.id, item.listing)));
      one(value(r.hold_item_at(s, hold.id, {})));
    }
    for (const std::int64_t minute : {100'000, 100'100, 101'500, 103'000}) {
      const WallTime now{minute * 60'000'000};
      all(value(r.population(s, now)));
      for (const auto* counter : {"removals", "deletions", "none"}) {
        const auto sums = value(r.reserved(s, counter, now));
        line(std::to_string(sums.hour) + " of the hour, " + std::to_string(sums.day) + " of the day");
      }
    }
    name("works");
    all(value(r.works(s, 3)));
    name("activity");
    const auto head = value(r.activity_head(s));
    line(std::to_string(head));
    page(value(r.activity(s, head > 4 ? head - 4 : 0, 3)));
    page(value(r.activity(s, 0, 2)));
    page(value(r.activity(s, 0, 100'000)));
    for (const std::int64_t from : {0, 7, 31}) {
      for (const std::uint64_t after : {std::uint64_t{0}, std::uint64_t{3}, head / 2}) {
        const auto span = value(r.activity_span(s, after, head + 1, {from}, {from + 11}));
        line(span ? std::to_string(span->first) + " to " + std::to_string(span->last) : "none");
      }
    }
    name("webhooks");
    for (const auto& text : webhook_lines(r, s)) line(text);
    name("sources");
    for (const auto& text : source_lines(r, s)) line(text);
    name("chores and findings");
    one(value(r.chore(s, "reconcile")));
    one(value(r.chore(s, "retention")));
    for (std::uint64_t run = 1; run <= 3; ++run) {
      page(value(r.findings(s, id<WorkId>(run, 10), 0, 3)));
      page(value(r.findings(s, id<WorkId>(run, 10), 2, 30)));
    }
  }
  return out;
}

}  // namespace deprov::test
