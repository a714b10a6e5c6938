// Polled feeds: how one kind of IdP API is asked who has access. An adapter makes requests and reads answers;
// whoever drives it sends them, adds the credential, keeps the checkpoint, and decides whether a round counts
// (R6).
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/idp/change.hpp>
#include <deprov/idp/snapshot.hpp>
#include <deprov/time.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::idp {

namespace json = boost::json;

struct FeedHeader {
  std::string name;
  std::string value;
};

/// A request that a feed wants made next. It carries no credential: the driver adds that, and sends it to the
/// origins of `FeedTraits` only; a next link that leads elsewhere ends the round as `protocol`.
struct FeedRequest {
  std::string method = "GET";
  std::string url;  ///< absolute; a link of the source as given, not taken apart and built anew
  std::vector<FeedHeader> headers{};
  std::string body{};
  /// What the page is asked for by (its link, cursor, index). A mark that comes again within the round ends it:
  /// a page was repeated, and another one may not have come. Empty: `method`, `url` and `body` are the mark.
  std::string mark{};
};

/// What came back, complete, within the driver's limits of size and time.
struct FeedResponse {
  int status = 0;
  std::vector<FeedHeader> headers{};
  std::string body{};
  WallTime now{};  ///< when it came, by the clock of this machine
  /// The first header of that name in any case of letters, or nothing.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  /// The first header of that name that `wanted` takes: `Link` comes several times.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name,
                                                       const std::function<bool(std::string_view)>& wanted) const;
};

/// What a source says of a user whom a page shows.
enum class FeedState : std::uint8_t {
  granted,   ///< is listed, and has access
  ended,     ///< is listed, and has none; `cause` says why
  removed,   ///< the source says itself that they are not in it any more (`@removed`); `cause` says why
  unstated,  ///< what was shown says nothing of access: as before (R10). Of changes only
  hint,      ///< something may have changed; the driver reads this one user again, and does nothing else (R5)
};

/// One user as a page shows them. The texts live as long as the call that carries them.
struct FeedUser {
  std::string_view id;  ///< the source's immutable id; never empty
  std::string_view external_id{};
  std::string_view user_name{};
  std::string_view email{};
  FeedState state = FeedState::granted;
  /// Of `ended` and `removed`: suspended, unassigned, soft_deleted, hard_deleted, deactivated. `none`: what the
  /// source's config says of who is listed as not active.
  Cause cause = Cause::none;
  std::optional<WallTime> changed{};  ///< when it changed, where the source says so; evidence, never order
};
/// Gets each user of a page, in the order of the source.
using FeedSink = std::function<void(const FeedUser&)>;

/// How much may still be asked, as the source says.
struct FeedQuota {
  std::optional<std::uint64_t> remaining{};
  std::optional<std::uint64_t> limit{};
  std::optional<WallTime> reset_at{};  ///< by the clock of this machine
};

/// Why an answer is no page. Disjoint; each has one reaction of the driver. Values are not stored.
enum class FeedFailureKind : std::uint8_t {
  throttled,           ///< ask again at `retry_at`; counts as no attempt, the round goes on with the same request
  auth_failed,         ///< the credential: fetched anew once where that can be; then the source fails (R16)
  permission_denied,   ///< the credential is good, and may not do this; the source fails
  expired_checkpoint,  ///< changes since then cannot be had any more: the next round reads everything (R6)
  unavailable,         ///< asked again by R17's formula; then the round fails
  protocol,            ///< what came is not what the API answers; the round fails at once
};
[[nodiscard]] std::string_view to_string(FeedFailureKind k) noexcept;

struct FeedFailure {
  FeedFailureKind kind = FeedFailureKind::protocol;
  std::string detail{};                ///< for people: the error's code and text of the source, no credential
  std::optional<WallTime> retry_at{};  ///< by the clock of this machine, where the source says so
  FeedQuota quota{};
};

/// What a round is, known before its first request.
enum class FeedRoundKind : std::uint8_t {
  complete,  ///< everybody whom the source has: absence counts, if it is seen to be complete (R6)
  changes,   ///< what changed since the checkpoint: nobody is absent
  subject,   ///< one user (`Feed::reread`): one row, or none where the source does not know whether it has them
};
[[nodiscard]] std::string_view to_string(FeedRoundKind k) noexcept;

/// What a page said, besides its users.
struct FeedPage {
  /// How many records it had, also those of which no user was made. Of a complete round they must add up to
  /// `total`.
  std::uint64_t records = 0;
  /// How many records the whole round has, where the source says it. Another one on a later page: the list moved
  /// while it was read, and the round does not count.
  std::optional<std::uint64_t> total{};
  /// The source says itself that more exists than it shows. The round does not count.
  bool capped = false;
  FeedQuota quota{};
};

/// Either a page, or why there is none.
struct FeedAnswer {
  FeedPage page{};
  std::optional<FeedFailure> failure{};
};

/// One round: a state machine over its requests. Keeps at most one page's worth, and what leads to the next.
/// One thread at a time.
///
/// `next`, the exchange, `read`, again, until `next` is nothing. After a `throttled` or `unavailable` of `read`,
/// `next` is the same request as before. After any other failure the round is of no use.
class FeedRound {
 public:
  FeedRound() = default;
  FeedRound(const FeedRound&) = delete;
  FeedRound& operator=(const FeedRound&) = delete;
  virtual ~FeedRound() = default;
  [[nodiscard]] virtual FeedRoundKind kind() const noexcept = 0;
  /// Nothing: the source's own end marker was seen (no next link, the delta link, the last index); never because
  /// a page is empty where the protocol says otherwise.
  [[nodiscard]] virtual std::optional<FeedRequest> next() const = 0;
  /// Reads the answer to `next`. Users may have been handed to `sink` where it then fails: the driver drops them
  /// with the round, so that a failed page is not asked for again unless nobody was handed on before the failure
  /// (`throttled`, `unavailable`).
  [[nodiscard]] virtual FeedAnswer read(const FeedResponse& response, const FeedSink& sink) = 0;
  /// Where to go on from, once `next` is nothing: delta link, cursor, time of the last event. At most 64 KiB,
  /// meaningful to this adapter only, stored in the transaction of what the round yielded. Empty: none; the next
  /// round is complete again.
  [[nodiscard]] virtual std::string checkpoint() const { return {}; }
};

/// What holds for all rounds of a feed.
struct FeedTraits {
  /// Origins (`https://host[:port]`) that requests go to, and with them the credential.
  std::vector<std::string> origins{};
  /// Rounds of `changes` are possible where there is a checkpoint.
  bool changes = false;
  /// `reread` is possible.
  bool rereads = false;
  /// Whom `reread` does not find (`removed`) is gone. Otherwise that may as well mean that they are not shown any
  /// more, which is no reason to call them deleted.
  bool not_found_is_gone = false;
  /// A user may come several times in one round: of a complete one, access counts where any row grants it; of
  /// changes, the last row that says anything. Otherwise a user who comes twice makes a complete round void.
  bool repeats = false;
  /// What `auth` of the config may leave out: scheme of a static token, `Bearer` or `SSWS`; where access tokens
  /// are fetched (RFC 6749 section 4.4), and for what.
  std::string token_scheme = "Bearer";
  std::string token_url{};
  std::string token_scope{};
  /// The token endpoint knows a client's own key by its certificate, and not by a key id.
  bool key_by_certificate = false;
  /// The token endpoint may want tokens to be bound to a key of the client's (DPoP, RFC 9449).
  bool binds_tokens = false;
};

struct FeedStart {
  std::string checkpoint{};  ///< of the last round that counted; empty: none
  bool complete = false;     ///< everybody is to be read, whatever the checkpoint is
  WallTime now{};
};

/// One configured source of one kind of API. Immutable; any thread.
class Feed {
 public:
  Feed() = default;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  virtual ~Feed() = default;
  [[nodiscard]] virtual const FeedTraits& traits() const noexcept = 0;
  /// Errors: `invalid_value` for a checkpoint that is none of its own; the driver then reads everything.
  [[nodiscard]] virtual Result<std::unique_ptr<FeedRound>> begin(const FeedStart& start) const = 0;
  /// A round of kind `subject`: one user by the source's immutable id (after a hint, or before acting). A user
  /// whom the source does not have is a row with `removed`, where its answer is proof of that (404 of this very
  /// user); no row where it is not. Null: this feed cannot.
  [[nodiscard]] virtual std::unique_ptr<FeedRound> reread(std::string_view id, WallTime now) const;
};

/// A kind of feed, as the config of a source names it.
struct FeedKind {
  std::string_view name;   ///< "scim", "okta", "graph", "keycloak"; stable
  std::string_view title;  ///< "Okta"
  /// JSON Schema of the config's member of that name (`{"kind":"okta","okta":{..},"auth":{..}}`). Credentials are
  /// not in it: `auth` beside it has them, for all kinds the same.
  const json::value& (*schema)();
  /// `config` has passed the schema. Errors: `invalid_argument`, `where` beginning with the member's name.
  Result<std::unique_ptr<Feed>> (*make)(const json::object& config);
};
/// All kinds. An adapter is added in `impl/feed.ipp`, one line.
[[nodiscard]] std::span<const FeedKind> feed_kinds() noexcept;
/// By name, or null.
[[nodiscard]] const FeedKind* find_feed_kind(std::string_view name) noexcept;

/// What a status means where the API says nothing else: 401 `auth_failed`, 403 `permission_denied`, 410
/// `expired_checkpoint`, 429 `throttled`, 408, 425 and 5xx `unavailable` (503 with Retry-After `throttled`),
/// everything else `protocol`. Nothing for 2xx. `retry_at` from `Retry-After` (RFC 9110 section 10.2.3), at most a
/// day.
[[nodiscard]] std::optional<FeedFailure> feed_failure(const FeedResponse& response);
/// `Retry-After`, seconds or a date read against the response's own `Date`; never before `now`, at most a day
/// after.
[[nodiscard]] std::optional<WallTime> feed_retry_after(const FeedResponse& response);
/// An HTTP-date in IMF-fixdate, as APIs send it (RFC 9110 section 5.6.7).
[[nodiscard]] std::optional<WallTime> parse_imf_date(std::string_view text);
/// The target of the first link of that relation (RFC 8288), in one `Link` header or several.
[[nodiscard]] std::optional<std::string> feed_link(const FeedResponse& response, std::string_view relation);
/// The JSON object of a response, or why it is none (`protocol`; a web page is named as that).
[[nodiscard]] Result<json::object> feed_body(const FeedResponse& response);
/// Everything but the unreserved characters of RFC 3986 as %XX.
[[nodiscard]] std::string feed_encode(std::string_view text);
/// `https://host[:port]` of an absolute URL in lower case, without a default port; nothing where it is none, has a
/// user in it, or is not http(s).
[[nodiscard]] std::optional<std::string> feed_origin(std::string_view url);

}  // namespace deprov::idp

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/idp/impl/feed.ipp>
#endif
