#include "engine/management.hpp"
#include <deprov/utf8.hpp>
#include "jobs/lane.hpp"

namespace deprov::engine {

std::string Principal::actor() const { return id.is_nil() ? "local" : "principal:" + id.str(); }

bool Engine::may_manage_integrations(port::Role role) { return role != port::Role::member; }

bool Engine::may_manage_principals(port::Role role) {
  return role == port::Role::owner || role == port::Role::super_admin;
}

Result<void> require_integrations(const Principal& by) {
  if (Engine::may_manage_integrations(by.role)) return {};
  return Error(Errc::forbidden,
               "the role " + std::string(port::to_string(by.role)) + " may not manage integrations", {},
               "it takes owner, super_admin or admin");
}

Result<void> require_principals(const Principal& by) {
  if (Engine::may_manage_principals(by.role)) return {};
  return Error(Errc::forbidden, "the role " + std::string(port::to_string(by.role)) + " may not manage principals",
               {}, "it takes owner or super_admin");
}

Result<void> check_name(std::string_view name, std::string_view where) {
  if (name.empty())
    return Error(Errc::invalid_argument, "a name is needed", std::string(where), "give 1 to 256 bytes");
  if (name.size() > 256) {
    return Error(Errc::invalid_argument, "the name is " + std::to_string(name.size()) + " bytes long",
                 std::string(where), "give at most 256 bytes");
  }
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return Error(Errc::invalid_argument, "the name has a control character in it", std::string(where));
  }
  return {};
}

Result<void> check_reason(std::string_view reason) {
  if (reason.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return Error(Errc::invalid_argument, "a reason is needed", "reason", "say in a few words why");
  if (!is_utf8(reason)) return Error(Errc::invalid_argument, "not UTF-8", "reason", "give it as UTF-8");
  if (reason.size() > 1000) {
    return Error(Errc::invalid_argument, "the reason is " + std::to_string(reason.size()) + " bytes long",
                 "reason", "give at most 1000 bytes");
  }
  return {};
}

Result<void> require_workspace(port::Reader& reader, const Principal& by) {
  if (by.workspace.is_nil())
    return Error(Errc::invalid_argument, "it is not said in which one", "workspace",
                 "call as the local administrator of a workspace, or by a token");
  DEPROV_TRY(row, reader.workspace(by.workspace));
  if (!row) return Error(Errc::not_found, "there is no such workspace", "workspace " + by.workspace.str());
  return {};
}

Result<port::IntegrationRow> load_integration(port::Reader& reader, const Principal& by, IntegrationId id) {
  DEPROV_TRY(row, reader.integration({by.workspace, id}));
  if (!row || row->state == port::IntegrationState::deleted) {
    return Error(Errc::not_found, "there is no such integration", "integration " + id.str(),
                 "list them with `deprov integration list`");
  }
  return std::move(*row);
}

Result<port::ResourceRow> load_subject(port::Reader& reader, const port::Scope& scope, ResourceId id) {
  DEPROV_TRY(row, reader.resource(scope, id));
  if (!row || row->type != "User") {
    return Error(Errc::not_found, "there is no such subject in this integration", "subject " + id.str(),
                 "list them with `deprov subjects list`");
  }
  return std::move(*row);
}

IssuedToken issue_token(const Ports& ports, std::string_view prefix) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::array<std::uint8_t, 33> bytes{};
  ports.random.fill(bytes);
  IssuedToken token;
  token.text = prefix;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto v = (static_cast<unsigned>(bytes[i]) << 16U) | (static_cast<unsigned>(bytes[i + 1]) << 8U) |
                   static_cast<unsigned>(bytes[i + 2]);
    for (const unsigned shift : {18U, 12U, 6U, 0U}) token.text.push_back(alphabet[(v >> shift) & 63U]);
  }
  token.hash = ports.crypto.sha256(port::bytes_of(token.text));
  return token;
}

void call_app(const std::shared_ptr<Engine::Impl>& impl, std::unique_ptr<connector::Connector> app,
              connector::Call call, port::UniqueFunction<void(connector::Reply)> done) {
  struct Exchange {
    std::unique_ptr<connector::Connector> app;
    port::UniqueFunction<void(connector::Reply)> done;
  };
  auto exchange = std::make_shared<Exchange>(Exchange{std::move(app), std::move(done)});
  auto* connector = exchange->app.get();
  connector->start(std::move(call), [impl, exchange](connector::Reply reply) mutable {
    impl->ports.executor.post([impl, exchange = std::move(exchange), reply = std::move(reply)]() mutable {
      auto finished = std::move(exchange->done);
      finished(std::move(reply));
    });
  });
}

Error check_error(const connector::Reply& reply) {
  using connector::Outcome;
  auto code = Errc::invalid_argument;
  switch (reply.outcome) {
    case Outcome::throttled:
    case Outcome::unavailable:
    case Outcome::not_sent:
    case Outcome::unknown_outcome:
    case Outcome::cancelled:
    case Outcome::deadline: code = Errc::unavailable; break;
    default: break;
  }
  std::string text = "the connection check failed: " + std::string(connector::to_string(reply.outcome));
  if (!reply.detail.empty()) text += ", " + reply.detail;
  return {code, std::move(text), "config", "correct the connection's config, or leave the check out (--no-check)"};
}

json::object check_json(const connector::Reply& reply) {
  json::object o;
  o["outcome"] = connector::to_string(reply.outcome);
  if (!reply.detail.empty()) o["detail"] = reply.detail;
  return o;
}

void make_current(const std::shared_ptr<Engine::Impl>& impl, port::Scope scope,
                  std::optional<port::IntegrationRow> known, port::UniqueFunction<void()> done) {
  impl->refresh(
      scope, [impl, scope, known = std::move(known), done = std::move(done)](const Result<void>& read) mutable {
        // What is stored counts, also while it cannot be read: what was answered "stopped" must not go on.
        const bool there = known && (known->version == 1 || impl->directory.find(scope.integration) ||
                                     impl->directory.fault(scope.integration));
        if (!read && there) {
          if (auto context = make_context(std::move(*known), impl->options.connectors))
            impl->directory.put(std::move(*context));
        }
        if (const auto context = impl->directory.find(scope.integration); context && impl->started) {
          // A lane that stopped by itself begins anew: whoever changes or checks the connection wants to see it
          // work.
          const auto slot = impl->background.find(scope.integration.value);
          if (slot != impl->background.end() && slot->second.lane && !slot->second.lane->own_pause().empty())
            slot->second.fingerprint.clear();
          impl->attach(context);
          impl->poke(scope);
        }
        done();
      });
}

void announce(const std::shared_ptr<Engine::Impl>& impl, const port::Scope& scope) {
  impl->notify(scope);
  if (impl->started) impl->poke(scope);
}

Result<void> clear_lane_pause(port::Reader& reader, const port::Scope& scope, port::Transaction& txn) {
  DEPROV_TRY(lane, reader.lane(scope));
  if (!lane || lane->paused.empty()) return {};
  lane->paused.clear();
  txn.reads.lanes.push_back({scope, lane->epoch});
  txn.ops.emplace_back(port::op::PutLane{std::move(*lane)});
  return {};
}

}  // namespace deprov::engine
