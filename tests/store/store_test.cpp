// What each op does, for both stores.
#include <functional>
#include "stores.hpp"

namespace deprov::test::store_test {
namespace {

struct Opened {
  TempDir dir;
  std::unique_ptr<Store> store;
};

std::unique_ptr<Opened> open(const std::string& kind) {
  auto opened = std::make_unique<Opened>();
  opened->store = kind == "memory" ? store::make_memory_store(crypto()) : open_sqlite(opened->dir.path());
  return opened;
}

ResourceRow user(Scope s, std::uint64_t n, const std::string& name) {
  ResourceRow row;
  row.scope = s;
  row.id = id<ResourceId>(n);
  row.type = "User";
  row.user_name_key = name;
  row.external_id = "ext-" + name;
  row.document = "{}";
  return row;
}

JobRow job(Scope s, std::uint64_t n) {
  JobRow row;
  row.scope = s;
  row.id = id<JobId>(n);
  row.subject = id<ResourceId>(1);
  row.plan = "{}";
  return row;
}

SubjectRow subject(Scope s, std::uint64_t n) {
  SubjectRow row;
  row.scope = s;
  row.id = id<ResourceId>(n);
  return row;
}

op::AppendActivity activity(Scope s, const std::string& detail) {
  op::AppendActivity o;
  o.scope = s;
  o.event = "removal.requested";
  o.actor = "idp:okta";
  o.detail = detail;
  o.salt.fill(7);
  return o;
}

Errc code_of(const Result<Committed>& r) { return r ? Errc::ok : r.error().code(); }

const Scope here = scope(1, 1);

}  // namespace

TEST_CASE("a resource is versioned, its name unique, and free after its deletion [R12]", "[store][R12]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  auto& store = *opened->store;

  auto made = commit(store, {op::PutResource{user(here, 1, "ann")}});
  REQUIRE(made);
  CHECK(made->resource_versions == std::vector<std::uint64_t>{1});
  CHECK(code_of(commit(store, {op::PutResource{user(here, 1, "ann")}})) == Errc::stale_read);
  CHECK(code_of(commit(store, {op::PutResource{user(here, 2, "ann")}})) == Errc::uniqueness);
  // The same name elsewhere is another one.
  REQUIRE(commit(store, {op::PutResource{user(scope(1, 2), 2, "ann")}}));

  auto row = user(here, 1, "ignored");
  row.version = 1;
  row.active = false;
  auto changed = commit(store, {op::PutResource{row, false}});
  REQUIRE(changed);
  CHECK(changed->resource_versions.at(0) == 2);
  auto stored = read(store, [](Reader& r) { return r.resource(here, id<ResourceId>(1)); });
  REQUIRE(stored);
  CHECK(stored->user_name_key == "ann");
  CHECK_FALSE(stored->active);

  row = *stored;
  row.deleted = true;
  REQUIRE(commit(store, {op::PutResource{row, false}}));
  CHECK(read(store, [](Reader& r) { return r.resource_count(here, "User"); }) == 0);
  CHECK(read(store, [](Reader& r) {
          return r.resources_by_key(here, "User", {ResourceKey::Attribute::user_name, "ann"}, 9);
        }).empty());
  CHECK(read(store, [](Reader& r) { return r.tombstones_by_external_id(here, "User", "ext-ann"); }).size() == 1);
  const auto gone = [&](std::size_t limit) {
    return read(store, [&](Reader& r) { return r.tombstones_by_user_name(here, "User", "ann", limit); });
  };
  CHECK(gone(9).size() == 1);
  CHECK(read(store, [](Reader& r) { return r.tombstones_by_user_name(here, "Group", "ann", 9); }).empty());
  auto other = user(here, 3, "ann");
  other.email_keys = {"a@x", "b@x"};
  REQUIRE(commit(store, {op::PutResource{other}}));
  CHECK(read(store,
             [](Reader& r) {
               return r.resources_by_key(here, "", {ResourceKey::Attribute::email, "b@x"}, 9);
             })
            .at(0)
            .id == other.id);

  // The tombstone cannot come back under a name that is taken.
  row.version = 3;
  row.deleted = false;
  CHECK(code_of(commit(store, {op::PutResource{row, false}})) == Errc::uniqueness);
  row.user_name_key = "ann2";
  REQUIRE(commit(store, {op::PutResource{row, true}}));
  CHECK(read(store, [](Reader& r) { return r.resource_count(here, ""); }) == 2);
}

TEST_CASE("a transaction that is refused late leaves nothing", "[store]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  auto& store = *opened->store;
  REQUIRE(commit(store, {op::PutResource{user(here, 1, "ann")}}));

  IntegrationRow elsewhere;
  elsewhere.scope = scope(7, 7);
  auto refused =
      commit(store, {op::PutSubject{subject(here, 5)}, op::PutJob{job(here, 1), {}}, activity(here, "{}"),
                     op::AddMember{here, {id<ResourceId>(50), id<ResourceId>(5), false}},
                     op::PutIntegration{elsewhere}, op::PutResource{user(here, 2, "ann")}});
  CHECK(code_of(refused) == Errc::uniqueness);
  CHECK_FALSE(read(store, [](Reader& r) { return r.subject(here, id<ResourceId>(5)); }));
  CHECK_FALSE(read(store, [](Reader& r) { return r.job(here, id<JobId>(1)); }));
  CHECK(read(store, [](Reader& r) { return r.activity_head(here); }) == 0);
  CHECK(read(store, [](Reader& r) { return r.member_count(here, id<ResourceId>(50)); }) == 0);
  CHECK(read(store, [](Reader& r) { return r.job_counts(here); }).empty());
  CHECK_FALSE(read(store, [](Reader& r) { return r.integration(scope(7, 7)); }));
  // And the chain goes on as if nothing had been.
  auto appended = commit(store, {activity(here, "{}")});
  REQUIRE(appended);
  CHECK(appended->activity_seqs.at(0) == 1);
}

TEST_CASE("\"leave group A\" beside \"leave group B\": the second decides again", "[store]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  auto& store = *opened->store;
  const auto person = id<ResourceId>(1);
  const auto a = id<ResourceId>(10);
  const auto b = id<ResourceId>(11);
  REQUIRE(commit(store, {op::PutSubject{subject(here, 1)}, op::AddMember{here, {a, person, false}},
                         op::AddMember{here, {b, person, false}}}));
  const auto seen = read(store, [&](Reader& r) { return r.subject(here, person); });
  REQUIRE(seen);
  CHECK(seen->grants_version == 3);

  ReadSet reads;
  reads.subjects.push_back({here, person, seen->grants_version});
  auto first = commit(store, {op::RemoveMember{here, a, person}}, reads);
  REQUIRE(first);
  CHECK(first->members_changed == std::vector<bool>{true});
  CHECK(code_of(commit(store, {op::RemoveMember{here, b, person}}, reads)) == Errc::stale_read);
  CHECK(read(store, [&](Reader& r) { return r.is_member(here, b, person); }));

  // Decided inside the writer nothing is stale.
  REQUIRE(transact(store, [&](Reader& r) -> Result<Transaction> {
    DEPROV_TRY(now, r.subject(here, person));
    Transaction txn;
    txn.reads.subjects.push_back({here, person, now->grants_version});
    txn.ops.emplace_back(op::RemoveMember{here, b, person});
    return txn;
  }));
  CHECK(read(store, [&](Reader& r) { return r.member_count(here, b); }) == 0);
  auto refused = transact(store, [](Reader&) -> Result<Transaction> { return Error(Errc::conflict, "no"); });
  CHECK(code_of(refused) == Errc::conflict);
}

TEST_CASE("what members are called is kept, and is no grant", "[store]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  auto& store = *opened->store;
  const auto person = id<ResourceId>(1);
  const auto group = id<ResourceId>(10);
  const auto other = id<ResourceId>(2);
  const auto display = [&](ResourceId who) {
    const auto row = read(store, [&](Reader& r) { return r.member(here, group, who); });
    return row ? row->display + (row->member_is_group ? " (group)" : "") : "no member";
  };
  REQUIRE(commit(store, {op::PutSubject{subject(here, 1)}, op::AddMember{here, {group, person, false, "Ann"}},
                         op::AddMember{here, {group, other, true}}}));
  CHECK(display(person) == "Ann");
  CHECK(display(other) == " (group)");
  CHECK(display(id<ResourceId>(3)) == "no member");
  const auto page = read(store, [&](Reader& r) { return r.members(here, group, std::nullopt, 10); });
  REQUIRE(page.rows.size() == 2);
  CHECK(page.rows[0].display == "Ann");
  CHECK(page.rows[1].display.empty());
  const auto version = [&] {
    return read(store, [&](Reader& r) { return r.subject(here, person); })->grants_version;
  };
  const auto before = version();
  auto again = commit(store, {op::AddMember{here, {group, person, false, "Ann B."}}});
  REQUIRE(again);
  CHECK(again->members_changed == std::vector<bool>{false});
  CHECK(display(person) == "Ann B.");
  REQUIRE(commit(store, {op::AddMember{here, {group, person, false}}}));
  CHECK(display(person) == "Ann B.");
  REQUIRE(commit(store, {op::NameMember{here, group, person, "A"}, op::NameMember{here, group, other, "O"},
                         op::NameMember{here, group, id<ResourceId>(3), "nobody"}}));
  CHECK(display(person) == "A");
  CHECK(display(other) == "O (group)");
  CHECK(display(id<ResourceId>(3)) == "no member");
  REQUIRE(commit(store, {op::NameMember{here, group, person, ""}}));
  CHECK(display(person).empty());
  CHECK(version() == before);
  // What is refused leaves the names as they were.
  CHECK_FALSE(commit(store, {op::NameMember{here, group, person, "X"}, op::TouchResource{here, person, {}}}));
  CHECK(display(person).empty());
  REQUIRE(commit(store, {op::RemoveMember{here, group, other}, op::AddMember{here, {group, other, true}}}));
  CHECK(display(other) == " (group)");
}

TEST_CASE("membership: repeats change nothing, tombstoned groups do not count", "[store]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  auto& store = *opened->store;
  const auto person = id<ResourceId>(1);
  auto group = user(here, 10, "");
  group.type = "Group";
  REQUIRE(commit(store, {op::PutResource{group}, op::PutSubject{subject(here, 1)}}));
  auto twice = commit(
      store, {op::AddMember{here, {group.id, person, false}}, op::AddMember{here, {group.id, person, false}},
              op::RemoveMember{here, group.id, id<ResourceId>(99)}});
  REQUIRE(twice);
  CHECK(twice->members_changed == std::vector<bool>{true, false, false});
  CHECK(read(store, [&](Reader& r) { return r.subject(here, person); })->grants_version == 2);
  CHECK_FALSE(read(store, [&](Reader& r) { return r.subject(here, id<ResourceId>(99)); }));
  CHECK(read(store, [&](Reader& r) { return r.groups_of(here, person); }) == std::vector<ResourceId>{group.id});
  group.version = 1;
  group.deleted = true;
  REQUIRE(commit(store, {op::PutResource{group, false}}));
  CHECK(read(store, [&](Reader& r) { return r.groups_of(here, person); }).empty());
  CHECK(read(store, [&](Reader& r) { return r.member_count(here, group.id); }) == 1);
}

TEST_CASE("jobs: leases and lane epochs fence, finished ones leave the hot table", "[store]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  auto& store = *opened->store;
  auto row = job(here, 1);
  row.due = {50};
  REQUIRE(commit(store, {op::PutJob{row, {}}, op::PutLane{{here, "me", 1, {100}, ""}}}));
  const auto due = [&](std::int64_t now, std::uint64_t epoch) {
    return read(store, [&](Reader& r) { return r.due_jobs(here, {now}, epoch, 10); }).size();
  };
  CHECK(due(49, 1) == 0);
  CHECK(due(50, 1) == 1);
  CHECK(read(store, [](Reader& r) { return r.next_job_due(here, {0}); }) == WallTime{50});

  row.version = 1;
  row.state = JobState::running;
  row.lease = id<LeaseToken>(1);
  row.lane_epoch = 1;
  ReadSet lane;
  lane.lanes.push_back({here, 1});
  REQUIRE(commit(store, {op::PutJob{row, {}}}, lane));
  CHECK(due(99, 1) == 0);
  CHECK(due(99, 2) == 1);  // its owner was replaced

  row.version = 2;
  row.state = JobState::succeeded_verified;
  CHECK(code_of(commit(store, {op::PutJob{row, id<LeaseToken>(2)}})) == Errc::fenced);
  REQUIRE(commit(store, {op::PutLane{{here, "other", 2, {200}, ""}}}));
  CHECK(code_of(commit(store, {op::PutJob{row, id<LeaseToken>(1)}}, lane)) == Errc::fenced);
  lane.lanes.at(0).epoch = 2;
  REQUIRE(commit(store, {op::PutJob{row, id<LeaseToken>(1)}}, lane));
  // Who decided before it finished decides again; who saw it finished is told that nothing follows.
  CHECK(code_of(commit(store, {op::PutJob{row, {}}})) == Errc::stale_read);
  row.version = 3;
  CHECK(code_of(commit(store, {op::PutJob{row, {}}})) == Errc::conflict);
  CHECK(code_of(commit(store, {op::PutJob{row, id<LeaseToken>(1)}})) == Errc::fenced);
  CHECK(code_of(commit(store, {op::PutJob{job(here, 1), {}}})) == Errc::stale_read);
  CHECK(due(999, 9) == 0);
  JobFilter filter;
  filter.finished = false;
  CHECK(read(store, [&](Reader& r) { return r.jobs(here, filter, {}, 9); }).rows.empty());
  filter.finished = true;
  CHECK(read(store, [&](Reader& r) { return r.jobs(here, filter, {}, 9); }).rows.size() == 1);
  const auto counts = read(store, [](Reader& r) { return r.job_counts(here); });
  CHECK(counts == std::map<JobState, std::uint64_t>{{JobState::succeeded_verified, 1}});
}

TEST_CASE("the guard's counters refuse the whole transaction, and roll", "[store][R7]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  auto& store = *opened->store;
  const auto reserve = [](std::int64_t minute) {
    return op::Reserve{here, "removals", 1, 2, 3, {minute * 60'000'000}};
  };
  REQUIRE(commit(store, {reserve(1000)}));
  REQUIRE(commit(store, {reserve(1001)}));
  CHECK(code_of(commit(store, {op::PutSubject{subject(here, 1)}, reserve(1002)})) == Errc::held_by_guard);
  CHECK_FALSE(read(store, [](Reader& r) { return r.subject(here, id<ResourceId>(1)); }));
  REQUIRE(commit(store, {reserve(1060)}));                                // the first left the hour
  CHECK(code_of(commit(store, {reserve(1200)})) == Errc::held_by_guard);  // three in the day
  REQUIRE(commit(store, {reserve(1000 + 1440)}));
}

TEST_CASE("the last Owner of a workspace stays", "[store][R21]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  auto& store = *opened->store;
  PrincipalRow ann{here.workspace, id<PrincipalId>(1), "ann", Role::owner, {}, {}, 0};
  PrincipalRow bob{here.workspace, id<PrincipalId>(2), "bob", Role::owner, {}, {}, 0};
  PrincipalRow elsewhere{id<WorkspaceId>(2), id<PrincipalId>(3), "eve", Role::owner, {}, {}, 0};
  REQUIRE(commit(store, {op::PutPrincipal{ann}, op::PutPrincipal{elsewhere}}));
  CHECK(code_of(commit(store, {op::RemovePrincipal{here.workspace, ann.id}})) == Errc::conflict);
  ann.version = 1;
  ann.role = Role::admin;
  CHECK(code_of(commit(store, {op::PutPrincipal{ann}})) == Errc::conflict);
  REQUIRE(commit(store, {op::PutPrincipal{bob}, op::PutPrincipal{ann}}));
  CHECK(code_of(commit(store, {op::RemovePrincipal{here.workspace, bob.id}})) == Errc::conflict);
  CHECK(code_of(commit(store, {op::RemovePrincipal{here.workspace, id<PrincipalId>(9)}})) == Errc::not_found);
}

TEST_CASE("the same ids in two workspaces never mix", "[store][R21]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  auto& store = *opened->store;
  const std::array places{scope(1, 1), scope(2, 1), scope(1, 2)};
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto& s = places.at(i);
    const auto mark = std::to_string(i);
    auto row = user(s, 1, "ann");
    row.document = mark;
    BindingRow binding;
    binding.scope = s;
    binding.subject = row.id;
    binding.state = BindingState::bound;
    binding.account_id = "a1";
    binding.account_login = mark;
    auto j = job(s, 1);
    j.plan = mark;
    REQUIRE(commit(
        store, {op::PutResource{row}, op::PutSubject{subject(s, 1)}, op::PutBinding{binding}, op::PutJob{j, {}},
                activity(s, mark), op::AddMember{s, {id<ResourceId>(10 + i), row.id, false}}}));
  }
  REQUIRE(commit(store, {op::RemoveMember{places[0], id<ResourceId>(10), id<ResourceId>(1)}}));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto& s = places.at(i);
    const auto mark = std::to_string(i);
    CAPTURE(mark);
    CHECK(read(store, [&](Reader& r) { return r.resource(s, id<ResourceId>(1)); })->document == mark);
    const auto found = read(store, [&](Reader& r) {
      return r.resources_by_key(s, "User", {ResourceKey::Attribute::user_name, "ann"}, 9);
    });
    REQUIRE(found.size() == 1);
    CHECK(found[0].document == mark);
    CHECK(read(store, [&](Reader& r) { return r.binding_by_account(s, "a1"); })->account_login == mark);
    CHECK(read(store, [&](Reader& r) { return r.due_jobs(s, {0}, 1, 9); }).at(0).plan == mark);
    CHECK(read(store, [&](Reader& r) { return r.activity(s, 0, 9); }).rows.at(0).detail == mark);
    CHECK(read(store, [&](Reader& r) { return r.activity_head(s); }) == 1);
    CHECK(read(store, [&](Reader& r) { return r.subject(s, id<ResourceId>(1)); })->grants_version ==
          (i == 0 ? 3 : 2));
    CHECK(read(store, [&](Reader& r) { return r.is_member(s, id<ResourceId>(10 + i), id<ResourceId>(1)); }) ==
          (i != 0));
  }
}

TEST_CASE("a transaction is found by its id", "[store]") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  CAPTURE(kind);
  const auto opened = open(kind);
  Transaction txn;
  txn.id = id<TxnId>(77);
  txn.ops.emplace_back(op::PutSubject{subject(here, 1)});
  REQUIRE(commit(*opened->store, txn));
  const auto yes = committed(*opened->store, txn.id);
  const auto no = committed(*opened->store, id<TxnId>(78));
  REQUIRE(yes);
  REQUIRE(no);
  CHECK(*yes);
  CHECK_FALSE(*no);
}

TEST_CASE("a fault in the memory store: before the commit, or only its answer is lost", "[store]") {
  std::optional<store::CommitFault> fault;
  store::MemoryStoreOptions options;
  options.fault = [&](const Transaction&) { return fault; };
  const auto store = store::make_memory_store(crypto(), options);
  fault = store::CommitFault{Error(Errc::storage_full, "full"), false};
  CHECK(code_of(commit(*store, {op::PutSubject{subject(here, 1)}})) == Errc::storage_full);
  CHECK_FALSE(read(*store, [](Reader& r) { return r.subject(here, id<ResourceId>(1)); }));
  fault = store::CommitFault{Error(Errc::commit_unknown, "lost"), true};
  Transaction txn;
  txn.id = id<TxnId>(5);
  txn.ops.emplace_back(op::PutSubject{subject(here, 1)});
  CHECK(code_of(commit(*store, txn)) == Errc::commit_unknown);
  const auto happened = committed(*store, txn.id);
  REQUIRE(happened);
  CHECK(*happened);
}

TEST_CASE("with an executor others come in between a commit and its completion", "[store]") {
  ManualExecutor executor;
  store::MemoryStoreOptions options;
  options.executor = &executor;
  const auto store = store::make_memory_store(crypto(), options);
  std::vector<int> order;
  store->commit({}, [&](Result<Committed>) { order.push_back(1); });
  store->commit({}, [&](Result<Committed>) { order.push_back(2); });
  CHECK(order.empty());
  CHECK(store->stats().queued == 2);
  executor.run();
  CHECK(order == std::vector<int>{1, 2});
}

TEST_CASE("with an executor a glance has ended before the call has, and nothing is left to run", "[store]") {
  ManualExecutor executor;
  store::MemoryStoreOptions options;
  options.executor = &executor;
  const auto store = store::make_memory_store(crypto(), options);
  bool looked = false;
  bool done = false;
  store->glance([&](Reader&) -> Result<void> { return looked = true, Result<void>{}; },
                [&](const Result<void>& r) { done = looked && r.has_value(); });
  CHECK(done);
  Result<void> failed;
  store->glance([](Reader&) -> Result<void> { return Error(Errc::not_found, "nobody"); },
                [&](Result<void> r) { failed = std::move(r); });
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == Errc::not_found);
  CHECK(executor.run() == 0);
}

TEST_CASE("a key has one owner at a time") {
  const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
  const auto opened = open(kind);
  auto& store = *opened->store;
  const auto apply = [&](std::vector<Op> ops) { return commit(store, std::move(ops)); };
  const auto owner = [&](Scope s, std::string_view key) {
    return read(store, [&](Reader& r) { return r.key_owner(s, key); });
  };
  const auto one = id<ResourceId>(1);
  const auto two = id<ResourceId>(2);
  CHECK(code_of(apply({op::ClaimKey{here, "k", one, "tag"}})) == Errc::ok);
  CHECK(code_of(apply({op::ClaimKey{here, "k", one, "tag"}})) == Errc::ok);
  const auto refused = apply({op::PutResource{user(here, 2, "bob")}, op::ClaimKey{here, "k", two, "tag"}});
  CHECK(code_of(refused) == Errc::uniqueness);
  CHECK(refused.error().where() == "tag");
  CHECK(owner(here, "k") == one);
  CHECK_FALSE(read(store, [&](Reader& r) { return r.resource(here, two); }));
  CHECK(code_of(apply({op::ClaimKey{scope(1, 2), "k", two, "tag"}})) == Errc::ok);
  CHECK(code_of(apply({op::ReleaseKey{here, "k", two}})) == Errc::ok);
  CHECK(owner(here, "k") == one);
  CHECK(code_of(apply({op::ReleaseKey{here, "k", one}, op::ClaimKey{here, "k", two, "tag"}})) == Errc::ok);
  CHECK(owner(here, "k") == two);
  CHECK_FALSE(owner(here, "other"));
}

}  // namespace deprov::test::store_test
