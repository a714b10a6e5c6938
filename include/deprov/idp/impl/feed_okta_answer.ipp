#pragma once
#include <algorithm>
#include <array>
#include <deprov/idp/feed_okta.hpp>
#include <deprov/idp/feed_wire.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

/// What a status says of access.
struct OktaStatus {
  FeedState state = FeedState::granted;
  Cause cause = Cause::none;
};
struct OktaStatusName {
  std::string_view name;
  OktaStatus says;
};

/// Of an assignment (AppUser).
inline constexpr std::array<OktaStatusName, 13> okta_assignment_statuses = {{
    {"ACTIVE", {}},
    {"APPROVED", {}},
    {"DEPROVISIONED", {FeedState::ended, Cause::unassigned}},
    {"IMPLICIT", {}},
    {"IMPORTED", {}},
    {"INACTIVE", {FeedState::ended, Cause::deactivated}},
    {"MATCHED", {}},
    {"PENDING", {}},
    {"PROVISIONED", {}},
    {"REVOKED", {FeedState::ended, Cause::unassigned}},
    {"STAGED", {}},
    {"SUSPENDED", {FeedState::ended, Cause::suspended}},
    {"UNASSIGNED", {FeedState::ended, Cause::unassigned}},
}};
/// Of a user. Who is locked out or has to choose a password has not left.
inline constexpr std::array<OktaStatusName, 8> okta_user_statuses = {{
    {"ACTIVE", {}},
    {"DEPROVISIONED", {FeedState::ended, Cause::deactivated}},
    {"LOCKED_OUT", {}},
    {"PASSWORD_EXPIRED", {}},
    {"PROVISIONED", {}},
    {"RECOVERY", {}},
    {"STAGED", {}},
    {"SUSPENDED", {FeedState::ended, Cause::suspended}},
}};

template <std::size_t N>
Result<OktaStatus> okta_status(const std::array<OktaStatusName, N>& known, std::string_view name,
                               std::string_view what) {
  for (const auto& s : known)
    if (s.name == name) return s.says;
  return Error(Errc::protocol, std::string(what) + " has the status \"" + shown(name, 40) +
                                   "\"; what that says of access would be a guess");
}
inline Result<OktaStatus> okta_user_status(std::string_view name) {
  return okta_status(okta_user_statuses, name, "a user");
}

/// An assignment. Its id is that of the user; what became of the user counts beside what became of it.
inline Result<FeedUser> okta_app_user(const json::object& o) {
  FeedUser user;
  DEPROV_TRY(id, id_in(o, "id"));
  DEPROV_TRY(status, okta_status(okta_assignment_statuses, text_in(o, "status"), "an assignment"));
  DEPROV_TRY(changed, time_in(o, "statusChanged"));
  user.id = id;
  user.external_id = text_in(o, "externalId");
  if (const auto* credentials = object_in(o, "credentials")) user.user_name = text_in(*credentials, "userName");
  if (const auto* profile = object_in(o, "profile")) user.email = text_in(*profile, "email");
  user.state = status.state;
  user.cause = status.cause;
  user.changed = changed;
  const auto* embedded = object_in(o, "_embedded");
  const auto* person = embedded == nullptr ? nullptr : object_in(*embedded, "user");
  if (person == nullptr) return user;  // missing is not empty (R10)
  if (text_in(*person, "id") != id)
    return Error(Errc::protocol, "an assignment has another user in it than its own");
  DEPROV_TRY(says, okta_user_status(text_in(*person, "status")));
  if (says.state != FeedState::ended) return user;
  DEPROV_TRY(since, time_in(*person, "statusChanged"));
  user.state = says.state;
  user.cause = says.cause;
  user.changed = since;
  return user;
}

/// A user as the list by `lastUpdated` has them; `since` is where that begins.
inline Result<FeedUser> okta_user(const json::object& o, WallTime since) {
  FeedUser user;
  DEPROV_TRY(id, id_in(o, "id"));
  DEPROV_TRY(status, okta_user_status(text_in(o, "status")));
  DEPROV_TRY(changed, time_in(o, "statusChanged"));
  user.id = id;
  if (const auto* profile = object_in(o, "profile")) {
    user.user_name = text_in(*profile, "login");
    user.email = text_in(*profile, "email");
  }
  user.changed = changed;
  user.state = status.state;
  user.cause = status.cause;
  if (status.state == FeedState::ended) return user;
  // An active user need not be assigned; one on their way to another status will be seen again.
  const bool moves = !text_in(o, "transitioningToStatus").empty();
  user.state = moves || (changed && *changed > since) ? FeedState::hint : FeedState::unstated;
  return user;
}

/// Okta's clock, as the response shows it.
inline std::optional<WallTime> okta_time(const FeedResponse& response) {
  const auto date = response.header("Date");
  return date ? parse_imf_date(*date) : std::nullopt;
}

/// What a 404 says does not exist.
struct OktaMissing {
  enum class What : std::uint8_t { user, app_user, app };
  std::string id;
  What what = What::app;
};
/// `Not found: Resource not found: 00u1 (AppUser)`; nothing for any other answer.
inline std::optional<OktaMissing> okta_missing(const FeedResponse& response) {
  if (response.status != 404) return std::nullopt;
  const auto body = parse_answer(response.body);
  const auto* o = body ? body->if_object() : nullptr;
  if (o == nullptr || text_in(*o, "errorCode") != "E0000007") return std::nullopt;
  auto text = text_in(*o, "errorSummary");
  constexpr std::string_view begins = "Not found: Resource not found: ";
  if (!text.starts_with(begins)) return std::nullopt;
  text.remove_prefix(begins.size());
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  OktaMissing missing;
  missing.id = text.substr(0, space);
  const auto kind = text.substr(space + 1);
  if (kind == "(User)")
    missing.what = OktaMissing::What::user;
  else if (kind == "(AppUser)")
    missing.what = OktaMissing::What::app_user;
  else if (kind != "(AppInstance)")
    return std::nullopt;
  return missing;
}

struct OktaCode {
  std::string_view code;
  FeedFailureKind kind;
};
/// Codes that say more than the status.
inline constexpr std::array<OktaCode, 9> okta_codes = {{
    {"E0000001", FeedFailureKind::protocol},           // the request is not valid
    {"E0000004", FeedFailureKind::auth_failed},        // authentication failed
    {"E0000005", FeedFailureKind::auth_failed},        // invalid session
    {"E0000006", FeedFailureKind::permission_denied},  // the token may not do this
    {"E0000009", FeedFailureKind::unavailable},        // an error of Okta's own; of the log: it took too long
    {"E0000011", FeedFailureKind::auth_failed},        // the token is not valid
    {"E0000015", FeedFailureKind::permission_denied},  // the org has not this feature
    {"E0000047", FeedFailureKind::throttled},          // the rate limit
    {"E0000053", FeedFailureKind::protocol},           // a filter or parameter
}};

}  // namespace detail

DEPROV_INLINE FeedQuota okta_quota(const FeedResponse& response) {
  FeedQuota quota;
  const auto count = [&](std::string_view name) -> std::optional<std::uint64_t> {
    if (const auto n = number_in(response, name)) return static_cast<std::uint64_t>(*n);
    return std::nullopt;
  };
  quota.limit = count("X-Rate-Limit-Limit");
  quota.remaining = count("X-Rate-Limit-Remaining");
  constexpr std::int64_t most = 253'402'300'799;  // the year 9999
  if (const auto reset = number_in(response, "X-Rate-Limit-Reset"); reset && *reset <= most) {
    // In seconds by Okta's clock; a wrong clock on either side does no harm.
    const WallTime at{*reset * 1'000'000};
    const auto wait = at - detail::okta_time(response).value_or(response.now);
    quota.reset_at = response.now + std::clamp<Duration>(wait, Duration(0), std::chrono::hours(24));
  }
  return quota;
}

DEPROV_INLINE std::optional<FeedFailure> okta_failure(const FeedResponse& response) {
  auto failure = feed_failure(response);
  if (!failure) return std::nullopt;
  failure->quota = okta_quota(response);
  const auto body = parse_answer(response.body);
  const auto* o = body ? body->if_object() : nullptr;
  const auto code = o == nullptr ? std::string_view{} : text_in(*o, "errorCode");
  if (!code.empty()) {
    for (const auto& known : detail::okta_codes)
      if (known.code == code) failure->kind = known.kind;
    failure->detail = "Okta answered " + std::to_string(response.status) + " " + shown(code, 20) + ": " +
                      shown(text_in(*o, "errorSummary"));
  }
  // Okta documents no Retry-After. Of a limit on concurrency the time is only a guess of Okta's.
  if (failure->kind == FeedFailureKind::throttled && !failure->retry_at)
    failure->retry_at =
        std::max(failure->quota.reset_at.value_or(response.now), response.now + std::chrono::seconds(1));
  return failure;
}

}  // namespace deprov::idp
