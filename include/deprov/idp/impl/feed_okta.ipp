#pragma once
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/idp/feed_event.hpp>
#include <deprov/idp/feed_okta.hpp>
#include <deprov/idp/feed_wire.hpp>
#include <deprov/idp/impl/feed_okta_answer.ipp>
#include <deprov/json_schema.hpp>
#include <set>
#include <utility>

namespace deprov::idp {

namespace detail {

inline constexpr std::size_t okta_max_groups = 10'000;
/// Pages of the log in one round. The next one goes on where this one ends.
inline constexpr std::size_t okta_max_log_pages = 200;
inline constexpr std::size_t okta_log_page = 1000;

/// What an Okta round keeps of the rounds before it.
struct OktaCheckpoint {
  WallTime users;  ///< 0: nothing was read
  WallTime groups;
  WallTime log;  ///< where the log begins, without a link to go on with
  std::string log_link;
};

inline std::string to_text(const OktaCheckpoint& c) {
  json::object o{
      {"v", 1}, {"users", to_rfc3339(c.users)}, {"groups", to_rfc3339(c.groups)}, {"log", to_rfc3339(c.log)}};
  if (!c.log_link.empty()) o["log_link"] = c.log_link;
  return json::serialize(o);
}

inline Result<OktaCheckpoint> parse_okta_checkpoint(const std::string& text, std::string_view origin) {
  const auto bad = [] { return Error(Errc::invalid_value, "it is no checkpoint of an Okta feed", "checkpoint"); };
  const auto value = parse_answer(text);
  const auto* o = value ? value->if_object() : nullptr;
  if (o == nullptr) return bad();
  const auto* version = o->if_contains("v");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 1) return bad();
  OktaCheckpoint c;
  for (const auto& [name, time] :
       {std::pair{"users", &c.users}, std::pair{"groups", &c.groups}, std::pair{"log", &c.log}}) {
    const auto t = time_in(*o, name);
    if (!t || !*t) return bad();
    *time = **t;
  }
  c.log_link = text_in(*o, "log_link");
  if (!c.log_link.empty() && !check_link(c.log_link, origin)) return bad();
  return c;
}

/// What all rounds of an Okta feed have in common: a request to an address, and the answer as a list of records.
class OktaRound : public FeedRound {
 public:
  OktaRound(const OktaFeedConfig& config, std::string origin) : config_(config), origin_(std::move(origin)) {}

  [[nodiscard]] std::optional<FeedRequest> next() const override {
    if (url_.empty()) return std::nullopt;
    FeedRequest request;
    request.url = url_;
    request.headers = {{"Accept", "application/json"}};
    request.mark = url_;
    return request;
  }

 protected:
  [[nodiscard]] std::string api(std::string_view path) const {
    return config_.url + "/api/v1/" + std::string(path);
  }

  /// The records of a page, or why there is none.
  Result<json::array> records(const FeedResponse& response, FeedAnswer& answer) const {
    answer.page.quota = okta_quota(response);
    if (auto failure = okta_failure(response)) {
      const Error why(Errc::unavailable, failure->detail);
      answer.failure = std::move(failure);
      return why;
    }
    auto parsed = parse_answer(response.body);
    Error why;
    if (!parsed) {
      why = parsed.error();
    } else if (auto* list = parsed->if_array()) {
      answer.page.records = list->size();
      return std::move(*list);
    } else {
      why = Error(Errc::protocol, "the answer is no list");
    }
    answer = refused(why);
    return why;
  }
  /// The next page of a list, or that this was the last one.
  Result<std::optional<std::string>> link(const FeedResponse& response) const {
    auto next = feed_link(response, "next");
    if (next) DEPROV_CHECK(check_link(*next, origin_));
    if (next && *next == url_) return Error(Errc::protocol, "a page says that it follows itself", "Link");
    return next;
  }

  const OktaFeedConfig config_;
  const std::string origin_;
  std::string url_;  ///< empty: the round is over
};

/// Every assignment of the app.
class OktaAssignments final : public OktaRound {
 public:
  OktaAssignments(const OktaFeedConfig& config, std::string origin, WallTime now)
      : OktaRound(config, std::move(origin)), begun_(now) {
    url_ =
        api("apps/" + feed_encode(config_.app) + "/users?expand=user&limit=" + std::to_string(config_.page_size));
  }
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::complete; }
  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    auto list = records(response, answer);
    if (!list) return answer;
    const auto next = link(response);
    if (!next) return refused(next.error());
    for (const auto& record : *list) {
      const auto* o = record.if_object();
      if (o == nullptr) return refused(FeedFailureKind::protocol, "an assignment is no object");
      const auto user = okta_app_user(*o);
      if (!user) return refused(user.error());
      sink(*user);
    }
    // By Okta's own clock: it is compared with times that Okta writes.
    if (std::exchange(first_, false)) begun_ = okta_time(response).value_or(begun_);
    url_ = next->value_or(std::string{});
    return answer;
  }
  [[nodiscard]] std::string checkpoint() const override {
    const auto from = begun_ - config_.overlap;
    return to_text({from, from, from, {}});
  }

 private:
  WallTime begun_;
  bool first_ = true;
};

/// What changed since the checkpoint.
class OktaChanges final : public OktaRound {
 public:
  OktaChanges(const OktaFeedConfig& config, std::string origin, OktaCheckpoint from)
      : OktaRound(config, std::move(origin)), from_(std::move(from)), to_(from_) {
    enter(Phase::users);
  }
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::changes; }
  [[nodiscard]] std::string checkpoint() const override { return read_all_ ? std::string{} : to_text(to_); }

  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    auto list = records(response, answer);
    if (!list) {
      // A link of the log that Okta does not take any more. What happened since cannot be had by it.
      if (phase_ == Phase::log && stored_link_ && answer.failure->kind == FeedFailureKind::protocol &&
          (response.status == 400 || response.status == 404))
        answer.failure->kind = FeedFailureKind::expired_checkpoint;
      return answer;
    }
    const auto next = link_of_phase(response);
    if (!next) return refused(next.error());
    for (const auto& record : *list) {
      const auto* o = record.if_object();
      if (o == nullptr) return refused(FeedFailureKind::protocol, "a record is no object");
      if (auto ok = take(*o, sink); !ok) return refused(ok.error());
    }
    if (std::exchange(first_, false)) note_time(response);
    advance(*next, list->empty());
    return answer;
  }

 private:
  enum class Phase : std::uint8_t { users, groups, app_groups, log, over };

  void enter(Phase phase) {
    phase_ = phase;
    first_ = true;
    url_.clear();
    if (phase_ == Phase::users) {
      if (!config_.watch_users) return enter(Phase::groups);
      url_ =
          api("users?filter=" + feed_encode("lastUpdated gt \"" + to_rfc3339(from_.users) + "\"") + "&limit=200");
    } else if (phase_ == Phase::groups) {
      if (!config_.watch_groups) return enter(Phase::log);
      url_ = api("groups?filter=" + feed_encode("lastMembershipUpdated gt \"" + to_rfc3339(from_.groups) + "\"") +
                 "&limit=200");
    } else if (phase_ == Phase::app_groups) {
      url_ = api("apps/" + feed_encode(config_.app) + "/groups?limit=200");
    } else if (phase_ == Phase::log) {
      if (!config_.watch_log) return enter(Phase::over);
      stored_link_ = !from_.log_link.empty();
      url_ = stored_link_ ? from_.log_link : log_query();
    }
  }
  [[nodiscard]] std::string log_query() const {
    std::string filter;
    for (const auto type : okta_event_types())
      filter.append(filter.empty() ? "" : " or ").append("eventType eq \"").append(type).append("\"");
    return api("logs?since=" + feed_encode(to_rfc3339(from_.log)) +
               "&sortOrder=ASCENDING&limit=" + std::to_string(okta_log_page) + "&filter=" + feed_encode(filter));
  }

  /// A polling query of the log has a next link always, also that of an empty page, and to itself.
  Result<std::optional<std::string>> link_of_phase(const FeedResponse& response) const {
    if (phase_ != Phase::log) return link(response);
    auto next = feed_link(response, "next");
    if (!next) return Error(Errc::protocol, "a polling query of the System Log has no link to go on with", "Link");
    DEPROV_CHECK(check_link(*next, origin_));
    return next;
  }

  Result<void> take(const json::object& o, const FeedSink& sink) {
    switch (phase_) {
      case Phase::users: {
        DEPROV_TRY(user, okta_user(o, from_.users));
        DEPROV_TRY(updated, time_in(o, "lastUpdated"));
        if (updated) newest_ = std::max(newest_, *updated);
        sink(user);
        return {};
      }
      case Phase::groups: {
        DEPROV_TRY(id, id_in(o, "id"));
        DEPROV_TRY(updated, time_in(o, "lastMembershipUpdated"));
        if (updated) newest_ = std::max(newest_, *updated);
        if (changed_groups_.size() == okta_max_groups)
          read_all_ = true;
        else
          changed_groups_.emplace(id);
        return {};
      }
      case Phase::app_groups: {
        DEPROV_TRY(id, id_in(o, "id"));
        read_all_ = read_all_ || changed_groups_.contains(std::string(id));
        return {};
      }
      case Phase::log: return take_event(o, sink);
      case Phase::over: break;
    }
    return {};
  }
  Result<void> take_event(const json::object& o, const FeedSink& sink) {
    DEPROV_TRY(hint, read_okta_event(o, config_.app));
    // Okta says itself that events may come twice.
    if (!hint || !events_.insert(hint->id).second) return {};
    read_all_ = read_all_ || hint->read_all;
    for (const auto& id : hint->users) {
      if (!hinted_.insert(id).second) continue;
      FeedUser user;
      user.id = id;
      user.state = FeedState::hint;
      user.changed = hint->at;
      sink(user);
    }
    return {};
  }

  /// How far this phase got, by Okta's clock: when its first answer was made, or what it shows.
  void note_time(const FeedResponse& response) {
    if (phase_ != Phase::users && phase_ != Phase::groups) return;
    until_ = okta_time(response);
  }
  void advance(const std::optional<std::string>& next, bool empty) {
    const auto reached = [&](WallTime before) {
      const auto at = until_.value_or(newest_);
      until_.reset();
      newest_ = {};
      return std::max(before, at - config_.overlap);
    };
    switch (phase_) {
      case Phase::users:
        if (next) break;
        to_.users = reached(from_.users);
        return enter(Phase::groups);
      case Phase::groups:
        if (next) break;
        to_.groups = reached(from_.groups);
        return enter(changed_groups_.empty() || read_all_ ? Phase::log : Phase::app_groups);
      case Phase::app_groups:
        if (next && !read_all_) break;
        return enter(Phase::log);
      case Phase::log:
        to_.log_link = *next;
        // An empty page is where the log ends for now.
        if (empty || ++log_pages_ == okta_max_log_pages) return enter(Phase::over);
        break;
      case Phase::over: break;
    }
    url_ = next.value_or(std::string{});
  }

  const OktaCheckpoint from_;
  OktaCheckpoint to_;
  Phase phase_ = Phase::users;
  bool first_ = true;
  bool stored_link_ = false;
  bool read_all_ = false;  ///< what changed cannot be told user by user
  std::optional<WallTime> until_;
  WallTime newest_;
  std::set<std::string> changed_groups_;
  std::set<std::string> events_, hinted_;
  std::size_t log_pages_ = 0;
};

/// One user: their assignment, and where there is none, what became of them.
class OktaSubject final : public OktaRound {
 public:
  OktaSubject(const OktaFeedConfig& config, std::string origin, std::string_view id)
      : OktaRound(config, std::move(origin)), id_(id) {
    url_ = api("apps/" + feed_encode(config_.app) + "/users/" + feed_encode(id_) + "?expand=user");
  }
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::subject; }
  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    answer.page.quota = okta_quota(response);
    const auto missing = okta_missing(response);
    if (missing && missing->id == id_ && missing->what != OktaMissing::What::app) {
      if (missing->what == OktaMissing::What::user) {
        removed(Cause::hard_deleted, sink, answer);
      } else if (std::exchange(unassigned_, true)) {
        return refused(FeedFailureKind::protocol,
                       "the user is said to be no AppUser, though no app was asked for");
      } else {
        url_ = api("users/" + feed_encode(id_));
      }
      return answer;
    }
    if (auto failure = okta_failure(response)) {
      answer.failure = std::move(failure);
      return answer;
    }
    const auto parsed = parse_answer(response.body);
    if (!parsed) return refused(parsed.error());
    const auto* o = parsed->if_object();
    if (o == nullptr) return refused(FeedFailureKind::protocol, "the answer is no object");
    if (text_in(*o, "id") != id_) return refused(FeedFailureKind::protocol, "the answer is about somebody else");
    if (unassigned_) {
      const auto status = okta_user_status(text_in(*o, "status"));
      if (!status) return refused(status.error());
      removed(status->cause == Cause::none ? Cause::unassigned : status->cause, sink, answer);
      return answer;
    }
    const auto user = okta_app_user(*o);
    if (!user) return refused(user.error());
    sink(*user);
    answer.page.records = 1;
    url_.clear();
    return answer;
  }

 private:
  void removed(Cause cause, const FeedSink& sink, FeedAnswer& answer) {
    FeedUser user;
    user.id = id_;
    user.state = FeedState::removed;
    user.cause = cause;
    sink(user);
    answer.page.records = 1;
    url_.clear();
  }

  const std::string id_;
  bool unassigned_ = false;
};

class OktaFeed final : public Feed {
 public:
  explicit OktaFeed(OktaFeedConfig config)
      : config_(std::move(config)), origin_(feed_origin(config_.url).value_or(std::string{})) {
    traits_.origins = {origin_};
    traits_.changes = config_.watch_users || config_.watch_groups || config_.watch_log;
    traits_.rereads = true;
    traits_.not_found_is_gone = true;
    traits_.token_scheme = "SSWS";
    traits_.binds_tokens = true;
    traits_.token_url = config_.url + "/oauth2/v1/token";
    traits_.token_scope = "okta.apps.read okta.users.read";
    if (config_.watch_groups) traits_.token_scope += " okta.groups.read";
    if (config_.watch_log) traits_.token_scope += " okta.logs.read";
  }
  [[nodiscard]] const FeedTraits& traits() const noexcept override { return traits_; }
  [[nodiscard]] Result<std::unique_ptr<FeedRound>> begin(const FeedStart& start) const override {
    if (start.complete || start.checkpoint.empty() || !traits_.changes)
      return std::unique_ptr<FeedRound>(std::make_unique<OktaAssignments>(config_, origin_, start.now));
    DEPROV_TRY(from, parse_okta_checkpoint(start.checkpoint, origin_));
    return std::unique_ptr<FeedRound>(std::make_unique<OktaChanges>(config_, origin_, std::move(from)));
  }
  [[nodiscard]] std::unique_ptr<FeedRound> reread(std::string_view id, WallTime) const override {
    return std::make_unique<OktaSubject>(config_, origin_, id);
  }

 private:
  const OktaFeedConfig config_;
  const std::string origin_;
  FeedTraits traits_;
};

}  // namespace detail

DEPROV_INLINE std::unique_ptr<Feed> okta_feed(OktaFeedConfig config) {
  return std::make_unique<detail::OktaFeed>(std::move(config));
}

DEPROV_INLINE Result<std::unique_ptr<Feed>> make_okta_feed(const json::object& config) {
  DEPROV_TRY(parsed, parse_okta_feed(config));
  return okta_feed(std::move(parsed));
}

DEPROV_INLINE const json::value& okta_feed_schema() {
  static const json::value schema = json::parse(R"json({
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:deprov:schema:feed-okta:1",
    "title": "Okta as a polled source",
    "type": "object",
    "required": ["url", "app"],
    "additionalProperties": false,
    "properties": {
      "url": {"type": "string", "format": "uri", "maxLength": 2000,
        "description": "Of the org, such as https://example.okta.com"},
      "allow_http": {"type": "boolean", "default": false,
        "description": "Accept a URL without TLS; the credential then travels in clear"},
      "app": {"type": "string", "minLength": 1, "maxLength": 255,
        "description": "Id of the app whose assignments say who has access, such as 0oa1gjh63g214q0Hq0g4"},
      "page_size": {"type": "integer", "minimum": 1, "maximum": 500, "default": 200},
      "watch": {"type": "object", "additionalProperties": false,
        "description": "What is looked at between two lists of assignments; all of it by default",
        "properties": {
          "users": {"type": "boolean", "default": true, "description": "Users by lastUpdated; needs okta.users.read"},
          "groups": {"type": "boolean", "default": true, "description": "Groups by lastMembershipUpdated; needs okta.groups.read"},
          "log": {"type": "boolean", "default": true, "description": "The System Log; needs okta.logs.read"}}},
      "overlap_s": {"type": "integer", "minimum": 0, "maximum": 86400, "default": 300,
        "description": "How much of what a round saw is read by the next one again"}
    }
  })json");
  return schema;
}

DEPROV_INLINE Result<OktaFeedConfig> parse_okta_feed(const json::object& config) {
  if (auto ok = validate_json(okta_feed_schema(), config); !ok)
    return Error(ok.error().code(), ok.error().detail(), "okta" + ok.error().where(), ok.error().advice());
  const auto flag = [](const json::object& o, std::string_view name, bool otherwise) {
    const auto* v = o.if_contains(name);
    return v == nullptr ? otherwise : v->as_bool();
  };
  const auto number = [&](std::string_view name, std::uint32_t otherwise) {
    const auto* v = config.if_contains(name);
    return v == nullptr ? otherwise : v->to_number<std::uint32_t>();
  };
  OktaFeedConfig c;
  DEPROV_TRY(url, feed_base_url(text_in(config, "url"), flag(config, "allow_http", false), "okta/url"));
  c.url = url;
  c.app = text_in(config, "app");
  c.page_size = number("page_size", c.page_size);
  if (const auto* watch = object_in(config, "watch")) {
    c.watch_users = flag(*watch, "users", true);
    c.watch_groups = flag(*watch, "groups", true);
    c.watch_log = flag(*watch, "log", true);
  }
  c.overlap = std::chrono::seconds(number("overlap_s", 300));
  return c;
}

}  // namespace deprov::idp
