#include <deprov/idp/feed_okta.hpp>
#include <deprov/json_schema.hpp>
#include "catch.hpp"
#include "feed_fixture.hpp"

using namespace deprov;
using namespace deprov::idp;
using namespace deprov::test;
using Rows = std::vector<std::string>;

namespace {

const std::string org = "https://example.okta.com";
const std::string list_url = org + "/api/v1/apps/0oa1/users?expand=user&limit=200";
const std::string config = R"({"url":"https://example.okta.com","app":"0oa1"})";

std::unique_ptr<Feed> feed(std::string_view text = config) {
  auto made = deprov::test::made(make_okta_feed, text);
  REQUIRE(made.has_value());
  return std::move(*made);
}

/// An assignment in the documented form.
std::string app_user(const std::string& id, const std::string& status = "PROVISIONED",
                     const std::string& person = "ACTIVE") {
  json::object o{{"id", id},
                 {"externalId", "ext-" + id},
                 {"created", "2024-01-31T18:25:01.000Z"},
                 {"lastUpdated", "2024-01-31T18:25:03.000Z"},
                 {"scope", "GROUP"},
                 {"status", status},
                 {"statusChanged", "2024-01-31T18:25:03.000Z"},
                 {"passwordChanged", nullptr},
                 {"syncState", "SYNCHRONIZED"},
                 {"credentials", {{"userName", id + "@example.com"}}},
                 {"profile", {{"email", id + "@mail.example.com"}, {"firstName", "Saml"}}},
                 {"_links", {{"app", {{"href", org + "/api/v1/apps/0oa1"}}}}}};
  if (!person.empty())
    o["_embedded"] = {{"user", {{"id", id}, {"status", person}, {"statusChanged", "2026-02-01T00:00:00.000Z"}}}};
  return json::serialize(o);
}
std::string user(const std::string& id, const std::string& status, const std::string& changed,
                 const std::string& updated) {
  return json::serialize(
      json::object{{"id", id},
                   {"status", status},
                   {"created", "2020-10-22T15:15:30.000Z"},
                   {"activated", "2020-10-22T15:15:30.000Z"},
                   {"statusChanged", changed},
                   {"lastLogin", nullptr},
                   {"lastUpdated", updated},
                   {"type", {{"id", "oty2"}}},
                   {"profile", {{"login", id + "@example.com"}, {"email", id + "@example.com"}}}});
}
std::string event(const std::string& uuid, const std::string& type,
                  std::initializer_list<std::pair<const char*, const char*>> targets,
                  const std::string& result = "SUCCESS") {
  json::array list;
  for (const auto& [kind, id] : targets)
    list.push_back(json::object{
        {"alternateId", "unknown"}, {"detailEntry", nullptr}, {"displayName", "x"}, {"id", id}, {"type", kind}});
  return json::serialize(json::object{{"actor", {{"id", "00uadmin"}, {"type", "User"}}},
                                      {"eventType", type},
                                      {"outcome", {{"reason", nullptr}, {"result", result}}},
                                      {"published", "2026-02-28T20:23:17.573Z"},
                                      {"severity", "INFO"},
                                      {"target", list},
                                      {"uuid", uuid},
                                      {"version", "0"}});
}
std::string list(std::initializer_list<std::string> records) {
  std::string out = "[";
  for (const auto& r : records) out.append(out.size() == 1 ? "" : ",").append(r);
  return out + "]";
}
FeedHeader next(const std::string& url) { return {"Link", "<" + url + ">; rel=\"next\""}; }
const FeedHeader self{"Link", "<" + list_url + ">; rel=\"self\""};
const FeedHeader date{"Date", "Sun, 01 Mar 2026 11:00:00 GMT"};
std::string error(const std::string& code, const std::string& summary) {
  return json::serialize(json::object{{"errorCode", code},
                                      {"errorSummary", summary},
                                      {"errorLink", code},
                                      {"errorId", "oae1"},
                                      {"errorCauses", json::array{}}});
}

/// Where the first round of everything leads to.
std::string first_checkpoint(const Feed& f) {
  auto round = begin(f);
  const auto played = play(*round, {answer(200, list({app_user("00u1")}), {date})});
  REQUIRE_FALSE(played.failure);
  return played.checkpoint;
}
/// Answers by what is asked for; an empty list where nothing is said. The log goes on at `log_next`.
struct Org {
  std::string users = "[]", groups = "[]", app_groups = "[]";
  std::deque<std::string> log{};
  int log_pages = 0;
  FeedResponse operator()(const FeedRequest& request) {
    const auto is = [&](std::string_view part) { return request.url.find(part) != std::string::npos; };
    if (is("/logs?")) {
      std::string body = "[]";
      if (!log.empty()) {
        body = log.front();
        log.pop_front();
      }
      return answer(200, body, {date, next(org + "/api/v1/logs?after=c" + std::to_string(++log_pages))});
    }
    if (is("/apps/0oa1/groups")) return answer(200, app_groups, {date});
    return answer(200, is("/groups?") ? groups : users, {date});
  }
};

}  // namespace

TEST_CASE("Okta's assignments are read along their links", "[idp][feed][okta][R1]") {
  const auto f = feed();
  CHECK(f->traits().token_scheme == "SSWS");
  CHECK(f->traits().not_found_is_gone);
  CHECK(f->traits().origins == Rows{org});
  CHECK_FALSE(f->traits().repeats);
  auto round = begin(*f);
  CHECK(round->kind() == FeedRoundKind::complete);
  const auto second = org + "/api/v1/apps/0oa1/users?after=opaque%2B1&limit=200&expand=user";
  const auto played =
      play(*round,
           {answer(200, list({app_user("00u1"), app_user("00u2", "ACTIVE", "LOCKED_OUT")}), {self, next(second)}),
            answer(200, "[]", {next(second + "&more=1")}),  // empty, and not the last
            answer(200, list({app_user("00u3", "STAGED", "")}), {self})});
  REQUIRE_FALSE(played.failure);
  CHECK(played.urls() == Rows{list_url, second, second + "&more=1"});
  CHECK(played.rows() == Rows{"00u1 granted", "00u2 granted", "00u3 granted"});
  CHECK(played.users[0].user_name == "00u1@example.com");
  CHECK(played.users[0].email == "00u1@mail.example.com");
  CHECK(played.users[0].external_id == "ext-00u1");
  CHECK(played.pages[0].records == 2);
  CHECK(played.pages[1].records == 0);
  for (const auto& r : played.requests)
    for (const auto& h : r.headers) CHECK(h.name != "Authorization");
}

TEST_CASE("what Okta says of an assignment and of its user decides on access", "[idp][feed][okta][R1][R2]") {
  const auto row = [&](const std::string& record) {
    auto round = begin(*feed());
    const auto played = play(*round, {answer(200, list({record}))});
    return played.failure ? "refused: " + played.failure->detail : played.rows().at(0);
  };
  for (const auto* status :
       {"ACTIVE", "APPROVED", "IMPLICIT", "IMPORTED", "MATCHED", "PENDING", "PROVISIONED", "STAGED"})
    CHECK(row(app_user("00u1", status)) == "00u1 granted");
  CHECK(row(app_user("00u1", "DEPROVISIONED")) == "00u1 ended unassigned");
  CHECK(row(app_user("00u1", "REVOKED")) == "00u1 ended unassigned");
  CHECK(row(app_user("00u1", "UNASSIGNED")) == "00u1 ended unassigned");
  CHECK(row(app_user("00u1", "INACTIVE")) == "00u1 ended deactivated");
  CHECK(row(app_user("00u1", "SUSPENDED")) == "00u1 ended suspended");
  // Okta's own SCIM client says nothing of a suspended user; their assignment stays.
  CHECK(row(app_user("00u1", "PROVISIONED", "SUSPENDED")) == "00u1 ended suspended");
  CHECK(row(app_user("00u1", "PROVISIONED", "DEPROVISIONED")) == "00u1 ended deactivated");
  for (const auto* status : {"LOCKED_OUT", "PASSWORD_EXPIRED", "RECOVERY", "STAGED", "PROVISIONED"})
    CHECK(row(app_user("00u1", "ACTIVE", status)) == "00u1 granted");
  // What is not known is no reason to end or to grant access.
  CHECK(row(app_user("00u1", "FROZEN")).find("the status \"FROZEN\"") != std::string::npos);
  CHECK(row(app_user("00u1", "ACTIVE", "FROZEN")).find("the status \"FROZEN\"") != std::string::npos);
  auto other = json::parse(app_user("00u1")).as_object();
  other["_embedded"].as_object()["user"].as_object()["id"] = "00u2";
  CHECK(row(json::serialize(other)).starts_with("refused"));
}

TEST_CASE("an answer of Okta that is no page ends the round", "[idp][feed][okta][R6]") {
  const auto failure = [&](FeedResponse r) {
    auto round = begin(*feed());
    const auto played = play(*round, {std::move(r)});
    REQUIRE(played.failure);
    CHECK(round->next());  // it is not over, so that nobody is absent
    return *played.failure;
  };
  const auto whole = list({app_user("00u1"), app_user("00u2")});
  // Cut off anywhere.
  for (std::size_t n = 0; n < whole.size(); n += 7)
    CHECK(failure(answer(200, whole.substr(0, n))).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, "<html>Sign in</html>")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, R"({"value":[]})")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, "[1]")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, R"([{"status":"ACTIVE"}])")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, R"([{"id":"a b","status":"ACTIVE"}])")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, R"([{"id":")" + std::string(256, 'x') + R"(","status":"ACTIVE"}])"))
            .detail.find("max_id_bytes") != std::string::npos);
  CHECK(failure(answer(200, std::string(40, '[') + std::string(40, ']'))).detail.find("max_depth") !=
        std::string::npos);
  CHECK(failure(answer(200, "[\"" + std::string(17U << 20U, 'x') + "\"]")).detail.find("max_body_bytes") !=
        std::string::npos);
  CHECK(failure(answer(302, "", {{"Location", "https://elsewhere.example.com"}})).kind ==
        FeedFailureKind::protocol);
}

TEST_CASE("Okta's token goes nowhere else", "[idp][feed][okta][R21]") {
  const auto leads = [&](const std::string& link) {
    auto round = begin(*feed());
    const auto played = play(*round, [&](const FeedRequest& r) {
      return r.url == list_url ? answer(200, list({app_user("00u1")}), {next(link)}) : answer(200, "[]");
    });
    if (played.failure) {
      CHECK(played.failure->kind == FeedFailureKind::protocol);
      CHECK(played.requests.size() == 1);
      CHECK(played.failure->detail.find("secret") == std::string::npos);
    }
    return !played.failure;
  };
  CHECK(leads(org + "/api/v1/apps/0oa1/users?after=secret"));
  CHECK(leads("https://EXAMPLE.okta.com:443/api/v1/apps/0oa1/users?after=secret"));
  CHECK_FALSE(leads("https://evil.example.com/api/v1/apps/0oa1/users?after=secret"));
  CHECK_FALSE(leads("http://example.okta.com/api/v1/apps/0oa1/users?after=secret"));
  CHECK_FALSE(leads("https://example.okta.com:8443/api/v1/users?after=secret"));
  CHECK_FALSE(leads("https://example.okta.com@evil.example.com/?after=secret"));
  CHECK_FALSE(leads("https://example.okta.com.evil.example.com/?after=secret"));
  CHECK_FALSE(leads("https://example.okta.com\\@evil.example.com/?after=secret"));
  CHECK_FALSE(leads("/api/v1/apps/0oa1/users?after=secret"));
  CHECK_FALSE(leads(org + "/api/v1/users?after=a b"));
  CHECK_FALSE(leads(org + "/api/v1/users?after=" + std::string(20'000, 's')));
  CHECK_FALSE(leads(list_url));  // a page that follows itself
}

TEST_CASE("Okta's errors mean what they are documented to mean", "[idp][feed][okta][R16][R17]") {
  const auto kind = [](int status, const std::string& code) {
    const auto f = okta_failure(answer(status, error(code, "text")));
    REQUIRE(f);
    CHECK(f->detail.find(code) != std::string::npos);
    return f->kind;
  };
  CHECK(kind(429, "E0000047") == FeedFailureKind::throttled);
  CHECK(kind(401, "E0000011") == FeedFailureKind::auth_failed);
  CHECK(kind(401, "E0000004") == FeedFailureKind::auth_failed);
  CHECK(kind(403, "E0000005") == FeedFailureKind::auth_failed);
  CHECK(kind(403, "E0000006") == FeedFailureKind::permission_denied);
  CHECK(kind(403, "E0000015") == FeedFailureKind::permission_denied);
  CHECK(kind(400, "E0000001") == FeedFailureKind::protocol);
  CHECK(kind(500, "E0000053") == FeedFailureKind::protocol);
  CHECK(kind(500, "E0000009") == FeedFailureKind::unavailable);
  CHECK(kind(404, "E0000007") == FeedFailureKind::protocol);
  CHECK(okta_failure(answer(502, "<html>"))->kind == FeedFailureKind::unavailable);
  CHECK(okta_failure(answer(401, ""))->kind == FeedFailureKind::auth_failed);
  CHECK_FALSE(okta_failure(answer(200, "[]")));
}

TEST_CASE("Okta's rate limit is read against Okta's own clock", "[idp][feed][okta][R17]") {
  const auto now = at("2026-03-01T12:00:00Z");
  const auto throttled = [](std::vector<FeedHeader> headers) {
    return *okta_failure(answer(429, error("E0000047", "API call exceeded rate limit due to too many requests."),
                                std::move(headers)));
  };
  // Sun, 01 Mar 2026 11:00:00 GMT is 1772362800: an hour behind this machine's clock.
  auto f = throttled({{"X-Rate-Limit-Limit", "600"},
                      {"x-rate-limit-remaining", "0"},
                      {"X-Rate-Limit-Reset", "1772362830"},
                      date});
  CHECK(f.quota.limit == 600U);
  CHECK(f.quota.remaining == 0U);
  CHECK(f.retry_at == now + std::chrono::seconds(30));
  // Without Date by this machine's clock; a time that has passed is a second from now, a far one a day.
  CHECK(throttled({{"X-Rate-Limit-Reset", "1772366410"}}).retry_at == now + std::chrono::seconds(10));
  CHECK(throttled({{"X-Rate-Limit-Reset", "1772366000"}}).retry_at == now + std::chrono::seconds(1));
  CHECK(throttled({{"X-Rate-Limit-Reset", "1772999999999"}}).retry_at == now + std::chrono::seconds(1));
  CHECK(throttled({{"X-Rate-Limit-Reset", "1872366000"}}).retry_at == now + std::chrono::hours(24));
  CHECK(throttled({{"X-Rate-Limit-Reset", "soon"}}).retry_at == now + std::chrono::seconds(1));
  CHECK(throttled({}).retry_at == now + std::chrono::seconds(1));
  // Of a limit on concurrency the first two are 0.
  f = throttled(
      {{"X-Rate-Limit-Limit", "0"}, {"X-Rate-Limit-Remaining", "0"}, {"X-Rate-Limit-Reset", "1772366460"}});
  CHECK(f.retry_at == now + std::chrono::seconds(60));
  CHECK(throttled({{"Retry-After", "7"}}).retry_at == now + std::chrono::seconds(7));
  // A page tells too.
  auto round = begin(*feed());
  const auto played = play(*round, {answer(200, "[]",
                                           {{"X-Rate-Limit-Limit", "100"},
                                            {"X-Rate-Limit-Remaining", "12"},
                                            {"X-Rate-Limit-Reset", "1772366460"}})});
  CHECK(played.pages[0].quota.remaining == 12U);
  CHECK(played.pages[0].quota.reset_at == now + std::chrono::seconds(60));
}

TEST_CASE("a request that Okta throttles, or fails at, is the next one again", "[idp][feed][okta][R17]") {
  auto round = begin(*feed());
  const auto second = org + "/api/v1/apps/0oa1/users?after=2";
  std::vector<SeenUser> seen;
  const FeedSink sink = [&](const FeedUser& u) { seen.push_back({std::string(u.id)}); };
  CHECK_FALSE(round->read(answer(200, list({app_user("00u1")}), {next(second)}), sink).failure);
  for (const auto& r :
       {answer(429, error("E0000047", "x")), answer(500, error("E0000009", "x")), answer(503, "")}) {
    CHECK(round->read(r, sink).failure);
    REQUIRE(round->next());
    CHECK(round->next()->url == second);
  }
  CHECK_FALSE(round->read(answer(200, list({app_user("00u2")})), sink).failure);
  CHECK_FALSE(round->next());
  CHECK(seen.size() == 2);
}

TEST_CASE("between two lists Okta is asked what changed", "[idp][feed][okta][R5]") {
  const auto f = feed();
  const auto from = first_checkpoint(*f);
  // Five minutes before the first answer, by Okta's clock.
  CHECK(json::parse(from).at("users") == "2026-03-01T10:55:00.000Z");
  auto round = begin(*f, from);
  CHECK(round->kind() == FeedRoundKind::changes);
  Org api;
  api.users = list({user("00u1", "DEPROVISIONED", "2026-03-01T10:58:00.000Z", "2026-03-01T10:58:00.000Z"),
                    user("00u2", "SUSPENDED", "2026-03-01T10:59:00.000Z", "2026-03-01T10:59:00.000Z"),
                    user("00u3", "ACTIVE", "2026-03-01T10:59:00.000Z", "2026-03-01T10:59:00.000Z"),
                    user("00u4", "LOCKED_OUT", "2020-01-01T00:00:00.000Z", "2026-03-01T10:59:30.000Z")});
  api.log = {
      list({event("e1", "application.user_membership.remove",
                  {{"AppUser", "0ua5"}, {"AppInstance", "0oa1"}, {"User", "00u5"}}),
            event("e2", "application.user_membership.remove", {{"User", "00u6"}, {"AppInstance", "0oaOther"}}),
            event("e3", "group.user_membership.remove", {{"User", "00u7"}, {"UserGroup", "00g1"}}),
            event("e4", "user.lifecycle.suspend", {{"User", "00u8"}}, "FAILURE"),
            event("e5", "user.session.start", {{"User", "00u9"}})}),
      list({event("e3", "group.user_membership.remove", {{"UserGroup", "00g1"}, {"User", "00u7"}}),
            event("e6", "user.lifecycle.delete.completed", {{"User", "00u10"}})})};
  const auto played = play(*round, std::ref(api));
  REQUIRE_FALSE(played.failure);
  CHECK(played.rows() == Rows{"00u1 ended deactivated", "00u2 ended suspended", "00u3 hint", "00u4 unstated",
                              "00u5 hint", "00u7 hint", "00u10 hint"});
  REQUIRE(played.requests.size() == 5);
  CHECK(played.requests[0].url ==
        org + "/api/v1/users?filter=lastUpdated%20gt%20%222026-03-01T10%3A55%3A00.000Z%22&limit=200");
  CHECK(played.requests[1].url ==
        org + "/api/v1/groups?filter=lastMembershipUpdated%20gt%20%222026-03-01T10%3A55%3A00.000Z%22&limit=200");
  CHECK(played.requests[2].url.starts_with(
      org +
      "/api/v1/"
      "logs?since=2026-03-01T10%3A55%3A00.000Z&sortOrder=ASCENDING&limit=1000&filter=eventType%20eq%20%22"));
  CHECK(played.requests[2].url.find("until") == std::string::npos);  // a bounded query may miss late events
  CHECK(played.requests[3].url == org + "/api/v1/logs?after=c1");
  // The log goes on where it ended; users never go back.
  const auto after = json::parse(played.checkpoint);
  CHECK(after.at("log_link").as_string() == org + "/api/v1/logs?after=c3");
  CHECK(after.at("users") == "2026-03-01T10:55:00.000Z");
  auto again = begin(*f, played.checkpoint);
  const auto later = play(*again, [](const FeedRequest& r) {
    if (r.url.find("/logs?") != std::string::npos)
      return answer(200, "[]", {next(r.url)});  // to itself: nothing new
    return answer(200, "[]", {{"Date", "Sun, 01 Mar 2026 11:10:00 GMT"}});
  });
  REQUIRE_FALSE(later.failure);
  CHECK(later.requests[2].url == org + "/api/v1/logs?after=c3");
  CHECK(json::parse(later.checkpoint).at("users") == "2026-03-01T11:05:00.000Z");
}

TEST_CASE("what Okta changed for no single user leads to reading everybody", "[idp][feed][okta][R8]") {
  const auto f = feed();
  const auto from = first_checkpoint(*f);
  const auto reads_all = [&](Org api) {
    auto round = begin(*f, from);
    const auto played = play(*round, std::ref(api));
    REQUIRE_FALSE(played.failure);
    CHECK(played.users.empty());
    return played.checkpoint.empty();
  };
  Org api;
  CHECK_FALSE(reads_all(api));
  api.groups = R"([{"id":"00g1","lastMembershipUpdated":"2026-03-01T10:59:00.000Z"},{"id":"00g2"}])";
  api.app_groups = R"([{"id":"00g9"}])";
  CHECK_FALSE(reads_all(api));
  api.app_groups = R"([{"id":"00g9"},{"id":"00g2"}])";
  CHECK(reads_all(api));
  for (const auto& e :
       {event("e1", "group.application_assignment.remove", {{"UserGroup", "00g1"}, {"AppInstance", "0oa1"}}),
        event("e1", "group.lifecycle.delete", {{"UserGroup", "00g1"}}),
        event("e1", "application.lifecycle.deactivate", {{"AppInstance", "0oa1"}}),
        event("e1", "application.user_membership.remove", {{"AppUser", "0ua1"}, {"AppInstance", "0oa1"}})}) {
    Org with;
    with.log = {list({e})};
    CHECK(reads_all(with));
  }
  Org other;
  other.log = {list(
      {event("e1", "group.application_assignment.remove", {{"UserGroup", "00g1"}, {"AppInstance", "0oaOther"}}),
       event("e2", "application.lifecycle.delete", {{"AppInstance", "0oaOther"}})})};
  CHECK_FALSE(reads_all(other));
}

TEST_CASE("the System Log has to lead on, and an old link of it is no end of the source",
          "[idp][feed][okta][R6]") {
  const auto f = feed(R"({"url":"https://example.okta.com","app":"0oa1","watch":{"users":false,"groups":false}})");
  const auto from = first_checkpoint(*f);
  auto without = begin(*f, from);
  CHECK(play(*without, {answer(200, "[]")}).failure->kind == FeedFailureKind::protocol);
  auto elsewhere = begin(*f, from);
  CHECK(play(*elsewhere, {answer(200, "[]", {next("https://evil.example.com/")})}).failure->kind ==
        FeedFailureKind::protocol);
  auto round = begin(*f, from);
  const auto played = play(*round, {answer(200, "[]", {next(org + "/api/v1/logs?after=old")})});
  REQUIRE_FALSE(played.failure);
  auto old = begin(*f, played.checkpoint);
  CHECK(play(*old, {answer(400, error("E0000053", "Invalid parameter"))}).failure->kind ==
        FeedFailureKind::expired_checkpoint);
  // A query of our own that is refused is another matter.
  auto fresh = begin(*f, from);
  CHECK(play(*fresh, {answer(400, error("E0000053", "Invalid parameter"))}).failure->kind ==
        FeedFailureKind::protocol);
  auto denied = begin(*f, from);
  CHECK(play(*denied, {answer(403, error("E0000006", "no"))}).failure->kind == FeedFailureKind::permission_denied);
}

TEST_CASE("a checkpoint that is none of an Okta feed is refused", "[idp][feed][okta]") {
  const auto f = feed();
  const auto good = first_checkpoint(*f);
  for (std::size_t n = 1; n < good.size(); ++n) {
    const auto cut = f->begin({good.substr(0, n), false, {}});
    REQUIRE_FALSE(cut);
    CHECK(cut.error().code() == Errc::invalid_value);
  }
  auto o = json::parse(good).as_object();
  o["log_link"] = "https://evil.example.com/api/v1/logs";
  CHECK_FALSE(f->begin({json::serialize(o), false, {}}));
  o["log_link"] = org + "/api/v1/logs?after=1";
  CHECK(f->begin({json::serialize(o), false, {}}));
  o["v"] = 2;
  CHECK_FALSE(f->begin({json::serialize(o), false, {}}));
  CHECK((*f->begin({good, true, {}}))->kind() == FeedRoundKind::complete);
}

TEST_CASE("one user is read again from Okta", "[idp][feed][okta][R5]") {
  const auto f = feed();
  const auto gone = [](const std::string& what) {
    return answer(404, error("E0000007", "Not found: Resource not found: 00u1 (" + what + ")"));
  };
  const auto read = [&](std::deque<FeedResponse> answers) {
    auto round = f->reread("00u1", {});
    REQUIRE(round);
    CHECK(round->kind() == FeedRoundKind::subject);
    CHECK(round->next()->url == org + "/api/v1/apps/0oa1/users/00u1?expand=user");
    return play(*round, std::move(answers));
  };
  CHECK(read({answer(200, app_user("00u1"))}).rows() == Rows{"00u1 granted"});
  CHECK(read({answer(200, app_user("00u1", "PROVISIONED", "SUSPENDED"))}).rows() == Rows{"00u1 ended suspended"});
  const auto unassigned =
      read({gone("AppUser"),
            answer(200, user("00u1", "ACTIVE", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"))});
  CHECK(unassigned.rows() == Rows{"00u1 removed unassigned"});
  CHECK(unassigned.requests[1].url == org + "/api/v1/users/00u1");
  CHECK(read({gone("AppUser"),
              answer(200, user("00u1", "DEPROVISIONED", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"))})
            .rows() == Rows{"00u1 removed deactivated"});
  CHECK(read({gone("AppUser"), gone("User")}).rows() == Rows{"00u1 removed hard_deleted"});
  CHECK(read({gone("User")}).rows() == Rows{"00u1 removed hard_deleted"});
  // No proof of anything about this user.
  for (auto r : {answer(404, error("E0000007", "Not found: Resource not found: 0oa1 (AppInstance)")),
                 answer(404, error("E0000007", "Not found: Resource not found: 00u2 (AppUser)")),
                 answer(404, "<html>"), answer(404, error("E0000007", "Not found")), answer(200, app_user("00u2")),
                 answer(401, error("E0000011", "Invalid token provided")), answer(200, "[]")}) {
    const auto played = read({std::move(r)});
    CHECK(played.failure);
    CHECK(played.users.empty());
  }
  CHECK(f->reread("../../x?y", {})->next()->url == org + "/api/v1/apps/0oa1/users/..%2F..%2Fx%3Fy?expand=user");
}

TEST_CASE("the config of an Okta feed", "[idp][feed][okta]") {
  CHECK(check_json_schema(okta_feed_schema()));
  const auto refuses = [](std::string_view text, std::string_view where) {
    const auto f = made(make_okta_feed, text);
    REQUIRE_FALSE(f);
    CHECK(f.error().code() == Errc::invalid_argument);
    CHECK(f.error().where() == where);
  };
  refuses(R"({"app":"0oa1"})", "okta");
  refuses(R"({"url":"https://x.okta.com"})", "okta");
  refuses(R"({"url":"http://x.okta.com","app":"0oa1"})", "okta/url");
  refuses(R"({"url":"https://user@x.okta.com","app":"0oa1"})", "okta/url");
  refuses(R"({"url":"https://x.okta.com?a","app":"0oa1"})", "okta/url");
  refuses(R"({"url":"https://x.okta.com","app":"0oa1","page_size":501})", "okta/page_size");
  refuses(R"({"url":"https://x.okta.com","app":"0oa1","token":"x"})", "okta/token");
  const auto f = feed(
      R"({"url":"http://127.0.0.1:81/","allow_http":true,"app":"0oa 1","page_size":3,"watch":{"users":false,"groups":false,"log":false}})");
  CHECK(begin(*f)->next()->url == "http://127.0.0.1:81/api/v1/apps/0oa%201/users?expand=user&limit=3");
  CHECK_FALSE(f->traits().changes);
}
