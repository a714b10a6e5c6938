// What the store says where memory may not know it: a commit whose outcome was lost, and what other engines on the
// same store were told.
#include <algorithm>
#include <utility>
#include "engine/courier.hpp"
#include "engine/impl.hpp"
#include "jobs/lane.hpp"

namespace deprov::engine {

namespace {
constexpr Duration ask_again_after = std::chrono::seconds(1);
}

void Engine::Impl::look_for_stop(WorkspaceId workspace, port::UniqueFunction<void()> then) {
  const auto asked = ++stop_looks[workspace];
  auto lane = std::make_shared<std::optional<port::LaneRow>>();
  auto self = shared_from_this();
  ports.store.view(
      [lane, workspace](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(row, reader.lane({workspace, {}}));
        *lane = std::move(row);
        return {};
      },
      [self, lane, workspace, asked, then = std::move(then)](Result<void> read) mutable {
        self->ports.executor.post([self, lane, workspace, asked, read, then = std::move(then)]() mutable {
          const bool newest = self->stop_looks[workspace] == asked;
          if (!read && newest && !self->closing)
            self->ports.executor.post_at(self->ports.clock.mono() + ask_again_after,
                                         [weak = self->weak_from_this(), workspace] {
                                           if (const auto engine = weak.lock()) engine->look_for_stop(workspace);
                                         });
          // Whoever stores a stop looks again afterwards, and until then it stands still.
          if (read && newest && !self->stopping_workspaces.contains(workspace)) {
            if (*lane && !(*lane)->paused.empty()) {
              self->stopped_workspaces.insert_or_assign(workspace, (*lane)->paused);
            } else {
              self->stopped_workspaces.erase(workspace);
            }
            self->settle_lanes(workspace);
          }
          if (then) then();
        });
      });
}

void Engine::Impl::look_again(port::Scope scope, port::UniqueFunction<void()> then) {
  auto self = shared_from_this();
  refresh(scope, [self, scope, then = std::move(then)](const Result<void>& read) mutable {
    const auto context = self->directory.find(scope.integration);
    if (!read && context && !self->closing) {
      // What stays unreadable (another engine's policy that this one refuses) is found anew from time to time: one
      // look at it is enough.
      if (!then && !self->looks_due.insert(scope.integration.value).second) return;
      self->ports.executor.post_at(self->ports.clock.mono() + ask_again_after,
                                   [weak = self->weak_from_this(), scope, then = std::move(then)]() mutable {
                                     const auto engine = weak.lock();
                                     if (!engine) return;
                                     if (!then) engine->looks_due.erase(scope.integration.value);
                                     engine->look_again(scope, std::move(then));
                                   });
      return;
    }
    if (then) then();
    if (context) {
      self->attach(context);
      self->poke(scope);
    } else if (read && !self->closing) {
      self->detach(scope, [self] {});  // the lane refers to the engine until its calls have ended
    }
  });
}

// A lease of zero means that the store belongs to this engine alone.
void Engine::Impl::watch_others() {
  if (options.lane_lease.count() == 0 || closing) return;
  ports.executor.post_at(ports.clock.mono() + options.lane_lease / 3, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->closing) return;
    struct Seen {
      std::vector<port::IntegrationRow> rows;
      std::vector<port::GatewayTokenRow> tokens;
      std::map<WorkspaceId, bool> stopped;
      Courier::Shown webhooks;
    };
    auto seen = std::make_shared<Seen>();
    seen->webhooks.known = self->courier->known();
    self->ports.store.view(
        [seen](port::Reader& reader) -> Result<void> {
          DEPROV_TRY(rows, reader.integrations(std::nullopt));
          for (const auto& row : rows) {
            DEPROV_TRY(tokens, reader.gateway_tokens(row.scope));
            seen->tokens.insert(seen->tokens.end(), tokens.begin(), tokens.end());
          }
          seen->rows = std::move(rows);
          DEPROV_TRY(webhooks, reader.webhooks(std::nullopt));
          DEPROV_TRY(workspaces, reader.workspaces());
          for (const auto& workspace : workspaces) {
            DEPROV_TRY(lane, reader.lane({workspace.id, {}}));
            seen->stopped[workspace.id] = lane && !lane->paused.empty();
            if (std::none_of(webhooks.begin(), webhooks.end(),
                             [&](const auto& w) { return w.workspace == workspace.id; }))
              continue;
            std::vector<port::Scope> chains{{workspace.id, {}}};
            DEPROV_TRY(ever, reader.integrations_ever(workspace.id));
            for (const auto& row : ever) chains.push_back(row.scope);
            for (const auto& chain : chains) {
              DEPROV_TRY(head, reader.activity_head(chain));
              if (head != 0) seen->webhooks.heads[chain] = head;
            }
          }
          seen->webhooks.rows = std::move(webhooks);
          return {};
        },
        [self, seen](Result<void> read) {
          self->ports.executor.post([self, seen, read] {
            self->watch_others();
            if (!read || self->closing) return;
            // A token ends earlier than it is known to, never later.
            for (const auto& token : seen->tokens) {
              const auto known = self->directory.token(token.hash);
              const bool ends_earlier =
                  known && token.expires && (!known->expires || *token.expires < *known->expires);
              if (!known || ends_earlier) self->directory.put_token(token);
            }
            self->courier->seen(seen->webhooks);
            for (const auto& [workspace, stopped] : seen->stopped)
              if (stopped != self->stopped_workspaces.contains(workspace)) self->look_for_stop(workspace);
            for (const auto& row : seen->rows) {
              const auto known = self->directory.find(row.scope.integration);
              if (!known || known->row.version < row.version) self->look_again(row.scope);
            }
            for (const auto& context : self->directory.all()) {
              const auto& scope = context->row.scope;
              if (std::none_of(seen->rows.begin(), seen->rows.end(),
                               [&](const auto& row) { return row.scope == scope; }))
                self->look_again(scope);
            }
          });
        });
  });
}

}  // namespace deprov::engine
