// What follows from a security event token whose signature was verified, as one transaction.
#pragma once

#include <string>
#include "engine/decision.hpp"
#include "engine/sources/event_config.hpp"
#include "engine/sources/event_memory.hpp"

namespace deprov::engine {

/// A verified token on its way into the store.
struct EventTask {
  port::Scope scope;
  SourceId source;
  idp::SecurityEventToken set;
  std::uint64_t content = 0;  ///< digest of its claims: another token may not have the same `jti`
  std::string held;           ///< why the guard refused; empty: it did not
  int tries = 0;
};

/// What a decision came to; written anew by each.
struct EventOutcome {
  ReceivedSet received;
  bool hinted = false;            ///< something is to be read again
  std::vector<ResourceId> hints;  ///< whom, where it is known
};

/// Decides; used for one call of a deciding body, while its Reader lives.
class EventDecision {
 public:
  EventDecision(port::Reader& reader, const IntegrationContext& context, const EventConfig& config,
                const EventTask& task, const Ports& ports, WallTime now, EventOutcome& out);
  [[nodiscard]] Result<port::Transaction> decide();

 private:
  struct Linked {
    std::vector<ResourceId> subjects;  ///< one: it is known who is meant
    bool deleted = false;              ///< it is a tombstone
  };
  [[nodiscard]] Result<bool> seen_before();
  [[nodiscard]] Result<Linked> link(const idp::EventSubject& subject);
  [[nodiscard]] Result<void> look_up(LinkTo to, const std::string& value, std::vector<ResourceId>& found);
  /// A word for what became of it.
  [[nodiscard]] Result<std::string_view> take(const idp::SecurityEvent& event, json::object& detail);
  [[nodiscard]] Result<std::string_view> about_subject(const idp::SecurityEvent& event, json::object& detail);
  [[nodiscard]] Result<std::string_view> about_access(const idp::SecurityEvent& event, ResourceId subject);
  [[nodiscard]] Result<std::string_view> about_stream(const idp::SecurityEvent& event);
  [[nodiscard]] Result<void> unlinked(const idp::SecurityEvent& event, const Linked& linked);
  void put_source();

  port::Reader& reader_;
  const IntegrationContext& context_;
  const EventConfig& config_;
  const EventTask& task_;
  WallTime now_;
  EventOutcome& out_;
  Evidence evidence_;
  port::SourceRow row_;
  EventMemory memory_;
  std::optional<Decision> decision_;
  port::Random& random_;
  std::optional<std::string> stream_failure_;  ///< the stream stands still; empty: it runs again
  bool alive_ = false;                         ///< an event that is not about the stream came
};

}  // namespace deprov::engine
