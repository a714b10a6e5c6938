#pragma once
#include <algorithm>
#include <boost/json/parse.hpp>
#include <deprov/idp/feed_scim.hpp>
#include <deprov/scim/json.hpp>
#include <utility>

namespace deprov::idp {

namespace detail {

struct ScimFeedConfig {
  std::string base_url;  ///< without a slash at the end
  std::string filter;
  bool by_cursor = false;
  bool by_external_id = false;
  bool sort = false;
  bool changes = false;
  std::uint32_t page_size = 200;
};

inline std::string scim_text(const json::object& o, std::string_view name) {
  const auto* v = scim::find(o, name);
  if (v == nullptr) return {};
  if (const auto* s = v->if_string()) return std::string(*s);
  if (v->is_int64() || v->is_uint64()) return json::serialize(*v);
  return {};
}

/// Of `emails` the primary one, else the first.
inline std::string scim_email(const json::object& user) {
  const auto* emails = scim::find(user, "emails");
  if (emails == nullptr || !emails->is_array()) return {};
  std::string first;
  for (const auto& e : emails->get_array()) {
    if (!e.is_object()) continue;
    auto value = scim_text(e.get_object(), "value");
    const auto* primary = scim::find(e.get_object(), "primary");
    if (primary != nullptr && primary->is_bool() && primary->get_bool()) return value;
    if (first.empty()) first = std::move(value);
  }
  return first;
}

/// Why an answer that is no 2xx is no page, with what a SCIM error says (RFC 7644 section 3.12).
inline std::optional<FeedFailure> scim_failure(const FeedResponse& response) {
  auto failure = feed_failure(response);
  if (!failure) return failure;
  const auto body = feed_body(response);
  if (!body) return failure;
  const auto type = scim_text(*body, "scimType");
  if (!type.empty()) failure->detail += " " + type;
  if (const auto text = scim_text(*body, "detail"); !text.empty()) failure->detail += ": " + text.substr(0, 300);
  // The list has to be read from its start.
  if (response.status == 400 && (scim::iequals(type, "expiredCursor") || scim::iequals(type, "invalidCursor")))
    failure->kind = FeedFailureKind::expired_checkpoint;
  return failure;
}

inline FeedAnswer scim_refusal(std::string detail) {
  FeedAnswer answer;
  answer.failure = FeedFailure{FeedFailureKind::protocol, std::move(detail), {}, {}};
  return answer;
}

/// Empty: it was handed on. Otherwise what is wrong with it.
inline std::string scim_user(const json::value& resource, bool by_external_id, const FeedSink& sink) {
  if (!resource.is_object()) return "a list with a resource that is not an object";
  const auto& o = resource.get_object();
  const auto id = scim_text(o, "id");
  if (id.empty()) return "a User without an id";
  const auto external_id = scim_text(o, "externalId");
  const auto user_name = scim_text(o, "userName");
  const auto email = scim_email(o);
  FeedUser user;
  user.id = by_external_id ? external_id : id;
  if (user.id.empty()) return "User " + id + " has no externalId, which the source is to know its users by";
  user.external_id = external_id;
  user.user_name = user_name;
  user.email = email;
  if (const auto* active = scim::find(o, "active"); active != nullptr && !active->is_null()) {
    const bool text = active->is_string();
    const bool yes = active->is_bool() ? active->get_bool() : text && scim::iequals(active->get_string(), "true");
    if (!active->is_bool() && !yes && !(text && scim::iequals(active->get_string(), "false")))
      return "User " + id + " has an active that is neither true nor false";
    if (!yes) user.state = FeedState::ended;
  }
  sink(user);
  return {};
}

struct ScimList {
  const json::array* resources = nullptr;
  std::optional<std::uint64_t> total, start;
  std::string next_cursor;
  std::string wrong;
};

inline std::optional<std::uint64_t> scim_count(const json::object& o, std::string_view name, std::string& wrong) {
  const auto* v = scim::find(o, name);
  if (v == nullptr || v->is_null()) return std::nullopt;
  if (v->is_int64() && v->get_int64() >= 0) return static_cast<std::uint64_t>(v->get_int64());
  if (v->is_uint64()) return v->get_uint64();
  wrong = "a list whose " + std::string(name) + " is no count";
  return std::nullopt;
}

inline ScimList scim_list(const json::object& body) {
  ScimList list;
  list.total = scim_count(body, "totalResults", list.wrong);
  list.start = scim_count(body, "startIndex", list.wrong);
  list.next_cursor = scim_text(body, "nextCursor");
  const auto* resources = scim::find(body, "Resources");
  if (resources == nullptr || resources->is_null()) return list;  // may be left out where it is empty
  list.resources = resources->if_array();
  if (list.resources == nullptr) list.wrong = "a list whose Resources are not an array";
  return list;
}

/// What the server's clock may be behind itself: several machines, and writes that show late.
inline constexpr Duration scim_overlap = std::chrono::minutes(2);

class ScimListRound final : public FeedRound {
 public:
  /// `since` empty: everybody.
  ScimListRound(const ScimFeedConfig& config, std::string since) : config_(config), since_(std::move(since)) {}
  [[nodiscard]] FeedRoundKind kind() const noexcept override {
    return since_.empty() ? FeedRoundKind::complete : FeedRoundKind::changes;
  }
  [[nodiscard]] std::string checkpoint() const override { return config_.changes ? checkpoint_ : std::string{}; }

  [[nodiscard]] std::optional<FeedRequest> next() const override {
    if (over_) return std::nullopt;
    FeedRequest request;
    request.url = config_.base_url + "/Users?attributes=id,externalId,userName,emails,active";
    auto filter = config_.filter;
    if (!since_.empty()) {
      if (!filter.empty()) filter = "(" + filter + ") and ";
      filter += "meta.lastModified ge \"" + since_ + "\"";
    }
    if (!filter.empty()) request.url += "&filter=" + feed_encode(filter);
    if (config_.sort) request.url += "&sortBy=id";
    request.url += "&count=" + std::to_string(config_.page_size);
    if (config_.by_cursor || !cursor_.empty()) {
      request.url += cursor_.empty() ? std::string("&cursor") : "&cursor=" + feed_encode(cursor_);
      request.mark = "cursor " + cursor_;
    } else {
      request.url += "&startIndex=" + std::to_string(seen_ + 1);
      request.mark = "index " + std::to_string(seen_ + 1);
    }
    request.headers.push_back({"Accept", "application/scim+json, application/json"});
    return request;
  }

  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    answer.failure = scim_failure(response);
    if (answer.failure) return answer;
    const auto body = feed_body(response);
    if (!body) return scim_refusal(body.error().detail());
    const auto list = scim_list(*body);
    if (!list.wrong.empty()) return scim_refusal(list.wrong);
    if (checkpoint_.empty()) {
      // By the server's clock where it says what that is: what changes from now on is of the next round.
      auto now = response.now;
      if (const auto date = response.header("Date"))
        if (const auto stated = parse_imf_date(trimmed(*date))) now = *stated;
      checkpoint_ = to_rfc3339(now - scim_overlap);
    }
    const bool by_cursor = config_.by_cursor || !cursor_.empty() || !list.next_cursor.empty();
    if (!by_cursor) {
      if (!list.total) return scim_refusal("a list without totalResults");
      if (list.start && *list.start != seen_ + 1 && list.resources != nullptr && !list.resources->empty())
        return scim_refusal("a page that begins at " + std::to_string(*list.start) + ", where " +
                            std::to_string(seen_ + 1) + " was asked for");
    }
    if (list.resources != nullptr) {
      for (const auto& resource : *list.resources)
        if (auto wrong = scim_user(resource, config_.by_external_id, sink); !wrong.empty())
          return scim_refusal(wrong);
      answer.page.records = list.resources->size();
    }
    seen_ += answer.page.records;
    answer.page.total = list.total;
    cursor_ = list.next_cursor;
    if (by_cursor) {
      over_ = cursor_.empty();
    } else if (seen_ >= *list.total) {
      over_ = true;
    } else if (answer.page.records == 0) {
      return scim_refusal("an empty page behind user " + std::to_string(seen_) + ", where totalResults is " +
                          std::to_string(*list.total));
    }
    return answer;
  }

 private:
  ScimFeedConfig config_;
  std::string since_, checkpoint_;
  std::uint64_t seen_ = 0;
  std::string cursor_;
  bool over_ = false;
};

class ScimUserRound final : public FeedRound {
 public:
  ScimUserRound(const ScimFeedConfig& config, std::string_view id) : config_(config), id_(id) {}
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::subject; }

  [[nodiscard]] std::optional<FeedRequest> next() const override {
    if (over_) return std::nullopt;
    FeedRequest request;
    request.headers.push_back({"Accept", "application/scim+json, application/json"});
    if (by_list()) {
      const auto quoted = json::serialize(json::string_view(id_.data(), id_.size()));
      auto filter = (config_.by_external_id ? "externalId eq " : "id eq ") + quoted;
      if (!config_.filter.empty()) filter = "(" + config_.filter + ") and " + filter;
      request.url = config_.base_url + "/Users?filter=" + feed_encode(filter) + "&count=2";
    } else {
      request.url = config_.base_url + "/Users/" + feed_encode(id_);
    }
    return request;
  }

  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    const auto body = feed_body(response);
    FeedUser gone;
    gone.id = id_;
    gone.state = FeedState::removed;
    gone.cause = Cause::hard_deleted;
    // A 404 in the words of SCIM is about this user; any other one may be about the address.
    if (!by_list() && response.status == 404 && body && !scim_text(*body, "status").empty()) {
      sink(gone);
      over_ = true;
      return answer;
    }
    answer.failure = scim_failure(response);
    if (answer.failure) return answer;
    if (!body) return scim_refusal(body.error().detail());
    if (!by_list()) return one(*body, sink);
    const auto list = scim_list(*body);
    if (!list.wrong.empty()) return scim_refusal(list.wrong);
    const auto found = list.resources != nullptr ? list.resources->size() : 0;
    if (!list.total || *list.total != found || found > 1)
      return scim_refusal("a list of one user that counts otherwise than it shows");
    if (found == 1) return one(list.resources->front(), sink);
    gone.cause = Cause::unassigned;
    sink(gone);
    over_ = true;
    return answer;
  }

 private:
  [[nodiscard]] bool by_list() const noexcept { return config_.by_external_id || !config_.filter.empty(); }
  FeedAnswer one(const json::value& resource, const FeedSink& sink) {
    std::string wrong;
    auto stray = scim_user(resource, config_.by_external_id, [&](const FeedUser& user) {
      if (user.id != id_) {
        wrong = "another user than the one that was asked for";
      } else {
        sink(user);
      }
    });
    if (wrong.empty()) wrong = std::move(stray);
    if (!wrong.empty()) return scim_refusal(std::move(wrong));
    over_ = true;
    FeedAnswer answer;
    answer.page.records = 1;
    return answer;
  }

  ScimFeedConfig config_;
  std::string id_;
  bool over_ = false;
};

class ScimFeed final : public Feed {
 public:
  explicit ScimFeed(ScimFeedConfig config) : config_(std::move(config)) {
    traits_.origins.push_back(feed_origin(config_.base_url).value_or(std::string{}));
    traits_.rereads = true;
    traits_.changes = config_.changes;
  }
  [[nodiscard]] const FeedTraits& traits() const noexcept override { return traits_; }
  [[nodiscard]] Result<std::unique_ptr<FeedRound>> begin(const FeedStart& start) const override {
    std::string since;
    if (config_.changes && !start.complete && !start.checkpoint.empty()) {
      DEPROV_TRY(at, parse_rfc3339(start.checkpoint));
      since = to_rfc3339(at);
    }
    return std::unique_ptr<FeedRound>(std::make_unique<ScimListRound>(config_, std::move(since)));
  }
  [[nodiscard]] std::unique_ptr<FeedRound> reread(std::string_view id, WallTime) const override {
    return std::make_unique<ScimUserRound>(config_, id);
  }

 private:
  ScimFeedConfig config_;
  FeedTraits traits_;
};

}  // namespace detail

DEPROV_INLINE const json::value& scim_feed_schema() {
  static const json::value schema = json::parse(R"json({
    "type": "object", "additionalProperties": false, "required": ["base_url"],
    "properties": {
      "base_url": {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2000, "description": "What Users is appended to, such as https://idp.example.com/scim/v2"},
      "allow_http": {"type": "boolean", "description": "Accept an address without TLS; the credential then travels in clear (default: false)."},
      "filter": {"type": "string", "minLength": 1, "maxLength": 4096, "description": "Who is meant, as a SCIM filter; left out: everybody."},
      "paging": {"enum": ["index", "cursor"], "description": "How pages are asked for: by startIndex, or by cursor (RFC 9865). A server that answers an index with a cursor is followed (default: index)."},
      "page_size": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "Users a page (default: 200)."},
      "id": {"enum": ["id", "externalId"], "description": "What of a user the list's id is (default: id)."},
      "changes": {"type": "boolean", "description": "Between complete lists, ask for whom changed: the server has meta.lastModified, and filters by it. Who was deleted, or fell out of the filter, shows in the next complete list (default: false)."},
      "sort": {"type": "boolean", "description": "Ask for the order of ids, where the server's own is not stable (default: false)."}
    }
  })json");
  return schema;
}

DEPROV_INLINE Result<std::unique_ptr<Feed>> make_scim_feed(const json::object& config) {
  detail::ScimFeedConfig c;
  c.base_url = detail::scim_text(config, "base_url");
  while (!c.base_url.empty() && c.base_url.back() == '/') c.base_url.pop_back();
  const auto origin = feed_origin(c.base_url);
  if (!origin || c.base_url.find_first_of("?#") != std::string::npos)
    return Error(Errc::invalid_argument,
                 "has to be a URL such as https://idp.example.com/scim/v2, without user, query and fragment",
                 "scim/base_url");
  const auto* http = config.if_contains("allow_http");
  if (!origin->starts_with("https://") && (http == nullptr || !http->as_bool()))
    return Error(Errc::invalid_argument, "has to begin with https://", "scim/base_url",
                 "set \"allow_http\" to true to send the credential without TLS");
  c.filter = detail::scim_text(config, "filter");
  c.by_cursor = detail::scim_text(config, "paging") == "cursor";
  c.by_external_id = detail::scim_text(config, "id") == "externalId";
  if (const auto* changes = config.if_contains("changes")) c.changes = changes->as_bool();
  if (const auto* sort = config.if_contains("sort")) c.sort = sort->as_bool();
  if (const auto* size = config.if_contains("page_size")) c.page_size = size->to_number<std::uint32_t>();
  return std::unique_ptr<Feed>(std::make_unique<detail::ScimFeed>(std::move(c)));
}

}  // namespace deprov::idp
