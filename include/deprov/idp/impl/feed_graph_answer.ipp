#pragma once
#include <algorithm>
#include <array>
#include <deprov/idp/feed_graph.hpp>
#include <deprov/idp/feed_wire.hpp>
#include <deprov/scim/json.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

/// Identity's own windows are of ten seconds.
inline constexpr Duration graph_window = std::chrono::seconds(10);

struct GraphError {
  std::string code, message;
};
inline GraphError graph_error(const FeedResponse& response) {
  const auto body = parse_answer(response.body);
  const auto* o = body ? body->if_object() : nullptr;
  const auto* e = o == nullptr ? nullptr : object_in(*o, "error");
  if (e == nullptr) return {};
  return {std::string(text_in(*e, "code")), std::string(text_in(*e, "message"))};
}

/// A delta or page token that Graph does not know any more. The codes come in both cases of letters.
inline bool graph_forgot(std::string_view code) noexcept {
  while (code.starts_with('_')) code.remove_prefix(1);
  constexpr std::array<std::string_view, 8> codes = {"syncStateNotFound",
                                                     "syncStateInvalid",
                                                     "resyncRequired",
                                                     "Directory_ResyncRequired",
                                                     "Directory_ExpiredPageToken",
                                                     "resyncApplyDifferences",
                                                     "resyncChangesApplyDifferences",
                                                     "resyncChangesUploadDifferences"};
  return std::any_of(codes.begin(), codes.end(), [&](auto c) { return scim::iequals(c, code); });
}

/// Whether a 404 says that what has this id does not exist, and not that the address is wrong.
inline bool graph_missing(const FeedResponse& response, std::string_view id) {
  if (response.status != 404) return false;
  const auto e = graph_error(response);
  return e.code == "Request_ResourceNotFound" && e.message.find(id) != std::string::npos;
}

/// A page: a list, and where it goes on.
struct GraphPage {
  json::array value;
  std::string next, delta;               ///< at most one of them
  std::optional<std::uint64_t> count{};  ///< of the whole list, where it was asked for
};

inline Result<GraphPage> graph_page(const FeedResponse& response, std::string_view origin) {
  auto parsed = parse_answer(response.body);
  if (!parsed) return parsed.error();
  auto* o = parsed->if_object();
  if (o == nullptr) return Error(Errc::protocol, "the answer is no object");
  GraphPage page;
  page.next = text_in(*o, "@odata.nextLink");
  page.delta = text_in(*o, "@odata.deltaLink");
  if (!page.next.empty() && !page.delta.empty())
    return Error(Errc::protocol, "a page has both a nextLink and a deltaLink");
  for (const auto* link : {&page.next, &page.delta})
    if (!link->empty()) DEPROV_CHECK(check_link(*link, origin));
  if (const auto* count = o->if_contains("@odata.count"); count != nullptr && !count->is_null()) {
    if (!count->is_int64() || count->get_int64() < 0)
      return Error(Errc::protocol, "\"@odata.count\" is no number of records");
    page.count = static_cast<std::uint64_t>(count->get_int64());
  }
  auto* value = o->if_contains("value");
  if (value == nullptr || !value->is_array()) return Error(Errc::protocol, "a page has no list in \"value\"");
  page.value = std::move(value->get_array());
  return page;
}

/// A user of a list, by `accountEnabled`.
inline Result<FeedUser> graph_user(const json::object& o) {
  FeedUser user;
  DEPROV_TRY(id, id_in(o, "id"));
  user.id = id;
  user.user_name = text_in(o, "userPrincipalName");
  user.email = text_in(o, "mail");
  const auto* enabled = o.if_contains("accountEnabled");
  if (enabled == nullptr || enabled->is_null()) return user;  // missing is not empty (R10)
  if (!enabled->is_bool()) return Error(Errc::protocol, "\"accountEnabled\" of a user is neither true nor false");
  if (enabled->get_bool()) return user;
  user.state = FeedState::ended;
  user.cause = Cause::deactivated;
  return user;
}

/// What a delta says of a user. `assigned`: to exist is not enough for access.
inline Result<FeedUser> graph_changed_user(const json::object& o, bool assigned) {
  DEPROV_TRY(user, graph_user(o));
  if (const auto* removed = object_in(o, "@removed"); removed != nullptr) {
    const auto reason = text_in(*removed, "reason");
    user.state = FeedState::removed;
    if (reason == "changed")
      user.cause = Cause::soft_deleted;
    else if (reason == "deleted")
      user.cause = Cause::hard_deleted;
    else
      user.state = FeedState::hint;
    return user;
  }
  if (user.state == FeedState::ended) return user;
  // Only what was changed need be in it. Whether a user who exists has access is not in it where they have to be
  // assigned, nor where it does not say that they are enabled.
  const auto* enabled = o.if_contains("accountEnabled");
  if (assigned || enabled == nullptr || !enabled->is_bool()) user.state = FeedState::hint;
  return user;
}

/// Of a set of ids, whatever their order.
class GraphDigest {
 public:
  void add(std::string_view id) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
    for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    sum_ += hash;
    mixed_ += (hash ^ (hash >> 31U)) * 0x9e3779b97f4a7c15U;
    ++count_;
  }
  [[nodiscard]] std::string text() const {
    return std::to_string(count_) + "-" + std::to_string(sum_) + "-" + std::to_string(mixed_);
  }

 private:
  std::uint64_t sum_ = 0, mixed_ = 0, count_ = 0;
};

/// One assignment to the app.
struct GraphAssignment {
  enum class To : std::uint8_t { user, group, nobody };
  std::string_view id, principal;
  To to = To::nobody;
};
inline Result<GraphAssignment> graph_assignment(const json::object& o) {
  GraphAssignment a;
  DEPROV_TRY(id, id_in(o, "id"));
  DEPROV_TRY(principal, id_in(o, "principalId"));
  DEPROV_TRY(deleted, time_in(o, "deletedDateTime"));
  a.id = id;
  a.principal = principal;
  const auto type = text_in(o, "principalType");
  if (type == "User")
    a.to = GraphAssignment::To::user;
  else if (type == "Group")
    a.to = GraphAssignment::To::group;
  else if (type != "ServicePrincipal")
    return Error(Errc::protocol, "an assignment is to a \"" + shown(type, 40) + "\", which is not known");
  if (deleted) a.to = GraphAssignment::To::nobody;
  return a;
}

}  // namespace detail

DEPROV_INLINE FeedQuota graph_quota(const FeedResponse& response) {
  FeedQuota quota;
  const auto header = response.header("x-ms-throttle-limit-percentage");
  if (!header) return quota;
  // `0.85`: a share of the limit, also beyond 1.
  std::uint64_t hundredths = 0;
  int decimals = -1;
  for (const char c : *header) {
    if (c == '.' && decimals < 0) {
      decimals = 0;
    } else if (c >= '0' && c <= '9' && hundredths < 10'000) {
      if (decimals == 2) continue;
      hundredths = hundredths * 10 + static_cast<std::uint64_t>(c - '0');
      if (decimals >= 0) ++decimals;
    } else {
      return quota;
    }
  }
  if (header->empty()) return quota;
  for (int d = std::max(decimals, 0); d < 2; ++d) hundredths *= 10;
  quota.limit = 100;
  quota.remaining = 100 - std::min<std::uint64_t>(hundredths, 100);
  quota.reset_at = response.now + detail::graph_window;
  return quota;
}

DEPROV_INLINE std::optional<FeedFailure> graph_failure(const FeedResponse& response) {
  auto failure = feed_failure(response);
  if (!failure) return std::nullopt;
  failure->quota = graph_quota(response);
  const auto e = detail::graph_error(response);
  if (!e.code.empty()) {
    failure->detail = "Microsoft Graph answered " + std::to_string(response.status) + " " + shown(e.code, 80) +
                      ": " + shown(e.message);
    if (response.status < 500 && response.status != 429 && detail::graph_forgot(e.code))
      failure->kind = FeedFailureKind::expired_checkpoint;
    if (e.code == "InvalidAuthenticationToken" || e.code == "Authentication_ExpiredToken")
      failure->kind = FeedFailureKind::auth_failed;
    if (e.code == "Authorization_RequestDenied") failure->kind = FeedFailureKind::permission_denied;
  }
  if (failure->kind == FeedFailureKind::throttled && !failure->retry_at)
    failure->retry_at = response.now + detail::graph_window;
  return failure;
}

}  // namespace deprov::idp
