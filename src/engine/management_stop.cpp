// The kill switch. What is in memory stops first, then that is made durable, and only then is it answered.
#include "engine/management.hpp"
#include "jobs/lane.hpp"

namespace deprov::engine {

namespace {

/// Lanes as the present state wants them.
void settle_lanes(Engine::Impl& impl, WorkspaceId workspace) {
  for (const auto& context : impl.directory.all()) {
    if (context->row.scope.workspace != workspace) continue;
    const auto slot = impl.background.find(context->row.scope.integration.value);
    if (slot != impl.background.end() && slot->second.lane)
      slot->second.lane->set_paused(impl.stands_still(*context));
  }
}

/// The workspace's own lane row: while it says why it stands still, nothing in the workspace runs.
void put_stop(const std::shared_ptr<Engine::Impl>& impl, const Principal& by, const std::string& event,
              const std::string& reason, const std::string& paused, Done<void> done) {
  impl->decide(
      [impl, by, event, reason, paused](port::Reader& reader) -> Result<port::Transaction> {
        const port::Scope scope{by.workspace, {}};
        DEPROV_TRY(workspace, reader.workspace(by.workspace));
        if (!workspace)
          return Error(Errc::not_found, "there is no such workspace", "workspace " + by.workspace.str());
        DEPROV_TRY(lane, reader.lane(scope));
        auto row = lane.value_or(port::LaneRow{});
        if (row.paused.empty() == paused.empty()) return port::Transaction{};
        row.scope = scope;
        row.paused = paused;
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.reads.lanes.push_back({scope, row.epoch});
        txn.ops.emplace_back(port::op::PutLane{std::move(row)});
        txn.ops.emplace_back(impl->activity(scope, event, by.actor(), {{"reason", reason}}));
        return txn;
      },
      [impl, by, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        impl->notify({by.workspace, {}});
        done({});
      });
}

}  // namespace

void Engine::stop_integration(Principal by, IntegrationId id, std::string reason,
                              Done<port::IntegrationRow> done) {
  const auto impl = impl_;
  using Row = port::IntegrationRow;
  if (auto ok = require_integrations(by); !ok) return finish<Row>(impl, std::move(done), ok.error());
  if (auto ok = check_reason(reason); !ok) return finish<Row>(impl, std::move(done), ok.error());
  impl->ports.executor.post([impl, by, id, reason = std::move(reason), done = std::move(done)]() mutable {
    const auto context = impl->directory.find(id);
    const bool here = context && context->row.scope.workspace == by.workspace;
    if (here) {
      impl->stopping.insert(id.value);
      settle_lanes(*impl, by.workspace);
    }
    auto result = std::make_shared<Row>();
    impl->decide(
        [impl, by, id, reason, result](port::Reader& reader) -> Result<port::Transaction> {
          DEPROV_TRY(row, load_integration(reader, by, id));
          *result = row;
          if (row.state == port::IntegrationState::stopped) return port::Transaction{};
          const auto before = row.state;
          row.state = port::IntegrationState::stopped;
          row.modified = impl->now();
          *result = row;
          ++result->version;
          port::Transaction txn;
          txn.id = impl->new_id<TxnId>();
          txn.ops.emplace_back(impl->activity(row.scope, "integration.stopped", by.actor(),
                                              {{"reason", reason}, {"state_before", port::to_string(before)}}));
          txn.ops.emplace_back(port::op::PutIntegration{std::move(row)});
          return txn;
        },
        [impl, by, id, here, result, done = std::move(done)](Result<port::Committed> committed) mutable {
          if (!committed) {
            // Nothing durable says that it stands still, so it does not.
            if (here) {
              impl->stopping.erase(id.value);
              settle_lanes(*impl, by.workspace);
            }
            return done(committed.error());
          }
          impl->notify(result->scope);
          make_current(impl, result->scope, *result, [impl, id, result, done = std::move(done)]() mutable {
            impl->stopping.erase(id.value);
            done(std::move(*result));
          });
        });
  });
}

void Engine::stop_workspace(Principal by, std::string reason, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  if (auto ok = check_reason(reason); !ok) return finish<void>(impl, std::move(done), ok.error());
  impl->ports.executor.post([impl, by, reason = std::move(reason), done = std::move(done)]() mutable {
    const auto why = by.actor() + ": " + reason;
    const bool added = impl->stopped_workspaces.emplace(by.workspace, why).second;
    settle_lanes(*impl, by.workspace);
    put_stop(impl, by, "workspace.stopped", reason, why,
             [impl, by, added, done = std::move(done)](Result<void> stored) mutable {
               if (!stored && added) {
                 impl->stopped_workspaces.erase(by.workspace);
                 settle_lanes(*impl, by.workspace);
               }
               done(std::move(stored));
             });
  });
}

void Engine::resume_workspace(Principal by, std::string reason, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_principals(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  if (auto ok = check_reason(reason); !ok) return finish<void>(impl, std::move(done), ok.error());
  put_stop(impl, by, "workspace.resumed", reason, {},
           [impl, by, done = std::move(done)](Result<void> stored) mutable {
             if (stored) {
               impl->stopped_workspaces.erase(by.workspace);
               settle_lanes(*impl, by.workspace);
             }
             done(std::move(stored));
           });
}

}  // namespace deprov::engine
