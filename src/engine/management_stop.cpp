// What stands still by a person's word. The kill switch: what is in memory stops first, then that is made durable,
// and only then is it answered. A pause lets what is under way end.
#include "engine/management.hpp"
#include "jobs/lane.hpp"

namespace deprov::engine {

namespace {

/// The workspace's own lane row: while it says why it stands still, nothing in the workspace runs.
void put_stop(const std::shared_ptr<Engine::Impl>& impl, const Principal& by, const std::string& event,
              const std::string& reason, const std::string& paused, Done<void> done) {
  impl->decide(
      [impl, by, event, reason, paused](port::Reader& reader) -> Result<port::Transaction> {
        const port::Scope scope{by.workspace, {}};
        DEPROV_CHECK(require_workspace(reader, by));
        DEPROV_TRY(lane, reader.lane(scope));
        auto row = lane.value_or(port::LaneRow{});
        if (row.paused.empty() == paused.empty()) return port::Transaction{};
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.reads.lanes.push_back({scope, row.epoch});
        row.scope = scope;
        row.paused = paused;
        ++row.epoch;  // lanes of other engines send nothing that was decided before
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

void Engine::set_integration_state(Principal by, IntegrationId id, port::IntegrationState state,
                                   Done<port::IntegrationRow> done, std::string reason) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok)
    return finish<port::IntegrationRow>(impl, std::move(done), ok.error());
  if (!reason.empty())
    if (auto ok = check_reason(reason); !ok)
      return finish<port::IntegrationRow>(impl, std::move(done), ok.error());
  if (state == port::IntegrationState::deleted || state == port::IntegrationState::stopped) {
    return finish<port::IntegrationRow>(
        impl, std::move(done),
        Error(Errc::invalid_argument, "an integration is deleted by `delete`, and stopped by `stop`", "state"));
  }
  auto result = std::make_shared<port::IntegrationRow>();
  impl->decide(
      [impl, by, id, state, reason = std::move(reason),
       result](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, load_integration(reader, by, id));
        if (state == port::IntegrationState::paused && row.state == port::IntegrationState::stopped) {
          return Error(Errc::conflict, "the integration is stopped, which is more than paused",
                       "integration " + id.str(), "resume it first");
        }
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        if (state == port::IntegrationState::active) DEPROV_CHECK(clear_lane_pause(reader, row.scope, txn));
        *result = row;
        if (row.state == state && txn.ops.empty()) return txn;
        if (row.state != state) {
          row.state = state;
          row.modified = impl->now();
          txn.ops.emplace_back(port::op::PutIntegration{row});
          *result = row;
          ++result->version;
        }
        json::object detail;
        if (!reason.empty()) detail["reason"] = reason;
        txn.ops.emplace_back(impl->activity(
            row.scope, state == port::IntegrationState::paused ? "integration.paused" : "integration.resumed",
            by.actor(), detail));
        return txn;
      },
      [impl, by, id, state, result, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) {
          // Where nobody knows whether a pause was stored it stands still until the store says so.
          const bool pausing = state == port::IntegrationState::paused;
          if (committed.error().code() == Errc::commit_unknown) {
            if (pausing) impl->stopping.insert(id.value);
            impl->settle_lanes(by.workspace);
            impl->look_again({by.workspace, id}, [impl, by, id, pausing] {
              if (pausing) impl->stopping.erase(impl->stopping.find(id.value));
              impl->settle_lanes(by.workspace);
            });
          }
          return done(committed.error());
        }
        impl->notify(result->scope);
        make_current(impl, result->scope, *result,
                     [result, done = std::move(done)]() mutable { done(std::move(*result)); });
      });
}

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
      impl->settle_lanes(by.workspace);
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
          // Another stop of the same may still be on its way: each takes back its own.
          const auto settled = [impl, by, id, here] {
            if (const auto it = impl->stopping.find(id.value); here && it != impl->stopping.end())
              impl->stopping.erase(it);
            impl->settle_lanes(by.workspace);
          };
          if (!committed) {
            // Where nobody knows whether it was stored it stands still until the store says so.
            if (committed.error().code() == Errc::commit_unknown) {
              impl->look_again({by.workspace, id}, settled);
            } else {
              settled();
            }
            return done(committed.error());
          }
          impl->notify(result->scope);
          make_current(impl, result->scope, *result, [settled, result, done = std::move(done)]() mutable {
            settled();
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
    impl->stopping_workspaces.insert(by.workspace);
    impl->stopped_workspaces.emplace(by.workspace, why);
    impl->settle_lanes(by.workspace);
    put_stop(impl, by, "workspace.stopped", reason, why,
             [impl, by, done = std::move(done)](Result<void> stored) mutable {
               impl->stopping_workspaces.erase(impl->stopping_workspaces.find(by.workspace));
               // Whatever became of it, and of others that came meanwhile: what is stored counts, and until that
               // is known it stands still.
               impl->look_for_stop(by.workspace);
               done(std::move(stored));
             });
  });
}

void Engine::resume_workspace(Principal by, std::string reason, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_principals(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  if (auto ok = check_reason(reason); !ok) return finish<void>(impl, std::move(done), ok.error());
  put_stop(
      impl, by, "workspace.resumed", reason, {}, [impl, by, done = std::move(done)](Result<void> stored) mutable {
        impl->look_for_stop(by.workspace, [done = std::move(done), stored]() mutable { done(std::move(stored)); });
      });
}

}  // namespace deprov::engine
