#pragma once
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/idp/feed_keycloak.hpp>
#include <deprov/idp/feed_wire.hpp>
#include <deprov/idp/impl/feed_keycloak_answer.ipp>
#include <deprov/json_schema.hpp>
#include <set>
#include <utility>

namespace deprov::idp {

namespace detail {

inline constexpr std::size_t keycloak_max_groups = 50'000;
/// Pages of events in one round; beyond them everybody is read.
inline constexpr std::size_t keycloak_max_event_pages = 100;

/// How many events of the overlap are told apart from new ones. Older ones are hints again, which does no harm.
inline constexpr std::size_t keycloak_max_seen = 1000;

struct KeycloakCheckpoint {
  WallTime admin, user;               ///< the last event seen
  std::vector<std::uint64_t> seen{};  ///< of the overlap: by what was in them, since older versions name no id
};

inline std::string to_text(const KeycloakCheckpoint& c) {
  return json::serialize(json::object{{"v", 1},
                                      {"admin", to_rfc3339(c.admin)},
                                      {"user", to_rfc3339(c.user)},
                                      {"seen", json::array(c.seen.begin(), c.seen.end())}});
}
inline Result<KeycloakCheckpoint> parse_keycloak_checkpoint(const std::string& text) {
  const auto bad = [] {
    return Error(Errc::invalid_value, "it is no checkpoint of a Keycloak feed", "checkpoint");
  };
  const auto value = parse_answer(text);
  const auto* o = value ? value->if_object() : nullptr;
  const auto* version = o == nullptr ? nullptr : o->if_contains("v");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 1) return bad();
  const auto admin = time_in(*o, "admin");
  const auto user = time_in(*o, "user");
  const auto* seen = o->if_contains("seen");
  if (!admin || !*admin || !user || !*user || seen == nullptr || !seen->is_array()) return bad();
  KeycloakCheckpoint c{**admin, **user};
  for (const auto& v : seen->get_array()) {
    if (!v.is_int64() && !v.is_uint64()) return bad();
    c.seen.push_back(v.is_uint64() ? v.get_uint64() : static_cast<std::uint64_t>(v.get_int64()));
  }
  return c;
}

/// FNV-1a of an event as it was answered.
inline std::uint64_t keycloak_print(const json::object& event) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : json::serialize(event)) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

/// The events that say something, newest first.
inline std::string keycloak_events(bool admin) {
  std::string path = admin ? "admin-events?" : "events?";
  if (admin)
    for (const auto type : keycloak_resources) path.append("resourceTypes=").append(type).append("&");
  else
    for (const auto type : keycloak_user_events) path.append("type=").append(type).append("&");
  return path;
}

class KeycloakRound : public FeedRound {
 public:
  explicit KeycloakRound(const KeycloakFeedConfig& config) : config_(config) {}
  [[nodiscard]] std::optional<FeedRequest> next() const override {
    if (path_.empty()) return std::nullopt;
    FeedRequest request;
    request.url = config_.url + "/admin/realms/" + feed_encode(config_.realm) + "/" + path_;
    request.headers = {{"Accept", "application/json"}};
    return request;
  }

 protected:
  /// The answer, or why there is none.
  Result<json::value> body(const FeedResponse& response, FeedAnswer& answer) const {
    if (auto failure = keycloak_failure(response)) {
      const Error why(Errc::unavailable, failure->detail);
      answer.failure = std::move(failure);
      return why;
    }
    return parse_answer(response.body);
  }
  static Result<json::array> list(Result<json::value> body) {
    if (!body) return body.error();
    if (!body->is_array()) return Error(Errc::protocol, "the answer is no list");
    return std::move(body->get_array());
  }
  [[nodiscard]] bool whole_realm() const noexcept { return config_.client.empty() && config_.groups.empty(); }

  const KeycloakFeedConfig config_;
  std::string path_;  ///< below the realm; empty: the round is over
};

/// A list by offset. Each page begins with the last one of the page before.
class KeycloakPages {
 public:
  explicit KeycloakPages(std::uint32_t size) : size_(size) {}
  [[nodiscard]] std::string parameters() const {
    return "first=" + std::to_string(seen_ == 0 ? 0 : seen_ - 1) + "&max=" + std::to_string(size_);
  }
  /// The records of this page that are new; more follow where `last` is false.
  /// Errors: `protocol` where the list moved.
  Result<std::span<const json::value>> take(const json::array& records, bool& last) {
    if (records.size() > size_) return Error(Errc::protocol, "a page has more records than were asked for");
    last = records.size() < size_;
    std::span<const json::value> fresh(records.data(), records.size());
    if (seen_ != 0) {
      const auto* first = records.empty() ? nullptr : records.front().if_object();
      if (first == nullptr || text_in(*first, "id") != last_id_)
        return Error(Errc::protocol,
                     "the list moved while it was read: a page does not begin where the last one ended");
      fresh = fresh.subspan(1);
    }
    if (fresh.empty()) return fresh;
    const auto* end = fresh.back().if_object();
    if (end == nullptr) return Error(Errc::protocol, "a record is no object");
    DEPROV_TRY(id, id_in(*end, "id"));
    last_id_ = id;
    seen_ += fresh.size();
    return fresh;
  }

 private:
  std::uint32_t size_;
  std::uint64_t seen_ = 0;
  std::string last_id_;
};

/// Everybody.
class KeycloakLists final : public KeycloakRound {
 public:
  explicit KeycloakLists(const KeycloakFeedConfig& config) : KeycloakRound(config) {
    // Keycloak tells no time of its own. Its newest events do; what comes later is no older than they are.
    if (config_.watch_user_events) todo_.push_back({newest(false), Kind::newest_user});
    if (config_.watch_admin_events) todo_.push_back({newest(true), Kind::newest_admin});
    std::vector<List> lists;
    if (whole_realm()) lists.push_back({"users?briefRepresentation=true&", Kind::users});
    for (const auto& role : config_.roles) {
      const auto path = "clients/" + feed_encode(config_.client) + "/roles/" + feed_encode(role);
      lists.push_back({path + "/users?briefRepresentation=true&", Kind::users});
      lists.push_back({path + "/groups?briefRepresentation=true&", Kind::groups});
    }
    todo_.insert(todo_.begin(), lists.begin(), lists.end());
    const auto groups = config_.groups;
    for (auto g = groups.rbegin(); g != groups.rend(); ++g) enter_group(*g, todo_.begin());
    begin_list();
  }
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::complete; }
  [[nodiscard]] std::string checkpoint() const override { return to_text(reached_); }
  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    if (auto ok = read_page(response, sink, answer); !ok && !answer.failure) return refused(ok.error());
    return answer;
  }

 private:
  enum class Kind : std::uint8_t { users, groups, newest_admin, newest_user };
  struct List {
    std::string path;
    Kind kind = Kind::users;
  };

  Result<void> read_page(const FeedResponse& response, const FeedSink& sink, FeedAnswer& answer) {
    auto got = body(response, answer);
    if (!got) return got.error();
    if (counting_) {
      if (!got->is_int64() || got->get_int64() < 0)
        return Error(Errc::protocol, "the count of users is no number");
      answer.page.total = static_cast<std::uint64_t>(got->get_int64());
      path_.clear();
      return {};
    }
    DEPROV_TRY(records, list(std::move(got)));
    const auto kind = todo_.back().kind;
    if (kind == Kind::newest_admin || kind == Kind::newest_user) return read_newest(records, kind);
    bool last = false;
    DEPROV_TRY(fresh, pages_.take(records, last));
    if (kind == Kind::users) answer.page.records = fresh.size();
    std::vector<std::string> groups;
    for (const auto& v : fresh) {
      const auto* o = v.if_object();
      if (o == nullptr) return Error(Errc::protocol, "a record is no object");
      if (kind == Kind::groups) {
        DEPROV_TRY(id, id_in(*o, "id"));
        groups.emplace_back(id);
      } else {
        DEPROV_TRY(user, keycloak_user(*o));
        sink(user);
      }
    }
    if (!last) {
      found_.insert(found_.end(), groups.begin(), groups.end());
      path_ = todo_.back().path + pages_.parameters();
      return {};
    }
    todo_.pop_back();
    found_.insert(found_.end(), groups.begin(), groups.end());
    for (const auto& id : std::exchange(found_, {})) enter_group(id, todo_.end());
    if (groups_.size() > keycloak_max_groups)
      return Error(Errc::limit_exceeded,
                   "more than " + std::to_string(keycloak_max_groups) + " groups give access");
    begin_list();
    return {};
  }
  static std::string newest(bool admin) {
    return keycloak_events(admin) + "first=0&max=" + std::to_string(keycloak_max_seen);
  }
  /// What they changed is in the lists that are read after them.
  Result<void> read_newest(const json::array& records, Kind kind) {
    auto& reached = kind == Kind::newest_admin ? reached_.admin : reached_.user;
    for (const auto& v : records) {
      const auto* o = v.if_object();
      if (o == nullptr) return Error(Errc::protocol, "an event is no object");
      DEPROV_TRY(time, keycloak_time(*o));
      reached = std::max(reached, time);
      if (time >= reached - config_.overlap) reached_.seen.push_back(keycloak_print(*o));
    }
    todo_.pop_back();
    begin_list();
    return {};
  }
  void enter_group(const std::string& id, std::vector<List>::iterator at) {
    if (!groups_.insert(id).second) return;
    const auto path = "groups/" + feed_encode(id);
    at = todo_.insert(at, {path + "/members?briefRepresentation=true&", Kind::users});
    todo_.insert(at, {path + "/children?briefRepresentation=true&", Kind::groups});
  }
  void begin_list() {
    pages_ = KeycloakPages(config_.page_size);
    if (!todo_.empty()) {
      const auto& list = todo_.back();
      const bool pages = list.kind == Kind::users || list.kind == Kind::groups;
      path_ = list.path + (pages ? pages_.parameters() : std::string{});
      return;
    }
    counting_ = whole_realm();
    path_ = counting_ ? "users/count" : "";
  }

  KeycloakCheckpoint reached_;
  bool counting_ = false;
  std::vector<List> todo_;  ///< the last one first
  KeycloakPages pages_{0};
  std::vector<std::string> found_;
  std::set<std::string> groups_;
};

/// What the events since the checkpoint say.
class KeycloakChanges final : public KeycloakRound {
 public:
  KeycloakChanges(const KeycloakFeedConfig& config, KeycloakCheckpoint from)
      : KeycloakRound(config), from_(std::move(from)), to_(from_), seen_(from_.seen.begin(), from_.seen.end()) {
    path_ = "events/config";
    to_.seen.clear();
  }
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::changes; }
  [[nodiscard]] std::string checkpoint() const override { return read_all_ ? std::string{} : to_text(to_); }
  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    if (auto ok = read_phase(response, sink, answer); !ok && !answer.failure) return refused(ok.error());
    return answer;
  }

 private:
  enum class Phase : std::uint8_t { config, admin, user };

  Result<void> read_phase(const FeedResponse& response, const FeedSink& sink, FeedAnswer& answer) {
    auto got = body(response, answer);
    if (!got) return got.error();
    if (phase_ == Phase::config) {
      const auto* o = got->if_object();
      if (o == nullptr) return Error(Errc::protocol, "the configuration of events is no object");
      const auto on = [&](std::string_view name) {
        const auto* v = o->if_contains(name);
        return v != nullptr && v->is_bool() && v->get_bool();
      };
      admin_on_ = config_.watch_admin_events && on("adminEventsEnabled");
      user_on_ = config_.watch_user_events && on("eventsEnabled");
      // What is not recorded cannot be asked for.
      read_all_ = !admin_on_;
      enter(Phase::admin);
      return {};
    }
    DEPROV_TRY(records, list(std::move(got)));
    answer.page.records = records.size();
    bool older = records.size() < config_.page_size;
    for (const auto& v : records) {
      const auto* o = v.if_object();
      if (o == nullptr) return Error(Errc::protocol, "an event is no object");
      DEPROV_TRY(event,
                 phase_ == Phase::admin ? keycloak_admin_event(*o, whole_realm()) : keycloak_user_event(*o));
      take(event, keycloak_print(*o), sink, older);
    }
    offset_ += records.size();
    if (!older && ++pages_ == keycloak_max_event_pages) {
      read_all_ = true;
      older = true;
    }
    if (older)
      enter(phase_ == Phase::admin ? Phase::user : Phase::config);
    else
      path_ = events();
    return {};
  }
  void take(const KeycloakEvent& event, std::uint64_t print, const FeedSink& sink, bool& older) {
    auto& reached = phase_ == Phase::admin ? to_.admin : to_.user;
    const auto from = (phase_ == Phase::admin ? from_.admin : from_.user) - config_.overlap;
    if (event.at < from) {
      older = true;
      return;
    }
    reached = std::max(reached, event.at);
    // They come newest first: what the next round sees again is at the front.
    if (to_.seen.size() < keycloak_max_seen && event.at >= reached - config_.overlap) to_.seen.push_back(print);
    if (!seen_.insert(print).second) return;
    read_all_ = read_all_ || event.several;
    if (event.user.empty() || !hinted_.insert(event.user).second) return;
    FeedUser user;
    user.id = event.user;
    user.state = FeedState::hint;
    user.changed = event.at;
    sink(user);
  }
  void enter(Phase phase) {
    phase_ = phase;
    offset_ = 0;
    pages_ = 0;
    path_.clear();
    if (phase_ == Phase::admin) return admin_on_ ? void(path_ = events()) : enter(Phase::user);
    if (phase_ == Phase::user && user_on_) path_ = events();
  }
  [[nodiscard]] std::string events() const {
    // A day, and a day before it: which time zone it is in, is Keycloak's own.
    const auto last = phase_ == Phase::admin ? from_.admin : from_.user;
    const auto from = std::max(WallTime{}, last - config_.overlap - std::chrono::hours(24));
    return keycloak_events(phase_ == Phase::admin) + "dateFrom=" + to_rfc3339(from).substr(0, 10) +
           "&first=" + std::to_string(offset_) + "&max=" + std::to_string(config_.page_size);
  }

  const KeycloakCheckpoint from_;
  KeycloakCheckpoint to_;
  Phase phase_ = Phase::config;
  bool admin_on_ = false, user_on_ = false;
  bool read_all_ = false;  ///< what changed cannot be told user by user
  std::uint64_t offset_ = 0;
  std::size_t pages_ = 0;
  std::set<std::uint64_t> seen_;
  std::set<std::string> hinted_;
};

/// One user.
class KeycloakSubject final : public KeycloakRound {
 public:
  KeycloakSubject(const KeycloakFeedConfig& config, std::string_view id) : KeycloakRound(config), id_(id) {
    path_ = "users/" + feed_encode(id_);
  }
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::subject; }
  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    if (auto ok = read_phase(response, sink, answer); !ok && !answer.failure) return refused(ok.error());
    return answer;
  }

 private:
  enum class Phase : std::uint8_t { user, roles, groups, parent };

  Result<void> read_phase(const FeedResponse& response, const FeedSink& sink, FeedAnswer& answer) {
    // A realm that does not exist says so in other words.
    if (phase_ == Phase::user && response.status == 404 && keycloak_error(response) == "User not found")
      return end(FeedState::removed, Cause::hard_deleted, sink, answer);
    auto got = body(response, answer);
    if (!got) return got.error();
    switch (phase_) {
      case Phase::user: return read_user(*got, sink, answer);
      case Phase::roles: {
        DEPROV_TRY(roles, list(std::move(got)));
        for (const auto& v : roles) {
          const auto* o = v.if_object();
          if (o == nullptr) return Error(Errc::protocol, "a role is no object");
          const auto name = text_in(*o, "name");
          if (std::find(config_.roles.begin(), config_.roles.end(), name) != config_.roles.end())
            return end(FeedState::granted, Cause::none, sink, answer);
        }
        return end(FeedState::ended, Cause::unassigned, sink, answer);
      }
      case Phase::groups: {
        DEPROV_TRY(groups, list(std::move(got)));
        bool last = false;
        DEPROV_TRY(fresh, pages_.take(groups, last));
        for (const auto& v : fresh) {
          const auto* o = v.if_object();
          if (o == nullptr) return Error(Errc::protocol, "a group is no object");
          DEPROV_TRY(id, id_in(*o, "id"));
          climb_.emplace_back(id);
        }
        if (!last) {
          path_ = groups_path();
          return {};
        }
        return climb(sink, answer);
      }
      case Phase::parent: {
        const auto* o = got->if_object();
        if (o == nullptr) return Error(Errc::protocol, "a group is no object");
        if (const auto parent = text_in(*o, "parentId"); !parent.empty()) climb_.emplace_back(parent);
        return climb(sink, answer);
      }
    }
    return {};
  }
  Result<void> read_user(const json::value& got, const FeedSink& sink, FeedAnswer& answer) {
    const auto* o = got.if_object();
    if (o == nullptr || text_in(*o, "id") != id_)
      return Error(Errc::protocol, "the answer is about somebody else");
    DEPROV_TRY(user, keycloak_user(*o));
    if (user.state == FeedState::ended) return end(user.state, user.cause, sink, answer);
    if (whole_realm()) return end(FeedState::granted, Cause::none, sink, answer);
    if (!config_.client.empty()) {
      phase_ = Phase::roles;
      path_ = "users/" + feed_encode(id_) + "/role-mappings/clients/" + feed_encode(config_.client) + "/composite";
      return {};
    }
    phase_ = Phase::groups;
    pages_ = KeycloakPages(config_.page_size);
    path_ = groups_path();
    return {};
  }
  [[nodiscard]] std::string groups_path() const {
    return "users/" + feed_encode(id_) + "/groups?briefRepresentation=true&" + pages_.parameters();
  }
  /// Up from the user's own groups to those that give access.
  Result<void> climb(const FeedSink& sink, FeedAnswer& answer) {
    while (!climb_.empty()) {
      const auto id = std::move(climb_.back());
      climb_.pop_back();
      if (std::find(config_.groups.begin(), config_.groups.end(), id) != config_.groups.end())
        return end(FeedState::granted, Cause::none, sink, answer);
      if (!climbed_.insert(id).second) continue;
      if (climbed_.size() > keycloak_max_groups)
        return Error(Errc::limit_exceeded, "a user is in too many groups");
      phase_ = Phase::parent;
      path_ = "groups/" + feed_encode(id);
      return {};
    }
    return end(FeedState::ended, Cause::unassigned, sink, answer);
  }
  Result<void> end(FeedState state, Cause cause, const FeedSink& sink, FeedAnswer& answer) {
    FeedUser user;
    user.id = id_;
    user.state = state;
    user.cause = cause;
    sink(user);
    answer.page.records = 1;
    path_.clear();
    return {};
  }

  const std::string id_;
  Phase phase_ = Phase::user;
  KeycloakPages pages_{0};
  std::vector<std::string> climb_;
  std::set<std::string> climbed_;
};

class KeycloakFeed final : public Feed {
 public:
  explicit KeycloakFeed(KeycloakFeedConfig config) : config_(std::move(config)) {
    traits_.origins = {feed_origin(config_.url).value_or(std::string{})};
    traits_.changes = config_.watch_admin_events;
    traits_.rereads = true;
    traits_.not_found_is_gone = true;
    traits_.repeats = !config_.client.empty() || !config_.groups.empty();
    traits_.token_url =
        config_.url + "/realms/" + feed_encode(config_.token_realm) + "/protocol/openid-connect/token";
  }
  [[nodiscard]] const FeedTraits& traits() const noexcept override { return traits_; }
  [[nodiscard]] Result<std::unique_ptr<FeedRound>> begin(const FeedStart& start) const override {
    if (start.complete || start.checkpoint.empty() || !traits_.changes)
      return std::unique_ptr<FeedRound>(std::make_unique<KeycloakLists>(config_));
    DEPROV_TRY(from, parse_keycloak_checkpoint(start.checkpoint));
    return std::unique_ptr<FeedRound>(std::make_unique<KeycloakChanges>(config_, std::move(from)));
  }
  [[nodiscard]] std::unique_ptr<FeedRound> reread(std::string_view id, WallTime) const override {
    return std::make_unique<KeycloakSubject>(config_, id);
  }

 private:
  const KeycloakFeedConfig config_;
  FeedTraits traits_;
};

}  // namespace detail

DEPROV_INLINE std::unique_ptr<Feed> keycloak_feed(KeycloakFeedConfig config) {
  return std::make_unique<detail::KeycloakFeed>(std::move(config));
}

DEPROV_INLINE Result<std::unique_ptr<Feed>> make_keycloak_feed(const json::object& config) {
  DEPROV_TRY(parsed, parse_keycloak_feed(config));
  return keycloak_feed(std::move(parsed));
}

DEPROV_INLINE const json::value& keycloak_feed_schema() {
  static const json::value schema = json::parse(R"json({
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:deprov:schema:feed-keycloak:1",
    "title": "Keycloak as a polled source",
    "type": "object",
    "required": ["url", "realm"],
    "additionalProperties": false,
    "properties": {
      "url": {"type": "string", "format": "uri", "maxLength": 2000,
        "description": "Of the server, such as https://keycloak.example.com"},
      "allow_http": {"type": "boolean", "default": false,
        "description": "Accept a URL without TLS; the credential then travels in clear"},
      "realm": {"type": "string", "minLength": 1, "maxLength": 255},
      "token_realm": {"type": "string", "minLength": 1, "maxLength": 255,
        "description": "Where access tokens come from; left out: the realm itself"},
      "client": {"type": "string", "minLength": 1, "maxLength": 255,
        "description": "Internal id (not the clientId) of the client whose roles say who has access"},
      "roles": {"type": "array", "minItems": 1, "maxItems": 100, "uniqueItems": true,
        "items": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "Roles of the client that give access, by name"},
      "groups": {"type": "array", "minItems": 1, "maxItems": 100, "uniqueItems": true,
        "items": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "Ids of groups that give access to their members and to those of their subgroups"},
      "page_size": {"type": "integer", "minimum": 2, "maximum": 5000, "default": 500},
      "watch": {"type": "object", "additionalProperties": false,
        "description": "What is looked at between two lists; all of it by default, and needs view-events",
        "properties": {"admin_events": {"type": "boolean", "default": true}, "user_events": {"type": "boolean", "default": true}}},
      "overlap_s": {"type": "integer", "minimum": 0, "maximum": 86400, "default": 60,
        "description": "How much of what a round saw is read by the next one again"}
    }
  })json");
  return schema;
}

DEPROV_INLINE Result<KeycloakFeedConfig> parse_keycloak_feed(const json::object& config) {
  if (auto ok = validate_json(keycloak_feed_schema(), config); !ok)
    return Error(ok.error().code(), ok.error().detail(), "keycloak" + ok.error().where(), ok.error().advice());
  const auto flag = [](const json::object* o, std::string_view name, bool otherwise) {
    const auto* v = o == nullptr ? nullptr : o->if_contains(name);
    return v == nullptr ? otherwise : v->as_bool();
  };
  const auto texts = [&](std::string_view name, std::vector<std::string>& out) {
    if (const auto* v = config.if_contains(name))
      for (const auto& e : v->as_array()) out.emplace_back(e.as_string());
  };
  KeycloakFeedConfig c;
  DEPROV_TRY(url, feed_base_url(text_in(config, "url"), flag(&config, "allow_http", false), "keycloak/url"));
  c.url = url;
  c.realm = text_in(config, "realm");
  c.token_realm =
      config.if_contains("token_realm") != nullptr ? text_in(config, "token_realm") : text_in(config, "realm");
  c.client = text_in(config, "client");
  texts("roles", c.roles);
  texts("groups", c.groups);
  if (c.client.empty() != c.roles.empty())
    return Error(Errc::invalid_argument, "a client and its roles belong together",
                 c.client.empty() ? "keycloak/client" : "keycloak/roles", "name both, or neither");
  if (!c.client.empty() && !c.groups.empty())
    return Error(Errc::invalid_argument, "roles and groups cannot both say who has access", "keycloak/groups",
                 "name one of them; a group may have the role");
  if (const auto* size = config.if_contains("page_size")) c.page_size = size->to_number<std::uint32_t>();
  const auto* watch = object_in(config, "watch");
  c.watch_admin_events = flag(watch, "admin_events", true);
  c.watch_user_events = flag(watch, "user_events", true);
  if (const auto* overlap = config.if_contains("overlap_s"))
    c.overlap = std::chrono::seconds(overlap->to_number<std::uint32_t>());
  return c;
}

}  // namespace deprov::idp
