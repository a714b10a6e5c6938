// A transaction as a whole: its read set, its ops in order, and what is kept about it.
#include "sqlite_writer.hpp"
#include <algorithm>
#include "problems.hpp"
#include "sqlite_rows.hpp"

namespace deprov::store {

using namespace port;

namespace {
/// Beyond this many ops it is cheaper to compare the read set by itself.
constexpr std::size_t ops_searched = 16;
}  // namespace

SqliteWriter::Applied SqliteWriter::apply(const Transaction& txn, bool careful) {
  out_ = {};
  wrote_ = false;
  guards_.clear();
  txn_jobs_.clear();
  txn_resources_.clear();
  txn_groups_.clear();
  txn_counters_.clear();
  txn_population_.clear();
  if (careful) {
    if (auto r = c_.run(Q::savepoint); !r) return {r.error()};
  }
  auto result = check(txn, careful);
  if (result) result = apply_ops(txn);
  if (c_.failed()) return {c_.check().error()};
  if (!result) {
    if (!txn_counters_.empty()) forget_guard();
    if (careful) {
      if (auto r = c_.run(Q::rollback_to); !r) return {r.error()};
      if (auto r = c_.run(Q::release); !r) return {r.error()};
      if (wrote_) {  // what was cached may have been of this transaction
        scopes_.forget();
        chains_.clear();
        integrations_.clear();
        lanes_.clear();
        forget_guard();
      }
      return {result.error()};
    }
    if (wrote_) return {result.error(), true};
    // An op found first what the read set says too: the read set's answer counts.
    if (auto r = check(txn, true); !r) result = r.error();
    return {result.error()};
  }
  if (careful) {
    if (auto r = c_.run(Q::release); !r) return {r.error()};
  }
  for (const auto& [key, n] : txn_jobs_) jobs_[key] += n;
  for (auto& [key, n] : txn_resources_) resources_[key] += n;
  for (const auto& [key, n] : txn_groups_) groups_[key] += n;
  for (auto& [key, n] : txn_counters_) counters_[key] += n;
  for (const auto& [key, n] : txn_population_) population_[key] += n;
  return {std::move(out_)};
}

Result<void> SqliteWriter::apply_ops(const Transaction& txn) {
  for (const auto& op : txn.ops) DEPROV_CHECK(std::visit([this](const auto& o) { return apply(o); }, op));
  return {};
}

Result<std::unique_ptr<Reader>> SqliteWriter::reader() {
  DEPROV_CHECK(flush());
  return make_sqlite_reader(c_, scopes_);
}

Result<void> SqliteWriter::flush() {
  for (const auto& [key, n] : jobs_)
    if (n != 0) DEPROV_CHECK(write(Q::job_count_add, key.first, key.second, n));
  jobs_.clear();
  for (const auto& [key, n] : resources_)
    if (n != 0) DEPROV_CHECK(write(Q::resource_count_add, key.first, key.second, n));
  resources_.clear();
  for (const auto& [key, n] : groups_)
    if (n != 0) DEPROV_CHECK(write(Q::group_size_add, key.first, key.second, n));
  groups_.clear();
  return flush_guard();
}

void SqliteWriter::forget() {
  jobs_.clear();
  resources_.clear();
  groups_.clear();
  counters_.clear();
  population_.clear();
  pruned_.clear();
  folded_.clear();
  scopes_.forget();
  chains_.clear();
  integrations_.clear();
  lanes_.clear();
  forget_guard();
}

Result<void> SqliteWriter::check(const Transaction& txn, bool all) {
  const auto& reads = txn.reads;
  const bool search = !all && txn.ops.size() <= ops_searched;
  for (const auto& r : reads.lanes) DEPROV_CHECK(check_lane(r));
  for (const auto& r : reads.integrations) DEPROV_CHECK(check_integration(r));
  for (const auto& r : reads.resources)
    if (!(search && covered(txn, r))) DEPROV_CHECK(check_resource(r));
  for (const auto& r : reads.subjects)
    if (!(search && cover(txn, r))) DEPROV_CHECK(check_subject(r));
  for (const auto& r : reads.intents) DEPROV_CHECK(check_intent(r));
  for (const auto& r : reads.holds) DEPROV_CHECK(check_hold(r));
  return {};
}

Result<std::int64_t> SqliteWriter::scope_for_writing(const Scope& scope) {
  if (const auto number = scopes_.find(scope); number != no_scope) return number;
  wrote_ = true;
  return scopes_.make(scope);
}

bool SqliteWriter::covered(const Transaction& txn, const ReadSet::ResourceVersion& r) {
  for (const auto& op : txn.ops) {
    if (const auto* put = std::get_if<op::PutResource>(&op);
        put && put->row.id == r.id && put->row.scope == r.scope)
      return put->row.version == r.version;
    if (const auto* touch = std::get_if<op::TouchResource>(&op); touch && touch->id == r.id) return false;
  }
  return false;
}

bool SqliteWriter::cover(const Transaction& txn, const ReadSet::SubjectVersion& r) {
  for (const auto& op : txn.ops) {
    if (std::holds_alternative<op::AddMember>(op) || std::holds_alternative<op::RemoveMember>(op)) return false;
    const auto* put = std::get_if<op::PutSubject>(&op);
    if (put == nullptr || put->row.id != r.id || put->row.scope != r.scope) continue;
    for (const auto& guard : guards_)
      if (guard.op == put) return false;
    guards_.push_back({put, r.grants_version});
    return true;
  }
  return false;
}

Result<void> SqliteWriter::check_lane(const ReadSet::LaneEpoch& r) {
  const auto scope = scopes_.find(r.scope);
  auto it = lanes_.find(scope);
  if (it == lanes_.end()) {
    Use use(c_, Q::lane_get, scope);
    std::uint64_t epoch = 0;
    if (use.row()) {
      use.skip();
      use.read(epoch);
    }
    DEPROV_CHECK(c_.check());
    if (scope == no_scope) return r.epoch == 0 ? Result<void>() : fenced_lane(r.scope, r.epoch, 0);
    it = lanes_.emplace(scope, epoch).first;
  }
  if (it->second != r.epoch) return fenced_lane(r.scope, r.epoch, it->second);
  return {};
}

Result<void> SqliteWriter::check_integration(const ReadSet::IntegrationVersion& r) {
  const auto scope = scopes_.find(r.scope);
  auto it = integrations_.find(scope);
  if (it == integrations_.end()) {
    Use use(c_, Q::integration_version, scope);
    const auto version = use.row() ? static_cast<std::uint64_t>(use.integer()) : 0;
    DEPROV_CHECK(c_.check());
    if (version == 0)
      return r.version == 0 ? Result<void>() : stale(named("integration", r.scope.integration), r.version, 0);
    it = integrations_.emplace(scope, version).first;
  }
  if (it->second != r.version) return stale(named("integration", r.scope.integration), r.version, it->second);
  return {};
}

Result<void> SqliteWriter::check_resource(const ReadSet::ResourceVersion& r) {
  Use use(c_, Q::resource_state, scopes_.find(r.scope), r.id);
  const auto now = use.row() ? static_cast<std::uint64_t>(use.integer()) : 0;
  DEPROV_CHECK(c_.check());
  if (now != r.version) return stale(named("resource", r.id), r.version, now);
  return {};
}

Result<void> SqliteWriter::check_subject(const ReadSet::SubjectVersion& r) {
  Use use(c_, Q::subject_versions, scopes_.find(r.scope), r.id);
  const auto now = use.row() ? static_cast<std::uint64_t>(use.integer()) : 0;
  DEPROV_CHECK(c_.check());
  if (now != r.grants_version) return stale(named("grants of subject", r.id), r.grants_version, now);
  return {};
}

Result<void> SqliteWriter::check_intent(const ReadSet::IntentGeneration& r) {
  Use use(c_, Q::subject_versions, scopes_.find(r.scope), r.subject);
  std::uint64_t now = 0;
  if (use.row()) {
    use.skip();
    use.read(now);
  }
  DEPROV_CHECK(c_.check());
  if (now != r.generation) return stale(named("intent of subject", r.subject), r.generation, now);
  return {};
}

}  // namespace deprov::store
