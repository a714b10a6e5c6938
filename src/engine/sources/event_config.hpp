// What a receiver of security events is told, and how its secrets are kept.
#pragma once

#include <deprov/engine/events.hpp>
#include <map>
#include <set>
#include <string>
#include "engine/payload.hpp"

namespace deprov::engine {

/// What of a subject an identifier is compared with.
enum class LinkTo : std::uint8_t { nothing, external_id, id, user_name, email };

struct EventConfig {
  idp::SetExpectation expected;  ///< without `now`
  std::string subject_issuer;    ///< of identifiers of format iss_sub
  idp::JwkSet keys;              ///< where there is no `jwks_uri`
  std::string jwks_uri;
  std::string ca_pem;
  std::map<idp::IdentifierFormat, LinkTo> link;
  std::multimap<std::string, ResourceId> links;  ///< by a person: who has that id at the transmitter
  std::set<std::string, std::less<>> authoritative;
  std::set<std::string, std::less<>> critical;  ///< members of complex subjects
  std::string stream_id;
  struct Poll {
    std::string url;
    Duration interval{0};
    std::size_t max_events = 0;
    bool operator==(const Poll&) const = default;
  };
  std::optional<Poll> poll;
  std::string verification_url;
  // Values of Authorization headers.
  std::string push_authorization, poll_authorization, verification_authorization;
};

/// `config` with or without its secrets; those that it lacks are looked for in `secrets`.
/// Errors: `invalid_argument`.
[[nodiscard]] Result<EventConfig> parse_event_config(const json::object& config, const json::object& secrets);

/// Of the config's `poll`.
[[nodiscard]] Duration poll_interval(const json::object& poll);

/// Puts config and sealed secrets into the row. Errors: `invalid_argument`, those of sealing.
[[nodiscard]] Result<void> put_event_config(Engine::Impl& impl, port::SourceRow& row, const json::object& config);
/// The config as it was given, secrets in it. Errors: `store_corrupt`.
[[nodiscard]] Result<json::object> unseal_event_config(Engine::Impl& impl, const port::SourceRow& row);
/// Errors: `store_corrupt`.
[[nodiscard]] Result<EventConfig> stored_event_config(Engine::Impl& impl, const port::SourceRow& row);

}  // namespace deprov::engine
