#pragma once
#include <array>
#include <deprov/idp/security_event.hpp>
#include <deprov/scim/json.hpp>

namespace deprov::idp {

namespace detail {

#define DEPROV_CAEP(name) "https://schemas.openid.net/secevent/caep/event-type/" name, name
#define DEPROV_RISC(name) "https://schemas.openid.net/secevent/risc/event-type/" name, name
#define DEPROV_SSF(name) "https://schemas.openid.net/secevent/ssf/event-type/" name, name
#define DEPROV_SCIM(name) "urn:ietf:params:scim:event:" name, name
#define DEPROV_SCIM_MODE(name, mode) "urn:ietf:params:scim:event:" name ":" mode, name

inline constexpr auto set_event_types = std::to_array<EventType>({
    {DEPROV_CAEP("session-revoked"), EventMeaning::sessions_revoked, Cause::sessions_revoked},
    {DEPROV_CAEP("token-claims-change"), EventMeaning::hint, Cause::none},
    {DEPROV_CAEP("credential-change"), EventMeaning::hint, Cause::none, "credential_type,change_type"},
    {DEPROV_CAEP("assurance-level-change"), EventMeaning::note, Cause::none, "namespace,current_level"},
    {DEPROV_CAEP("device-compliance-change"), EventMeaning::note, Cause::none, "previous_status,current_status"},
    {DEPROV_CAEP("session-established"), EventMeaning::note},
    {DEPROV_CAEP("session-presented"), EventMeaning::note},
    {DEPROV_CAEP("risk-level-change"), EventMeaning::hint, Cause::none, "principal,current_level"},
    {DEPROV_RISC("account-credential-change-required"), EventMeaning::hint},
    {DEPROV_RISC("account-purged"), EventMeaning::ends, Cause::hard_deleted},
    {DEPROV_RISC("account-disabled"), EventMeaning::ends, Cause::deactivated},
    {DEPROV_RISC("account-enabled"), EventMeaning::grants},
    {DEPROV_RISC("identifier-changed"), EventMeaning::hint},
    {DEPROV_RISC("identifier-recycled"), EventMeaning::hint},
    {DEPROV_RISC("credential-compromise"), EventMeaning::hint, Cause::none, "credential_type"},
    {DEPROV_RISC("opt-in"), EventMeaning::note},
    {DEPROV_RISC("opt-out-initiated"), EventMeaning::note},
    {DEPROV_RISC("opt-out-cancelled"), EventMeaning::note},
    {DEPROV_RISC("opt-out-effective"), EventMeaning::note},
    {DEPROV_RISC("recovery-activated"), EventMeaning::note},
    {DEPROV_RISC("recovery-information-changed"), EventMeaning::note},
    {DEPROV_RISC("sessions-revoked"), EventMeaning::sessions_revoked, Cause::sessions_revoked},
    {DEPROV_SSF("verification"), EventMeaning::verification},
    {DEPROV_SSF("stream-updated"), EventMeaning::stream_updated, Cause::none, "status"},
    {DEPROV_SCIM("feed:add"), EventMeaning::grants},
    // RFC 9967 section 2.3.2: neither deleted nor deactivated; this feed is for others from now on.
    {DEPROV_SCIM("feed:remove"), EventMeaning::ends, Cause::unassigned},
    {DEPROV_SCIM_MODE("prov:create", "notice"), EventMeaning::hint},
    {DEPROV_SCIM_MODE("prov:create", "full"), EventMeaning::hint},
    {DEPROV_SCIM_MODE("prov:patch", "notice"), EventMeaning::hint},
    {DEPROV_SCIM_MODE("prov:patch", "full"), EventMeaning::hint},
    {DEPROV_SCIM_MODE("prov:put", "notice"), EventMeaning::hint},
    {DEPROV_SCIM_MODE("prov:put", "full"), EventMeaning::hint},
    {DEPROV_SCIM("prov:delete"), EventMeaning::ends, Cause::hard_deleted},
    {DEPROV_SCIM("prov:activate"), EventMeaning::grants},
    {DEPROV_SCIM("prov:deactivate"), EventMeaning::ends, Cause::deactivated},
    {DEPROV_SCIM("misc:asyncresp"), EventMeaning::note},
});

#undef DEPROV_CAEP
#undef DEPROV_RISC
#undef DEPROV_SSF
#undef DEPROV_SCIM
#undef DEPROV_SCIM_MODE

inline constexpr std::array<std::string_view, 7> set_errors = {
    "invalid_request",       "invalid_key",   "invalid_issuer", "invalid_audience",
    "authentication_failed", "access_denied", "invalid_state"};

inline constexpr std::array<std::string_view, 10> identifier_formats = {
    "iss_sub", "opaque", "email",   "account",          "phone_number",
    "did",     "uri",    "scim_id", "scim_external_id", "scim_user_name"};

inline bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// What `active` becomes by the data of a SCIM event; nothing: it does not say.
inline std::optional<bool> scim_active(const json::object& payload) noexcept {
  const auto* data = payload.if_contains("data");
  if (data == nullptr || !data->is_object()) return std::nullopt;
  const auto flag = [](const json::value* v) -> std::optional<bool> {
    if (v == nullptr || !v->is_bool()) return std::nullopt;
    return v->get_bool();
  };
  const auto& o = data->get_object();
  const auto* operations = scim::find(o, "Operations");
  if (operations == nullptr || !operations->is_array()) return flag(scim::find(o, "active"));
  std::optional<bool> active;
  for (const auto& entry : operations->get_array()) {
    const auto* step = entry.if_object();
    const auto* op = step != nullptr ? scim::find(*step, "op") : nullptr;
    if (op == nullptr || !op->is_string() || scim::iequals(op->get_string(), "remove")) continue;
    const auto* path = scim::find(*step, "path");
    const auto* value = scim::find(*step, "value");
    std::optional<bool> said;
    if (path != nullptr && path->is_string()) {
      if (scim::iequals(path->get_string(), "active")) said = flag(value);
    } else if (value != nullptr && value->is_object()) {
      said = flag(scim::find(value->get_object(), "active"));
    }
    if (said) active = said;
  }
  return active;
}

}  // namespace detail

DEPROV_INLINE std::string_view to_string(SetError e) noexcept {
  return detail::set_errors[static_cast<std::size_t>(e)];
}

DEPROV_INLINE std::string_view to_string(IdentifierFormat f) noexcept {
  return detail::identifier_formats[static_cast<std::size_t>(f)];
}

DEPROV_INLINE std::optional<IdentifierFormat> parse_identifier_format(std::string_view text) noexcept {
  for (std::size_t i = 0; i < detail::identifier_formats.size(); ++i)
    if (detail::identifier_formats[i] == text) return static_cast<IdentifierFormat>(i);
  return std::nullopt;
}

DEPROV_INLINE std::span<const EventType> event_types() noexcept { return detail::set_event_types; }

DEPROV_INLINE const EventType* find_event_type(std::string_view uri) noexcept {
  const bool urn = uri.size() > 4 && scim::iequals(uri.substr(0, 4), "urn:");
  for (const auto& type : detail::set_event_types)
    if (urn ? scim::iequals(type.uri, uri) : type.uri == uri) return &type;
  return nullptr;
}

DEPROV_INLINE bool may_be_authoritative(std::string_view name) noexcept {
  for (const auto& type : detail::set_event_types) {
    if (type.name != name) continue;
    // Those that carry the whole resource may show `active`.
    if (detail::ends_with(type.uri, ":full")) return true;
    if (type.meaning == EventMeaning::ends || type.meaning == EventMeaning::grants) return true;
  }
  return false;
}

DEPROV_INLINE EventMeaning SecurityEvent::meaning() const noexcept {
  if (type == nullptr) return EventMeaning::note;
  if (!detail::ends_with(type->uri, ":full")) return type->meaning;
  const auto active = detail::scim_active(payload);
  return !active ? type->meaning : *active ? EventMeaning::grants : EventMeaning::ends;
}

DEPROV_INLINE Cause SecurityEvent::cause() const noexcept {
  if (type == nullptr) return Cause::none;
  return type->cause == Cause::none && meaning() == EventMeaning::ends ? Cause::deactivated : type->cause;
}

}  // namespace deprov::idp
