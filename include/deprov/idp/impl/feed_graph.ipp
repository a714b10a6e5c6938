#pragma once
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/idp/feed_graph.hpp>
#include <deprov/idp/feed_wire.hpp>
#include <deprov/idp/impl/feed_graph_round.ipp>
#include <deprov/json_schema.hpp>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace deprov::idp {

namespace detail {

/// Everybody.
class GraphLists final : public GraphRound {
 public:
  GraphLists(const GraphFeedConfig& config, std::string origin) : GraphRound(config, std::move(origin)) {
    ask("users/delta?$deltatoken=latest&" + std::string(graph_select));
  }
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::complete; }
  [[nodiscard]] std::string checkpoint() const override {
    auto c = reached_;
    c.assigned = digest_.text();
    c.all_groups = groups_.size() > graph_max_kept_groups;
    if (!c.all_groups) c.group_ids = groups_;
    return to_text(c);
  }

  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    if (auto ok = read_phase(response, sink, answer); !ok && !answer.failure) return refused(ok.error());
    return answer;
  }

 private:
  enum class Phase : std::uint8_t { users_now, groups_now, users, assignments, lookup, single, members };

  Result<void> read_phase(const FeedResponse& response, const FeedSink& sink, FeedAnswer& answer) {
    if (phase_ == Phase::single) return read_single(response, sink, answer);
    // A group that was deleted and is still assigned has no members.
    if (phase_ == Phase::members && graph_missing(response, *at_group_)) {
      ++at_group_;
      next_group();
      return {};
    }
    auto got = page(response, answer);
    if (!got) return got.error();
    auto& p = *got;
    const bool now = phase_ == Phase::users_now || phase_ == Phase::groups_now;
    if (now != !p.delta.empty() && (!now || p.next.empty()))
      return Error(Errc::protocol, now ? "a delta ends without a deltaLink" : "a list has a deltaLink");
    if (now) return read_now(p);
    answer.page.records = p.value.size();
    if (phase_ != Phase::lookup) DEPROV_CHECK(once(p.value));
    switch (phase_) {
      case Phase::users: {
        DEPROV_CHECK(rows(p.value, sink));
        follow(std::move(p.next));
        return {};
      }
      case Phase::assignments: return read_assignments(p);
      case Phase::lookup: return read_lookup(p, sink);
      case Phase::members: {
        DEPROV_CHECK(rows(p.value, sink));
        if (!p.next.empty()) {
          follow(std::move(p.next));
          return {};
        }
        ++at_group_;
        next_group();
        return {};
      }
      case Phase::users_now:
      case Phase::groups_now:
      case Phase::single: break;
    }
    return {};
  }

  /// Nothing is twice in one list. Pages of different lists may well be the same.
  Result<void> once(const json::array& value) {
    const auto* first = value.empty() ? nullptr : value.front().if_object();
    if (first == nullptr || firsts_.emplace(text_in(*first, "id")).second) return {};
    return Error(Errc::protocol, "a page came a second time, so that another one may not have come at all");
  }
  Result<void> read_now(GraphPage& p) {
    if (p.delta.empty()) {
      follow(std::move(p.next));
      return {};
    }
    if (phase_ == Phase::users_now) {
      reached_.users = std::move(p.delta);
      if (of_app()) {
        phase_ = Phase::groups_now;
        ask("groups/delta?$deltatoken=latest&$select=id,members");
      } else {
        phase_ = Phase::users;
        ask("users?" + std::string(graph_select) + "&" + top());
      }
      return {};
    }
    reached_.groups = std::move(p.delta);
    phase_ = Phase::assignments;
    ask(assignments());
    return {};
  }

  Result<void> read_assignments(GraphPage& p) {
    wanted_.clear();
    for (const auto& v : p.value) {
      const auto* o = v.if_object();
      if (o == nullptr) return Error(Errc::protocol, "an assignment is no object");
      DEPROV_TRY(a, graph_assignment(*o));
      digest_.add(a.id);
      if (a.to == GraphAssignment::To::user) wanted_.emplace(a.principal);
      if (a.to == GraphAssignment::To::group) groups_.emplace(a.principal);
    }
    if (groups_.size() > graph_max_groups)
      return Error(Errc::limit_exceeded, "more than " + std::to_string(graph_max_groups) + " groups are assigned");
    after_lookup_ = std::move(p.next);
    if (wanted_.empty()) {
      after_lookup();
      return {};
    }
    phase_ = Phase::lookup;
    ask("directoryObjects/getByIds?" + std::string(graph_select));
    body_ =
        json::serialize(json::object{{"ids", json::array(wanted_.begin(), wanted_.end())}, {"types", {"user"}}});
    return {};
  }
  void after_lookup() {
    if (!after_lookup_.empty()) {
      phase_ = Phase::assignments;
      eventual_ = false;
      follow(std::exchange(after_lookup_, {}));
      return;
    }
    phase_ = Phase::members;
    at_group_ = groups_.begin();
    next_group();
  }

  Result<void> read_lookup(GraphPage& p, const FeedSink& sink) {
    for (const auto& v : p.value) {
      const auto* o = v.if_object();
      if (o == nullptr) return Error(Errc::protocol, "a user is no object");
      DEPROV_TRY(user, graph_user(*o));
      if (wanted_.erase(std::string(user.id)) == 0)
        return Error(Errc::protocol, "a user was looked up and another one answered");
      sink(user);
    }
    if (!p.next.empty()) {
      follow(std::move(p.next));
      return {};
    }
    next_single();
    return {};
  }
  /// Who is assigned and was not found among many is asked for alone: only a plain no is one.
  void next_single() {
    if (wanted_.empty()) return after_lookup();
    phase_ = Phase::single;
    ask("users/" + feed_encode(*wanted_.begin()) + "?" + std::string(graph_select));
  }
  Result<void> read_single(const FeedResponse& response, const FeedSink& sink, FeedAnswer& answer) {
    const auto id = *wanted_.begin();
    if (!graph_missing(response, id)) {
      answer.page.quota = graph_quota(response);
      answer.failure = graph_failure(response);
      if (answer.failure) return Error(Errc::unavailable, answer.failure->detail);
      DEPROV_TRY(parsed, parse_answer(response.body));
      const auto* o = parsed.if_object();
      if (o == nullptr || text_in(*o, "id") != id)
        return Error(Errc::protocol, "the answer is about somebody else");
      DEPROV_TRY(user, graph_user(*o));
      answer.page.records = 1;
      sink(user);
    }
    wanted_.erase(id);
    next_single();
    return {};
  }

  void next_group() {
    firsts_.clear();
    if (at_group_ == groups_.end()) {
      url_.clear();
      return;
    }
    ask("groups/" + feed_encode(*at_group_) + "/members?" + std::string(graph_select) + "&" + top());
  }

  /// The users of a list that may have others in it.
  static Result<void> rows(const json::array& value, const FeedSink& sink) {
    for (const auto& v : value) {
      const auto* o = v.if_object();
      if (o == nullptr) return Error(Errc::protocol, "a user is no object");
      const auto type = text_in(*o, "@odata.type");
      if (!type.empty() && !scim::iequals(type, "#microsoft.graph.user")) continue;
      DEPROV_TRY(user, graph_user(*o));
      sink(user);
    }
    return {};
  }

  Phase phase_ = Phase::users_now;
  GraphCheckpoint reached_;
  GraphDigest digest_;
  std::set<std::string> groups_;
  std::set<std::string>::const_iterator at_group_;
  std::set<std::string> firsts_;  ///< what the pages of this list began with
  std::set<std::string> wanted_;  ///< users of this page of assignments who were not found yet
  std::string after_lookup_;
};

/// What changed since the delta links.
class GraphChanges final : public GraphRound {
 public:
  GraphChanges(const GraphFeedConfig& config, std::string origin, GraphCheckpoint from)
      : GraphRound(config, std::move(origin)), from_(std::move(from)), to_(from_) {
    follow(from_.users);
  }
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::changes; }
  [[nodiscard]] std::string checkpoint() const override { return read_all_ ? std::string{} : to_text(to_); }

  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    auto got = page(response, answer);
    if (!got) return answer;
    answer.page.records = got->value.size();
    for (const auto& v : got->value) {
      const auto* o = v.if_object();
      if (o == nullptr) return refused(FeedFailureKind::protocol, "a record is no object");
      if (auto ok = take(*o, sink); !ok) return refused(ok.error());
    }
    if (!got->next.empty()) {
      if (!got->delta.empty()) return refused(FeedFailureKind::protocol, "a page has both links");
      follow(std::move(got->next));
      return answer;
    }
    if (auto ok = leave(std::move(got->delta)); !ok) return refused(ok.error());
    return answer;
  }

 private:
  enum class Phase : std::uint8_t { users, groups, assignments };

  Result<void> take(const json::object& o, const FeedSink& sink) {
    if (phase_ == Phase::users) {
      DEPROV_TRY(user, graph_changed_user(o, of_app()));
      // Graph shows somebody several times, and in no order: of whom it says two things it is asked again.
      const std::pair says{user.state, user.cause};
      if (said_.try_emplace(std::string(user.id), says).first->second != says) {
        user.state = FeedState::hint;
        user.cause = Cause::none;
      }
      sink(user);
      return {};
    }
    if (phase_ == Phase::assignments) {
      DEPROV_TRY(a, graph_assignment(o));
      digest_.add(a.id);
      return {};
    }
    DEPROV_TRY(group, id_in(o, "id"));
    if (!from_.all_groups && !from_.group_ids.contains(std::string(group))) return {};
    if (o.if_contains("@removed") != nullptr) {
      read_all_ = true;
      return {};
    }
    const auto* members = o.if_contains("members@delta");
    if (members == nullptr) return {};
    if (!members->is_array()) return Error(Errc::protocol, "the changed members of a group are no list");
    for (const auto& v : members->get_array()) {
      const auto* member = v.if_object();
      if (member == nullptr) return Error(Errc::protocol, "a member of a group is no object");
      const auto type = text_in(*member, "@odata.type");
      if (!type.empty() && !scim::iequals(type, "#microsoft.graph.user")) continue;
      FeedUser user;
      DEPROV_TRY(id, id_in(*member, "id"));
      user.id = id;
      user.state = FeedState::hint;  // `@removed` of a member says "deleted", and means out of the group
      sink(user);
    }
    return {};
  }
  Result<void> leave(std::string delta) {
    if (delta.empty() == (phase_ != Phase::assignments))
      return Error(Errc::protocol, delta.empty() ? "a delta ends without a deltaLink" : "a list has a deltaLink");
    switch (phase_) {
      case Phase::users:
        to_.users = std::move(delta);
        if (!of_app()) break;
        phase_ = Phase::groups;
        follow(from_.groups);
        return {};
      case Phase::groups:
        to_.groups = std::move(delta);
        phase_ = Phase::assignments;
        ask(assignments());
        return {};
      case Phase::assignments: read_all_ = read_all_ || digest_.text() != from_.assigned; break;
    }
    url_.clear();
    return {};
  }

  const GraphCheckpoint from_;
  GraphCheckpoint to_;
  Phase phase_ = Phase::users;
  std::map<std::string, std::pair<FeedState, Cause>> said_;  ///< of users, first
  GraphDigest digest_;
  bool read_all_ = false;  ///< what changed cannot be told user by user
};

/// One user: whether they are there and enabled, and assigned where they have to be.
class GraphSubject final : public GraphRound {
 public:
  GraphSubject(const GraphFeedConfig& config, std::string origin, std::string_view id)
      : GraphRound(config, std::move(origin)), id_(id) {
    ask("users/" + feed_encode(id_) + "?" + std::string(graph_select));
  }
  [[nodiscard]] FeedRoundKind kind() const noexcept override { return FeedRoundKind::subject; }
  [[nodiscard]] FeedAnswer read(const FeedResponse& response, const FeedSink& sink) override {
    FeedAnswer answer;
    answer.page.quota = graph_quota(response);
    if (auto ok = read_phase(response, sink, answer); !ok && !answer.failure) return refused(ok.error());
    return answer;
  }

 private:
  enum class Phase : std::uint8_t { user, deleted, assigned };

  Result<void> read_phase(const FeedResponse& response, const FeedSink& sink, FeedAnswer& answer) {
    if (phase_ != Phase::assigned && graph_missing(response, id_)) {
      if (phase_ == Phase::deleted) return end(FeedState::removed, Cause::hard_deleted, sink, answer);
      phase_ = Phase::deleted;
      ask("directory/deletedItems/" + feed_encode(id_) + "?$select=id");
      return {};
    }
    answer.failure = graph_failure(response);
    if (answer.failure) {
      // They are gone; whether they can come back may not be read. The milder of both is taken.
      if (phase_ == Phase::deleted && answer.failure->kind == FeedFailureKind::permission_denied) {
        answer.failure.reset();
        return end(FeedState::removed, Cause::soft_deleted, sink, answer);
      }
      return Error(Errc::unavailable, answer.failure->detail);
    }
    if (phase_ == Phase::assigned) return read_assigned(response, sink, answer);
    DEPROV_TRY(parsed, parse_answer(response.body));
    const auto* o = parsed.if_object();
    if (o == nullptr || text_in(*o, "id") != id_)
      return Error(Errc::protocol, "the answer is about somebody else");
    if (phase_ == Phase::deleted) return end(FeedState::removed, Cause::soft_deleted, sink, answer);
    DEPROV_TRY(user, graph_user(*o));
    if (user.state == FeedState::ended) return end(user.state, user.cause, sink, answer);
    if (!of_app()) return end(FeedState::granted, Cause::none, sink, answer);
    phase_ = Phase::assigned;
    // Assignments by groups are whole in an advanced query alone.
    ask("users/" + feed_encode(id_) + "/appRoleAssignments?$count=true&$filter=resourceId%20eq%20" +
        feed_encode(config_.service_principal));
    eventual_ = true;
    return {};
  }
  Result<void> read_assigned(const FeedResponse& response, const FeedSink& sink, FeedAnswer& answer) {
    DEPROV_TRY(p, graph_page(response, origin_));
    if (!p.delta.empty()) return Error(Errc::protocol, "a list has a deltaLink");
    if (p.count && !counted_) counted_ = p.count;
    shown_ += p.value.size();
    for (const auto& v : p.value) {
      const auto* o = v.if_object();
      if (o == nullptr) return Error(Errc::protocol, "an assignment is no object");
      const auto resource = text_in(*o, "resourceId");
      if (!resource.empty() && !scim::iequals(resource, config_.service_principal)) continue;
      DEPROV_TRY(a, graph_assignment(*o));
      if (a.to != GraphAssignment::To::nobody) return end(FeedState::granted, Cause::none, sink, answer);
    }
    if (!p.next.empty()) {
      follow(std::move(p.next));
      return {};
    }
    // Nobody is unassigned by a list that is cut off, nor by an empty one that does not say that it is (R6).
    if (!counted_) {
      url_.clear();
      return {};
    }
    if (*counted_ != shown_)
      return Error(Errc::protocol, "Graph counts " + std::to_string(*counted_) +
                                       " assignments of a user, and shows " + std::to_string(shown_));
    return end(FeedState::ended, Cause::unassigned, sink, answer);
  }
  Result<void> end(FeedState state, Cause cause, const FeedSink& sink, FeedAnswer& answer) {
    FeedUser user;
    user.id = id_;
    user.state = state;
    user.cause = cause;
    sink(user);
    answer.page.records = 1;
    url_.clear();
    return {};
  }

  const std::string id_;
  Phase phase_ = Phase::user;
  std::optional<std::uint64_t> counted_;  ///< assignments of the user, as Graph says
  std::uint64_t shown_ = 0;
};

class GraphFeed final : public Feed {
 public:
  explicit GraphFeed(GraphFeedConfig config)
      : config_(std::move(config)), origin_(feed_origin(config_.url).value_or(std::string{})) {
    traits_.origins = {origin_};
    traits_.changes = true;
    traits_.rereads = true;
    traits_.not_found_is_gone = true;
    traits_.repeats = true;  // assigned several times, and changes that are shown again
    traits_.token_url = config_.login_url + "/" + feed_encode(config_.tenant) + "/oauth2/v2.0/token";
    traits_.token_scope = origin_ + "/.default";
    traits_.key_by_certificate = true;
  }
  [[nodiscard]] const FeedTraits& traits() const noexcept override { return traits_; }
  [[nodiscard]] Result<std::unique_ptr<FeedRound>> begin(const FeedStart& start) const override {
    if (start.complete || start.checkpoint.empty())
      return std::unique_ptr<FeedRound>(std::make_unique<GraphLists>(config_, origin_));
    DEPROV_TRY(from, parse_graph_checkpoint(start.checkpoint, origin_, !config_.service_principal.empty()));
    return std::unique_ptr<FeedRound>(std::make_unique<GraphChanges>(config_, origin_, std::move(from)));
  }
  [[nodiscard]] std::unique_ptr<FeedRound> reread(std::string_view id, WallTime) const override {
    return std::make_unique<GraphSubject>(config_, origin_, id);
  }

 private:
  const GraphFeedConfig config_;
  const std::string origin_;
  FeedTraits traits_;
};

}  // namespace detail

DEPROV_INLINE std::unique_ptr<Feed> graph_feed(GraphFeedConfig config) {
  return std::make_unique<detail::GraphFeed>(std::move(config));
}

DEPROV_INLINE Result<std::unique_ptr<Feed>> make_graph_feed(const json::object& config) {
  DEPROV_TRY(parsed, parse_graph_feed(config));
  return graph_feed(std::move(parsed));
}

DEPROV_INLINE const json::value& graph_feed_schema() {
  static const json::value schema = json::parse(R"json({
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:deprov:schema:feed-graph:1",
    "title": "Entra ID through Microsoft Graph as a polled source",
    "type": "object",
    "required": ["tenant"],
    "additionalProperties": false,
    "properties": {
      "tenant": {"type": "string", "minLength": 1, "maxLength": 255,
        "description": "Id of the tenant, or one of its domains"},
      "service_principal": {"type": "string", "minLength": 1, "maxLength": 64,
        "description": "Object id of the service principal of the app whose assignments say who has access; left out: everybody in the directory"},
      "url": {"type": "string", "format": "uri", "maxLength": 2000, "default": "https://graph.microsoft.com/v1.0",
        "description": "Of Graph; national clouds have their own"},
      "login_url": {"type": "string", "format": "uri", "maxLength": 2000, "default": "https://login.microsoftonline.com",
        "description": "Where access tokens come from; national clouds have their own"},
      "allow_http": {"type": "boolean", "default": false,
        "description": "Accept URLs without TLS; the credential then travels in clear"},
      "page_size": {"type": "integer", "minimum": 1, "maximum": 999, "default": 999}
    }
  })json");
  return schema;
}

DEPROV_INLINE Result<GraphFeedConfig> parse_graph_feed(const json::object& config) {
  if (auto ok = validate_json(graph_feed_schema(), config); !ok)
    return Error(ok.error().code(), ok.error().detail(), "graph" + ok.error().where(), ok.error().advice());
  GraphFeedConfig c;
  const auto* http = config.if_contains("allow_http");
  const bool allow_http = http != nullptr && http->as_bool();
  for (const auto& [name, out] : {std::pair{"url", &c.url}, std::pair{"login_url", &c.login_url}}) {
    if (config.if_contains(name) == nullptr) continue;
    DEPROV_TRY(url, feed_base_url(text_in(config, name), allow_http, std::string("graph/") + name));
    *out = url;
  }
  c.tenant = text_in(config, "tenant");
  c.service_principal = text_in(config, "service_principal");
  if (const auto* size = config.if_contains("page_size")) c.page_size = size->to_number<std::uint32_t>();
  return c;
}

}  // namespace deprov::idp
