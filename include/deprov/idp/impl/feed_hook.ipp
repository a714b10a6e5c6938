#pragma once
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <deprov/idp/feed_hook.hpp>
#include <deprov/idp/feed_wire.hpp>
#include <deprov/scim/json.hpp>
#include <deprov/scim/query.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

inline HookAnswer hook_refusal(int status, std::string why) {
  HookAnswer answer;
  answer.status = status;
  answer.refusal = std::move(why);
  return answer;
}

/// Each of them is compared, so that time does not tell which one it was.
inline bool is_one_of(std::string_view text, std::span<const std::string> secrets) noexcept {
  bool found = false;
  for (const auto& s : secrets) {
    const bool same = same_secret(text, s);
    found = found || (same && !s.empty());
  }
  return found;
}

inline bool is_plain(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace detail

DEPROV_INLINE std::optional<std::string_view> hook_header(const HookRequest& request, std::string_view name) {
  for (const auto& h : request.headers)
    if (scim::iequals(h.name, name)) return h.value;
  return std::nullopt;
}

DEPROV_INLINE HookAnswer receive_okta_hook(const HookRequest& request, std::span<const std::string> secrets,
                                           std::string_view app, const HookBounds& bounds) {
  if (request.method == "GET") {
    const auto challenge = hook_header(request, "x-okta-verification-challenge");
    if (!challenge || challenge->empty())
      return detail::hook_refusal(400, "there is no x-okta-verification-challenge");
    if (challenge->size() > bounds.max_challenge_bytes || !detail::is_plain(*challenge))
      return detail::hook_refusal(400, "the challenge is longer than max_challenge_bytes (" +
                                           std::to_string(bounds.max_challenge_bytes) + "), or no plain text");
    HookAnswer answer;
    answer.status = 200;
    answer.content_type = "application/json";
    answer.body = json::serialize(json::object{{"verification", *challenge}});
    return answer;
  }
  if (request.method != "POST") return detail::hook_refusal(405, "an event hook is called by GET and POST");
  const auto authorization = hook_header(request, "Authorization");
  if (!authorization || !detail::is_one_of(*authorization, secrets))
    return detail::hook_refusal(401, "the secret in Authorization is not that of the hook");
  if (request.body.size() > bounds.max_body_bytes)
    return detail::hook_refusal(
        413, "the delivery has more than max_body_bytes (" + std::to_string(bounds.max_body_bytes) + ")");
  FeedBounds read;
  read.max_body_bytes = bounds.max_body_bytes;
  const auto body = parse_answer(request.body, read);
  if (!body) return detail::hook_refusal(400, body.error().message());
  const auto* envelope = body->if_object();
  const auto* data = envelope == nullptr ? nullptr : object_in(*envelope, "data");
  const auto* events = data == nullptr ? nullptr : data->if_contains("events");
  if (events == nullptr || !events->is_array()) return detail::hook_refusal(400, "there is no data.events");
  if (events->get_array().size() > bounds.max_events)
    return detail::hook_refusal(
        413, "the delivery has more than max_events (" + std::to_string(bounds.max_events) + ")");
  HookAnswer answer;
  for (const auto& e : events->get_array()) {
    const auto* event = e.if_object();
    if (event == nullptr) return detail::hook_refusal(400, "an event is no object");
    auto hint = read_okta_event(*event, app);
    if (!hint) return detail::hook_refusal(400, hint.error().message());
    if (!*hint) continue;
    const bool repeated =
        std::any_of(answer.hints.begin(), answer.hints.end(), [&](const auto& h) { return h.id == (*hint)->id; });
    if (!repeated) answer.hints.push_back(std::move(**hint));
  }
  return answer;
}

namespace detail {

inline HookAnswer graph_validation(std::string_view token, const HookBounds& bounds) {
  if (token.empty() || token.size() > bounds.max_challenge_bytes || !is_plain(token))
    return hook_refusal(400, "the validation token is empty, longer than max_challenge_bytes (" +
                                 std::to_string(bounds.max_challenge_bytes) + "), or no plain text");
  HookAnswer answer;
  answer.status = 200;
  answer.content_type = "text/plain";
  answer.body = token;
  return answer;
}

inline Result<HookHint> graph_hint(const json::object& n) {
  HookHint hint;
  const auto lifecycle = text_in(n, "lifecycleEvent");
  if (!lifecycle.empty()) {
    DEPROV_TRY(subscription, id_in(n, "subscriptionId"));
    hint.type = shown(lifecycle, 100);
    hint.subscription = subscription;
    // What was not delivered is in the delta all the same.
    hint.poll_now = true;
    return hint;
  }
  const auto change = text_in(n, "changeType");
  if (change.empty()) return Error(Errc::protocol, "a notification has neither changeType nor lifecycleEvent");
  hint.type = shown(change, 100);
  hint.id = shown(text_in(n, "id"), 255);
  // What changed is not in it, and a soft-deleted user is "updated": the delta says.
  hint.poll_now = true;
  return hint;
}

}  // namespace detail

DEPROV_INLINE HookAnswer receive_graph_notification(const HookRequest& request,
                                                    std::span<const std::string> client_states,
                                                    const HookBounds& bounds) {
  if (request.method != "POST") return detail::hook_refusal(405, "notifications come by POST");
  if (!request.query.empty()) {
    const auto pairs = scim::parse_query_pairs(request.query);
    if (!pairs) return detail::hook_refusal(400, pairs.error().message());
    for (const auto& [name, value] : *pairs)
      if (name == "validationToken") return detail::graph_validation(value, bounds);
  }
  if (request.body.size() > bounds.max_body_bytes)
    return detail::hook_refusal(
        413, "the delivery has more than max_body_bytes (" + std::to_string(bounds.max_body_bytes) + ")");
  FeedBounds read;
  read.max_body_bytes = bounds.max_body_bytes;
  const auto body = parse_answer(request.body, read);
  if (!body) return detail::hook_refusal(400, body.error().message());
  const auto* whole = body->if_object();
  const auto* all = whole == nullptr ? nullptr : whole->if_contains("value");
  if (all == nullptr || !all->is_array()) return detail::hook_refusal(400, "there is no list of notifications");
  if (all->get_array().size() > bounds.max_events)
    return detail::hook_refusal(
        413, "the delivery has more than max_events (" + std::to_string(bounds.max_events) + ")");
  HookAnswer answer;
  answer.status = 202;
  bool foreign = false;
  for (const auto& v : all->get_array()) {
    const auto* n = v.if_object();
    if (n == nullptr) return detail::hook_refusal(400, "a notification is no object");
    if (!detail::is_one_of(text_in(*n, "clientState"), client_states)) {
      foreign = true;
      continue;
    }
    auto hint = detail::graph_hint(*n);
    if (!hint) return detail::hook_refusal(400, hint.error().message());
    answer.hints.push_back(std::move(*hint));
  }
  if (foreign && answer.hints.empty())
    return detail::hook_refusal(401, "no notification has the clientState of its subscription");
  return answer;
}

}  // namespace deprov::idp
