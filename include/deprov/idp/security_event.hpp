// Security Event Tokens (RFC 8417) as the Shared Signals Framework 1.0 profiles them: what a token says, of whom,
// and what that means here. CAEP 1.0, RISC 1.0 and the SCIM events of RFC 9967.
#pragma once

#include <cstdint>
#include <deprov/idp/change.hpp>
#include <deprov/idp/jose.hpp>
#include <deprov/time.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp {

/// Why a token is refused: the registry of RFC 8935 section 7.1, and `invalid_state` of SSF 1.0 section 8.1.4.1.
enum class SetError : std::uint8_t {
  invalid_request,
  invalid_key,
  invalid_issuer,
  invalid_audience,
  authentication_failed,
  access_denied,
  invalid_state,
};
[[nodiscard]] std::string_view to_string(SetError e) noexcept;

struct SetRefusal {
  SetError error = SetError::invalid_request;
  std::string description{};  ///< English, for whoever runs the transmitter; nothing that the token holds
};
template <class T>
using SetResult = boost::system::result<T, SetRefusal>;
/// Asking a refused token for its claims is a programming error.
[[noreturn]] void throw_exception_from_error(const SetRefusal& refusal, const boost::source_location& where);

/// What an event means for access. A hint is never an effect (R5).
enum class EventMeaning : std::uint8_t {
  note,              ///< nothing follows for access
  hint,              ///< something about the subject may have changed: it is to be read again
  sessions_revoked,  ///< its sessions ended at the IdP
  ends,              ///< access ended, by `cause`; a hint where the source is not believed in that
  grants,            ///< access begins, or came back; likewise
  verification,      ///< of the stream itself
  stream_updated,    ///< the same
};

struct EventType {
  std::string_view uri;
  std::string_view name;  ///< short: "session-revoked", "prov:deactivate"; that of `authoritative`
  EventMeaning meaning = EventMeaning::note;
  Cause cause = Cause::none;
  /// String members that its definition requires, with a comma between.
  std::string_view required{};
};
[[nodiscard]] std::span<const EventType> event_types() noexcept;
/// Null: not known here. URNs compare in any case (RFC 8141).
[[nodiscard]] const EventType* find_event_type(std::string_view uri) noexcept;
/// Whether a source may be believed in it (`authoritative`): it ends access or grants it.
[[nodiscard]] bool may_be_authoritative(std::string_view name) noexcept;

/// Deviations of transmitters that are understood where the source says so, each by a name that the activity
/// shows.
struct SetCompatibility {
  /// "okta": `subject` inside the event in place of `sub_id`, and `event_timestamp` in milliseconds.
  bool okta = false;
  /// "google": the same, and `subject_type` in place of `format`, with a hyphen in its values.
  bool google = false;
};

/// One way in which a subject is named. The same words name them in a source's `link`.
enum class IdentifierFormat : std::uint8_t {
  iss_sub,  ///< RFC 9493: `sub` of `iss`
  opaque,
  email,
  account,  ///< the `acct:` URI, without its scheme
  phone_number,
  did,
  uri,
  scim_id,           ///< RFC 9967: the last part of `uri`, or `id`
  scim_external_id,  ///< likewise `externalId`
  scim_user_name,    ///< likewise `userName`
};
[[nodiscard]] std::string_view to_string(IdentifierFormat f) noexcept;
[[nodiscard]] std::optional<IdentifierFormat> parse_identifier_format(std::string_view text) noexcept;

struct Identifier {
  IdentifierFormat format = IdentifierFormat::opaque;
  std::string value{};
  std::string issuer{};  ///< of iss_sub
  friend bool operator==(const Identifier&, const Identifier&) = default;
};

/// Whom an event is about. All identifiers name the same one.
struct EventSubject {
  std::vector<Identifier> identifiers{};  ///< at most 32
  bool user = true;                       ///< false: a group, a device, a tenant or the like
  std::vector<std::string> members{};     ///< of a complex subject: "user", "session", ...
  std::string whole{};                    ///< as it came, as JSON: of two that are equal the same one is meant
  std::string text{};                     ///< of that at most 1000 bytes; for people
};

struct SecurityEvent {
  std::string uri{};
  const EventType* type = nullptr;  ///< null: not known here
  json::object payload{};
  std::optional<EventSubject> subject{};
  /// When it happened, as far as the token says: `event_timestamp`, `toe`, `iat`, the first of these.
  WallTime at{};

  /// What it means, its payload looked at: a PUT that carries `active: false` ends access.
  [[nodiscard]] EventMeaning meaning() const noexcept;
  [[nodiscard]] Cause cause() const noexcept;
};

struct SecurityEventToken {
  std::string issuer{}, jti{}, txn{};
  WallTime issued{};
  std::vector<SecurityEvent> events{};
  std::vector<std::string> rules{};  ///< of `SetCompatibility`, that were needed
};

/// What a receiver agreed with its transmitter.
struct SetExpectation {
  std::string issuer{};
  std::vector<std::string> audience{};  ///< one of these has to be in `aud`
  std::vector<JwsAlgorithm> algorithms{};
  SetCompatibility compatibility{};
  WallTime now{};
  Duration skew = std::chrono::minutes(5);  ///< between the clocks of both
  Duration oldest =
      std::chrono::hours(24 * 30);  ///< of `iat`; what is older may be a replay that nobody remembers
};

/// The first bytes of a text, at most so many, and no character cut in two.
[[nodiscard]] std::string shortened(std::string_view utf8, std::size_t most);

/// Which key a token wants to be verified by.
struct SetSignature {
  JwsAlgorithm algorithm = JwsAlgorithm::rs256;
  std::string kid{};  ///< empty: it names none
};

/// The text of a token, taken apart; and what can be said before its signature was verified: `typ` is
/// `secevent+jwt`, `alg` is one of the allowed ones, nothing is critical, the issuer is the one that is meant.
/// Refused with `invalid_request`, `invalid_key`, `authentication_failed` (`none`), `invalid_issuer`.
[[nodiscard]] SetResult<CompactJws> parse_set(std::string_view token);
[[nodiscard]] SetResult<SetSignature> check_set_header(const CompactJws& jws, const SetExpectation& expected);

/// The key of the set that the token was signed by; null: none fits. Without `kid` the only one that fits.
[[nodiscard]] const Jwk* find_key(const JwkSet& keys, const SetSignature& signature) noexcept;

/// What a token says whose signature was verified. Refused: `exp` or `sub`, no `jti`, no `iat` or one that is
/// older or newer than may be, `aud` of somebody else, no events or more than 16, events that do not fit their
/// definition.
[[nodiscard]] SetResult<SecurityEventToken> read_set(const CompactJws& jws, const SetExpectation& expected);

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/security_event.ipp>
#include <deprov/idp/impl/security_event_types.ipp>
#endif
