// What the functions about management share: who may, where, and in which words it is refused.
#pragma once

#include <deprov/connector/connector.hpp>
#include <deprov/engine/engine.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include "engine/impl.hpp"

namespace deprov::engine {

/// Errors: `forbidden`.
[[nodiscard]] Result<void> require_integrations(const Principal& by);
[[nodiscard]] Result<void> require_principals(const Principal& by);
/// A name for people: 1 to 256 bytes, no control characters. Errors: `invalid_argument`.
[[nodiscard]] Result<void> check_name(std::string_view name, std::string_view where);

/// Why somebody does something: 1 to 1000 bytes. Errors: `invalid_argument`.
[[nodiscard]] Result<void> check_reason(std::string_view reason);
/// After the commit of an act on one integration: followers are told, and lanes look for what there is to do.
void announce(const std::shared_ptr<Engine::Impl>& impl, const port::Scope& scope);

/// Whether the workspace that something is made in is there. Errors: `not_found`, `invalid_argument`.
[[nodiscard]] Result<void> require_workspace(port::Reader& reader, const Principal& by);
/// The row of a live integration in the principal's workspace. Errors: `not_found` (R21: also where it is
/// another workspace's).
[[nodiscard]] Result<port::IntegrationRow> load_integration(port::Reader& reader, const Principal& by,
                                                            IntegrationId id);
/// A user of the integration, deleted or not. Errors: `not_found`.
[[nodiscard]] Result<port::ResourceRow> load_subject(port::Reader& reader, const port::Scope& scope,
                                                     ResourceId id);

/// A fresh bearer token of 256 bits and what is stored of it.
struct IssuedToken {
  std::string text;
  port::Sha256 hash{};
};
[[nodiscard]] IssuedToken issue_token(const Ports& ports, std::string_view prefix);

/// Hands a result over on the executor.
template <class T>
void finish(const std::shared_ptr<Engine::Impl>& impl, Done<T> done, Result<T> result) {
  impl->ports.executor.post(
      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

/// One call on a connection opened for it alone. On the executor; `done` comes there too.
void call_app(const std::shared_ptr<Engine::Impl>& impl, std::unique_ptr<connector::Connector> app,
              connector::Call call, port::UniqueFunction<void(connector::Reply)> done);
/// A reply as the error of a check that failed. Errors: `unavailable` or `invalid_argument`.
[[nodiscard]] Error check_error(const connector::Reply& reply);
/// Outcome and detail of a check, for the activity.
[[nodiscard]] json::object check_json(const connector::Reply& reply);

/// Makes the stored row the current one, for requests and for the lane. Where it cannot be read now, `known` is
/// it: what was committed a moment ago.
void make_current(const std::shared_ptr<Engine::Impl>& impl, port::Scope scope,
                  std::optional<port::IntegrationRow> known, port::UniqueFunction<void()> done);
/// The op that lets a lane run again which stopped by itself, or nothing where it runs.
[[nodiscard]] Result<void> clear_lane_pause(port::Reader& reader, const port::Scope& scope,
                                            port::Transaction& txn);

/// A job that is taken from a hold otherwise than by deciding the hold leaves it.
[[nodiscard]] Result<void> leave_hold(port::Reader& reader, const port::JobRow& job, WallTime now, std::string by,
                                      port::Transaction& txn);
/// After a change of the policy: whoever a rule of it retained is looked at again.
void reconsider_retained(const std::shared_ptr<Engine::Impl>& impl, const port::Scope& scope);

}  // namespace deprov::engine
