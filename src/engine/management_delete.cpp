// Deleting an integration (R8): it removes nobody, and leaves no unfinished removal behind unnamed.
#include <limits>
#include "engine/decision.hpp"
#include "engine/management.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t piece = 200;

/// What is left undone in one integration, as far as one transaction may take it.
struct Unfinished {
  std::vector<port::JobRow> jobs;
  std::vector<port::DueRow> dues;
  std::vector<port::WorkRow> works;
  bool more = false;
  [[nodiscard]] std::size_t removals() const {
    // Who is retained waits for nothing.
    std::size_t n = works.size();
    for (const auto& due : dues) n += due.kind == retained_kind ? 0U : 1U;
    for (const auto& j : jobs)
      if (j.kind != port::JobKind::bind) ++n;
    return n;
  }
  [[nodiscard]] bool none() const { return jobs.empty() && dues.empty() && works.empty(); }
};

Result<Unfinished> read_unfinished(port::Reader& reader, const port::Scope& scope) {
  Unfinished u;
  port::JobFilter filter;
  filter.finished = false;
  DEPROV_TRY(jobs, reader.jobs(scope, filter, std::nullopt, piece));
  u.jobs = std::move(jobs.rows);
  const WallTime end_of_time{std::numeric_limits<std::int64_t>::max()};
  DEPROV_TRY(dues, reader.dues(scope, end_of_time, piece));
  DEPROV_TRY(works, reader.works(scope, piece));
  u.more = jobs.more || dues.size() == piece || works.size() == piece;
  u.dues = std::move(dues);
  u.works = std::move(works);
  return u;
}

/// Whether any unfinished job is more than a look-up; all of them are walked, page by page.
Result<std::uint64_t> count_removals(port::Reader& reader, const port::Scope& scope) {
  DEPROV_TRY(first, read_unfinished(reader, scope));
  std::uint64_t count = first.works.size();
  for (const auto& due : first.dues) count += due.kind == retained_kind ? 0U : 1U;
  port::JobFilter filter;
  filter.finished = false;
  std::optional<JobId> before;
  for (bool more = true; more;) {
    DEPROV_TRY(page, reader.jobs(scope, filter, before, 1000));
    for (const auto& j : page.rows)
      if (j.kind != port::JobKind::bind) ++count;
    if (!page.rows.empty()) before = page.rows.back().id;
    more = page.more && !page.rows.empty();
  }
  return count;
}

Error refuse(IntegrationId id, std::uint64_t count) {
  return {Errc::conflict,
          std::to_string(count) + (count == 1 ? " removal is" : " removals are") +
              " unfinished, and would be forgotten",
          "integration " + id.str(),
          "let them finish, or abandon them by name (--abandon); deleting removes nobody's access"};
}

/// One transaction of the deletion. `deleted` tells whether it was the last one.
Result<port::Transaction> delete_piece(Engine::Impl& impl, port::Reader& reader, const Principal& by,
                                       IntegrationId id, bool abandon, bool& deleted) {
  deleted = false;
  DEPROV_TRY(row, load_integration(reader, by, id));
  DEPROV_TRY(left, read_unfinished(reader, row.scope));
  if (!abandon) {
    DEPROV_TRY(count, count_removals(reader, row.scope));
    if (count != 0) return refuse(id, count);
  }
  port::Transaction txn;
  txn.id = impl.new_id<TxnId>();
  const auto now = impl.now();
  const auto name_of = [&](ResourceId subject) -> Result<json::object> {
    json::object detail{{"reason", "the integration was deleted"}};
    DEPROV_TRY(resource, reader.resource(row.scope, subject));
    if (resource && !resource->user_name_key.empty()) detail["user_name"] = resource->user_name_key;
    return detail;
  };
  for (auto& job : left.jobs) {
    if (job.kind != port::JobKind::bind) {
      DEPROV_TRY(detail, name_of(job.subject));
      detail["cause"] = idp::to_string(job.cause);
      detail["state"] = port::to_string(job.state);
      txn.ops.emplace_back(impl.activity(row.scope, "removal.abandoned", by.actor(), detail, job.subject, job.id));
    }
    job.state = port::JobState::cancelled;
    job.reason = "the integration was deleted";
    job.finished = now;
    job.lease = {};
    txn.ops.emplace_back(port::op::PutJob{std::move(job), std::nullopt});
  }
  for (const auto& due : left.dues) {
    if (due.kind == retained_kind) {
      txn.ops.emplace_back(port::op::RemoveDue{row.scope, due.subject, due.kind});
      continue;
    }
    DEPROV_TRY(detail, name_of(due.subject));
    detail["waited_for"] = due.kind;
    txn.ops.emplace_back(impl.activity(row.scope, "removal.abandoned", by.actor(), detail, due.subject));
    txn.ops.emplace_back(port::op::RemoveDue{row.scope, due.subject, due.kind});
  }
  for (const auto& work : left.works) {
    txn.ops.emplace_back(impl.activity(row.scope, "work.abandoned", by.actor(),
                                       {{"group", work.group.str()},
                                        {"kind", work.kind},
                                        {"members", work.total},
                                        {"done", work.done},
                                        {"reason", "the integration was deleted"}}));
    txn.ops.emplace_back(port::op::RemoveWork{row.scope, work.id});
  }
  if (left.more) return txn;
  deleted = true;
  row.state = port::IntegrationState::deleted;
  row.modified = now;
  row.secrets.clear();
  txn.ops.emplace_back(port::op::PutIntegration{row});
  txn.ops.emplace_back(port::op::ExpireGatewayTokens{row.scope, {}, now});
  txn.ops.emplace_back(port::op::RemoveCheckpoints{row.scope});
  txn.ops.emplace_back(impl.activity(row.scope, "integration.deleted", by.actor(), {{"name", row.name}}));
  txn.ops.emplace_back(impl.activity({row.scope.workspace, {}}, "integration.deleted", by.actor(),
                                     {{"integration", id.str()}, {"name", row.name}}));
  return txn;
}

/// Piece after piece, each decided inside the writer, so that no removal can slip in between.
void delete_on(const std::shared_ptr<Engine::Impl>& impl, const Principal& by, IntegrationId id, bool abandon,
               Done<void> done) {
  auto deleted = std::make_shared<bool>(false);
  impl->ports.store.transact(
      [impl, by, id, abandon, deleted](port::Reader& reader) {
        return delete_piece(*impl, reader, by, id, abandon, *deleted);
      },
      [impl, by, id, abandon, deleted, done = std::move(done)](Result<port::Committed> committed) mutable {
        impl->ports.executor.post(
            [impl, by, id, abandon, deleted, done = std::move(done), committed = std::move(committed)]() mutable {
              if (!committed) return done(committed.error());
              impl->notify({by.workspace, id});
              if (!*deleted) return delete_on(impl, by, id, abandon, std::move(done));
              impl->notify({by.workspace, {}});
              done({});
            });
      });
}

}  // namespace

void Engine::delete_integration(Principal by, IntegrationId id, bool abandon, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  view(
      [by, id, abandon](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(row, load_integration(reader, by, id));
        if (abandon) return {};
        DEPROV_TRY(count, count_removals(reader, row.scope));
        if (count != 0) return refuse(id, count);
        return {};
      },
      [impl, by, id, abandon, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        const port::Scope scope{by.workspace, id};
        auto go = [impl, by, id, abandon, scope, done = std::move(done)]() mutable {
          delete_on(impl, by, id, abandon, [impl, scope, done = std::move(done)](Result<void> result) mutable {
            if (result) {
              impl->directory.remove(scope.integration);
              // Whoever heard of another change meanwhile has made a lane for it again.
              if (impl->started) impl->detach(scope, [impl] {});
              return done({});
            }
            make_current(impl, scope, std::nullopt,
                         [error = result.error(), done = std::move(done)]() mutable { done(error); });
          });
        };
        if (!impl->started) return go();
        impl->detach(scope, std::move(go));
      });
}

}  // namespace deprov::engine
