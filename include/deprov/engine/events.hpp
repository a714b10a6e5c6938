// Sources of kind "events": a receiver of Security Event Tokens, pushed (RFC 8935) or polled (RFC 8936).
#pragma once

#include <cstdint>
#include <deprov/engine/engine.hpp>
#include <deprov/idp/security_event.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace deprov::engine {

inline constexpr std::string_view event_source_kind = "events";

/// What the config of such a source may hold, as a JSON Schema. `authorization` of it, of `poll` and of
/// `verification` are secrets: sealed, and never shown again.
[[nodiscard]] const json::value& event_config_schema();

/// What became of a token.
struct ReceivedSet {
  std::optional<idp::SetRefusal> refused{};  ///< it is not taken, and will not be; nothing: it was
  bool repeated = false;                     ///< it had been taken before; nothing follows from it now
};

/// A subject of events whom nobody here is known by, or several are: for a person to link.
struct UnlinkedSubject {
  std::string subject;  ///< as the transmitter names it, as JSON
  std::string why;      ///< "unknown", "ambiguous"
  std::string event;    ///< the last one
  std::uint64_t count = 0;
  WallTime first, last;
  std::vector<ResourceId> candidates;  ///< of an ambiguous one, at most 5
};

/// The receivers of the engine's integrations. Made by `Engine::events`, and as long-lived as that engine; cheap.
///
/// A token is taken once: what it changes, that it was seen (its `jti`; its events by `txn`, type and subject) and
/// what it was about stand in one transaction. Until that is durable it is not acknowledged. What is remembered is
/// bounded: 30 days, 256 times 1024 tokens and events a source; a token that was issued before what is remembered
/// is refused, so that no replay passes.
///
/// An event revokes sessions where its type says that they ended at the IdP. One that ends or grants access counts
/// only where the source's config names its type as `authoritative`; otherwise, as all others, it is a hint (R5).
/// Protection, guard and approvals hold as for anything else. Subjects are linked by what the config says, by
/// default by immutable ids alone; who is named by nobody or by several is listed, and nothing follows (R12).
///
/// Of several engines that share a store one fetches the tokens of a stream (RFC 8936); when it is silent for 30
/// seconds and twice the lease of lanes after it was to ask, another one does.
///
/// *Thread safety*: any thread; completions come on the executor, once.
class Events {
 public:
  /// A token as it came, and the `Authorization` header of the request, which counts where the config wants one.
  /// Errors: `not_found` (no such receiver); `unavailable`, `busy`, `closed` and those of the store: try again,
  /// what came is not lost by it.
  void receive(SourceId source, std::string token, std::string authorization, Done<ReceivedSet> done);

  /// Whom its events named that could not be linked, the newest first, at most 100.
  /// *Roles*: Owner, Super Admin, Admin; others `forbidden`. Errors: `not_found`.
  void unlinked(Principal by, IntegrationId id, SourceId source, Done<std::vector<UnlinkedSubject>> done);

  /// A person says who is meant by an identifier of the transmitter; empty: by none any more. What is listed of it
  /// as unlinked goes; events that came before are not taken up again. Roles as above. Errors: `not_found`;
  /// `conflict` (a source of another kind); `invalid_argument` (of more than 1024 bytes); `limit_exceeded` (10,000
  /// links).
  void link(Principal by, IntegrationId id, SourceId source, ResourceId subject, std::string identifier,
            Done<void> done);

  /// Asks the transmitter to send a verification event; its coming is on the activity. What was asked for is
  /// stored first, so that the event is known after a restart, and to whichever engine gets it. Roles as above.
  /// Errors: `not_found`; `conflict` (the config has no `verification`); `unavailable` with what it answered.
  void verify(Principal by, IntegrationId id, SourceId source, Done<void> done);

 private:
  friend class Engine;
  explicit Events(std::shared_ptr<Engine::Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Engine::Impl> impl_;
};

}  // namespace deprov::engine
