// What an IdP calls by itself to say that something changed, and how that is answered. What it says is a hint
// (R5): it names whom to read again, and is never an effect.
#pragma once

#include <deprov/idp/feed.hpp>
#include <deprov/idp/feed_event.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp {

/// A call of an IdP. Views of the request as it came.
struct HookRequest {
  std::string_view method{};
  std::string_view query{};  ///< behind the `?`, still encoded
  std::span<const FeedHeader> headers{};
  std::string_view body{};
};

/// The answer, and what it said. A 2xx ends the IdP's attempts; hints that are lost after it, in a crash, are
/// shown by the next poll all the same.
struct HookAnswer {
  int status = 204;
  std::string content_type{};
  std::string body{};
  std::vector<HookHint> hints{};
  std::string refusal{};  ///< of another status than 2xx: why, for the log; nothing secret
};

/// Bounds on a call; each is answered with 413 or 400.
struct HookBounds {
  std::size_t max_body_bytes = std::size_t{1} << 20U;
  std::size_t max_events = 2000;
  std::size_t max_challenge_bytes = 2048;
};

/// The first header of that name in any case, or nothing.
[[nodiscard]] std::optional<std::string_view> hook_header(const HookRequest& request, std::string_view name);

/// An Okta event hook: the verification (GET with `x-okta-verification-challenge`) and deliveries, which come at
/// least once, in any order, and may be dropped. `secrets`: those that `Authorization` may hold, the former one of
/// a rotation included; compared without a timing signal; empty ones count for nothing. 200 with the challenge;
/// 204; 400, 401, 405, 413.
[[nodiscard]] HookAnswer receive_okta_hook(const HookRequest& request, std::span<const std::string> secrets,
                                           std::string_view app, const HookBounds& bounds = {});

/// A change notification of Microsoft Graph: the validation (`validationToken` of the query, answered as
/// text/plain), deliveries, and those of a subscription's lifecycle. `client_states`: those that a notification
/// may hold; one that has another is left out, and a delivery of nothing else is refused. 200 with the token; 202;
/// 400, 401, 405, 413.
[[nodiscard]] HookAnswer receive_graph_notification(const HookRequest& request,
                                                    std::span<const std::string> client_states,
                                                    const HookBounds& bounds = {});

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/feed_hook.ipp>
#endif
