#include <deprov/idp/feed_keycloak.hpp>
#include <deprov/json_schema.hpp>
#include "catch.hpp"
#include "feed_fixture.hpp"

using namespace deprov;
using namespace deprov::idp;
using namespace deprov::test;
using Rows = std::vector<std::string>;

namespace {

const std::string realm = "https://kc.example.com/admin/realms/staff";
const std::string whole = R"({"url":"https://kc.example.com","realm":"staff","page_size":3})";
const std::string by_role =
    R"({"url":"https://kc.example.com","realm":"staff","client":"c1","roles":["access"],"page_size":3})";
const std::string by_group = R"({"url":"https://kc.example.com","realm":"staff","groups":["g1"],"page_size":3})";

std::unique_ptr<Feed> feed(std::string_view text) {
  auto made = deprov::test::made(make_keycloak_feed, text);
  REQUIRE(made.has_value());
  return std::move(*made);
}
json::object user(const std::string& id, bool enabled = true) {
  return {{"id", id},
          {"username", "name-" + id},
          {"email", id + "@example.com"},
          {"emailVerified", false},
          {"createdTimestamp", 1764468000000},
          {"enabled", enabled},
          {"totp", false}};
}
json::object group(const std::string& id, const std::string& parent = {}) {
  json::object o{{"id", id}, {"name", id}, {"path", "/" + id}, {"subGroupCount", 0}, {"subGroups", json::array{}}};
  if (!parent.empty()) o["parentId"] = parent;
  return o;
}
FeedResponse list(json::array all) {
  return answer(200, json::serialize(all), {{"Content-Type", "application/json"}});
}
FeedResponse error(int status, const std::string& text) {
  return answer(status, json::serialize(json::object{{"error", text}}));
}

/// A list as Keycloak pages it: by `first` and `max` of the query.
FeedResponse paged(const FeedRequest& r, const json::array& all) {
  const auto number = [&](std::string_view name) {
    const auto from = r.url.find(name) + name.size();
    return static_cast<std::size_t>(std::stoul(r.url.substr(from)));
  };
  json::array page;
  for (auto i = number("first="); i < all.size() && page.size() < number("max="); ++i) page.push_back(all[i]);
  return list(page);
}

json::object admin_event(std::int64_t time, const std::string& operation, const std::string& type,
                         const std::string& path) {
  return {{"time", time},
          {"realmId", "r"},
          {"authDetails", {{"userId", "admin"}}},
          {"operationType", operation},
          {"resourceType", type},
          {"resourcePath", path}};
}
const std::string newest_admin =
    "admin-events?resourceTypes=USER&resourceTypes=GROUP&resourceTypes=GROUP_MEMBERSHIP&resourceTypes=CLIENT_ROLE_"
    "MAPPING&"
    "resourceTypes=REALM_ROLE_MAPPING&resourceTypes=REALM_ROLE&resourceTypes=CLIENT_ROLE&resourceTypes=USER_"
    "FEDERATION_PROVIDER&"
    "first=0&max=1000";
const std::string newest_user =
    "events?type=DELETE_ACCOUNT&type=USER_DISABLED_BY_PERMANENT_LOCKOUT&first=0&max=1000";

struct Realm {
  std::map<std::string, json::array> lists{};  ///< by the beginning of what is asked for below the realm
  std::uint64_t count = 0;
  std::optional<std::int64_t> newest{};
  FeedResponse operator()(const FeedRequest& r) const {
    CHECK(r.url.starts_with(realm + "/"));
    const auto path = r.url.substr(realm.size() + 1);
    if (path == "users/count") return answer(200, std::to_string(count));
    if (path == newest_admin)
      return list(newest ? json::array{admin_event(*newest, "UPDATE", "USER", "users/x")} : json::array{});
    if (path == newest_user) return list({});
    for (const auto& [begins, all] : lists)
      if (path.starts_with(begins + "?")) return paged(r, all);
    return list({});
  }
};

FeedResponse config_on() {
  return answer(200, R"({"eventsEnabled":true,"adminEventsEnabled":true,"adminEventsDetailsEnabled":false})");
}
constexpr std::int64_t noon = 1'772'366'400'000;  // 2026-03-01T12:00:00Z
std::string from(std::string_view when) {
  return json::serialize(json::object{{"v", 1}, {"admin", when}, {"user", when}, {"seen", json::array{}}});
}

}  // namespace

TEST_CASE("everybody in a realm of Keycloak, counted at the end", "[idp][feed][keycloak][R6]") {
  const auto f = feed(whole);
  CHECK(f->traits().origins == Rows{"https://kc.example.com"});
  CHECK(f->traits().token_url == "https://kc.example.com/realms/staff/protocol/openid-connect/token");
  CHECK_FALSE(f->traits().repeats);
  CHECK(f->traits().not_found_is_gone);
  Realm api;
  api.lists["users"] = {user("u1"), user("u2", false), user("u3"), user("u4"), user("u5"), user("u6")};
  api.count = 6;
  auto round = begin(*f);
  CHECK(round->kind() == FeedRoundKind::complete);
  const auto played = play(*round, std::cref(api));
  REQUIRE_FALSE(played.failure);
  // Each page begins with the last user of the one before.
  CHECK(played.urls() == Rows{realm + "/" + newest_admin, realm + "/" + newest_user,
                              realm + "/users?briefRepresentation=true&first=0&max=3",
                              realm + "/users?briefRepresentation=true&first=2&max=3",
                              realm + "/users?briefRepresentation=true&first=4&max=3", realm + "/users/count"});
  CHECK(played.rows() ==
        Rows{"u1 granted", "u2 ended deactivated", "u3 granted", "u4 granted", "u5 granted", "u6 granted"});
  CHECK(played.users[0].user_name == "name-u1");
  CHECK(played.users[0].email == "u1@example.com");
  std::uint64_t records = 0;
  for (const auto& p : played.pages) records += p.records;
  CHECK(records == 6);
  CHECK(played.pages.back().total == 6U);
  // As many as fill pages: one more page says that there are no more.
  api.lists["users"].resize(5);
  api.count = 9;  // and not all of them were shown
  auto fewer = begin(*f);
  const auto short_of = play(*fewer, std::cref(api));
  REQUIRE_FALSE(short_of.failure);
  CHECK(short_of.pages.back().total == 9U);
  CHECK(short_of.users.size() == 5);
}

TEST_CASE("where Keycloak's events begin is for Keycloak's clock to say", "[idp][feed][keycloak][R5]") {
  const auto f = feed(whole);
  Realm api;
  api.lists["users"] = {user("u1")};
  api.count = 1;
  auto none = begin(*f);
  // There is no event yet: whichever comes is new.
  CHECK(json::parse(play(*none, std::cref(api)).checkpoint).at("admin").as_string() == "1970-01-01T00:00:00.000Z");
  api.newest = noon - 86'400'000;
  auto some = begin(*f);
  const auto played = play(*some, std::cref(api));
  CHECK(json::parse(played.checkpoint).at("admin").as_string() == "2026-02-28T12:00:00.000Z");
  auto first = begin(*f, json::serialize(json::object{{"v", 1},
                                                      {"admin", "1970-01-01T00:00:00.000Z"},
                                                      {"user", "1970-01-01T00:00:00.000Z"},
                                                      {"seen", json::array{}}}));
  const auto changes =
      play(*first, {config_on(), list({admin_event(noon, "UPDATE", "USER", "users/u1")}), list({})});
  CHECK(changes.rows() == Rows{"u1 hint"});
  CHECK(changes.requests[1].url.find("dateFrom=1970-01-01&") != std::string::npos);
}

TEST_CASE("a list of Keycloak's that moves while it is read is seen", "[idp][feed][keycloak][R6]") {
  const auto f = feed(whole);
  Realm api;
  api.lists["users"] = {user("u1"), user("u2"), user("u3"), user("u4"), user("u5")};
  auto round = begin(*f);
  int asked = 0;
  const auto played = play(*round, [&](const FeedRequest& r) {
    // Somebody on the first page is deleted: u4 would be skipped, and if somebody is created, the count agrees.
    if (++asked == 4) api.lists["users"] = {user("u2"), user("u3"), user("u4"), user("u5"), user("u6")};
    return api(r);
  });
  REQUIRE(played.failure);
  CHECK(played.failure->kind == FeedFailureKind::protocol);
  CHECK(played.failure->detail.find("moved") != std::string::npos);
  CHECK(round->next());
}

TEST_CASE("who has a role of a client, by themselves, by a group, or by one above it",
          "[idp][feed][keycloak][R1]") {
  const auto f = feed(by_role);
  CHECK(f->traits().repeats);
  Realm api;
  api.lists["clients/c1/roles/access/users"] = {user("u1"), user("u2", false)};
  api.lists["clients/c1/roles/access/groups"] = {group("g1")};
  api.lists["groups/g1/members"] = {user("u3"), user("u1")};
  api.lists["groups/g1/children"] = {group("g2", "g1"), group("g3", "g1"), group("g4", "g1"), group("g5", "g1")};
  api.lists["groups/g2/members"] = {user("u4")};
  api.lists["groups/g2/children"] = {group("g1")};  // no circle without end
  api.lists["groups/g5/members"] = {user("u5")};
  auto round = begin(*f);
  const auto played = play(*round, std::cref(api));
  REQUIRE_FALSE(played.failure);
  auto rows = played.rows();
  std::sort(rows.begin(), rows.end());
  CHECK(rows ==
        Rows{"u1 granted", "u1 granted", "u2 ended deactivated", "u3 granted", "u4 granted", "u5 granted"});
  CHECK(std::none_of(played.requests.begin(), played.requests.end(),
                     [](const auto& r) { return r.url.ends_with("/users/count"); }));
  Realm groups;
  groups.lists["groups/g1/members"] = {user("u3")};
  auto of_group = begin(*feed(by_group));
  CHECK(play(*of_group, std::cref(groups)).rows() == Rows{"u3 granted"});
}

TEST_CASE("an answer of Keycloak that is no page ends the round", "[idp][feed][keycloak][R6][R16]") {
  const auto failure = [&](FeedResponse r) {
    auto round = begin(*feed(whole));
    const auto played = play(*round, {list({}), list({}), std::move(r)});
    REQUIRE(played.failure);
    CHECK(round->next());
    return *played.failure;
  };
  const auto good = list({user("u1"), user("u2")}).body;
  for (std::size_t n = 0; n < good.size(); n += 7)
    CHECK(failure(answer(200, good.substr(0, n))).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, "{}")).kind == FeedFailureKind::protocol);
  CHECK(failure(list({1})).kind == FeedFailureKind::protocol);
  CHECK(failure(list({json::object{{"username", "x"}}})).kind == FeedFailureKind::protocol);
  CHECK(failure(list({json::object{{"id", "x"}, {"enabled", "true"}}})).kind == FeedFailureKind::protocol);
  CHECK(failure(list({user("1"), user("2"), user("3"), user("4")})).kind ==
        FeedFailureKind::protocol);  // more than asked for
  CHECK(failure(error(401, "HTTP 401 Unauthorized")).kind == FeedFailureKind::auth_failed);
  CHECK(failure(error(403, "HTTP 403 Forbidden")).kind == FeedFailureKind::permission_denied);
  CHECK(failure(error(404, "Realm not found.")).detail == "Keycloak answered 404: Realm not found.");
  CHECK(failure(answer(503, "", {{"Retry-After", "3"}})).kind == FeedFailureKind::throttled);
  CHECK(failure(answer(502, "<html>")).kind == FeedFailureKind::unavailable);
  CHECK(failure(answer(302, "", {{"Location", "https://evil.example.com"}})).kind == FeedFailureKind::protocol);
  for (auto r : {answer(200, "many"), answer(200, "-1"), answer(200, "[]")}) {
    auto round = begin(*feed(whole));
    CHECK(play(*round, {list({}), list({}), list({user("u1")}), std::move(r)}).failure->kind ==
          FeedFailureKind::protocol);
  }
  auto empty = begin(*feed(whole));
  const auto nobody = play(*empty, {list({}), list({}), list({}), answer(200, "0")});
  CHECK_FALSE(nobody.failure);  // whether a list may be empty is not for the adapter to say
  CHECK(nobody.pages.back().total == 0U);
}

TEST_CASE("Keycloak's events say whom to read again", "[idp][feed][keycloak][R5]") {
  const auto f = feed(whole);
  auto round = begin(*f, from("2026-03-01T11:59:00.000Z"));
  CHECK(round->kind() == FeedRoundKind::changes);
  auto failed = admin_event(noon - 400, "UPDATE", "USER", "users/u8");
  failed["error"] = "failed";
  const auto played = play(
      *round,
      {config_on(),
       list({admin_event(noon, "DELETE", "USER", "users/u1"),
             admin_event(noon - 100, "UPDATE", "USER", "users/u2"),
             admin_event(noon - 200, "DELETE", "GROUP_MEMBERSHIP", "users/u3/groups/g1")}),
       list({admin_event(noon - 200, "DELETE", "GROUP_MEMBERSHIP", "users/u3/groups/g1"), failed,
             admin_event(noon - 600'000, "UPDATE", "USER", "users/u9")}),
       list({json::object{{"time", noon + 50}, {"type", "DELETE_ACCOUNT"}, {"realmId", "r"}, {"userId", "u4"}},
             json::object{{"time", noon + 40}, {"type", "LOGIN"}, {"realmId", "r"}, {"userId", "u5"}}})});
  REQUIRE_FALSE(played.failure);
  CHECK(played.rows() == Rows{"u1 hint", "u2 hint", "u3 hint", "u4 hint"});
  CHECK_FALSE(played.checkpoint.empty());
  CHECK(played.requests[0].url == realm + "/events/config");
  CHECK(played.requests[1].url == realm +
                                      "/admin-events?resourceTypes=USER&resourceTypes=GROUP&resourceTypes=GROUP_"
                                      "MEMBERSHIP&resourceTypes=CLIENT_ROLE_MAPPING&"
                                      "resourceTypes=REALM_ROLE_MAPPING&resourceTypes=REALM_ROLE&resourceTypes="
                                      "CLIENT_ROLE&resourceTypes=USER_FEDERATION_PROVIDER&"
                                      "dateFrom=2026-02-28&first=0&max=3");
  CHECK(played.requests[2].url.ends_with("&first=3&max=3"));
  CHECK(
      played.requests[3].url ==
      realm +
          "/events?type=DELETE_ACCOUNT&type=USER_DISABLED_BY_PERMANENT_LOCKOUT&dateFrom=2026-02-28&first=0&max=3");
  const auto kept = json::parse(played.checkpoint);
  CHECK(kept.at("admin").as_string() == "2026-03-01T12:00:00.000Z");
  CHECK(kept.at("user").as_string() == "2026-03-01T12:00:00.050Z");
  // The same events again are no news; a late one of the same time is.
  auto again = begin(*f, played.checkpoint);
  const auto later = play(*again, {config_on(),
                                   list({admin_event(noon, "DELETE", "USER", "users/u1"),
                                         admin_event(noon - 50, "UPDATE", "USER", "users/late")}),
                                   list({})});
  REQUIRE_FALSE(later.failure);
  CHECK(later.rows() == Rows{"late hint"});
  CHECK(json::parse(later.checkpoint).at("admin").as_string() == "2026-03-01T12:00:00.000Z");
}

TEST_CASE("events of Keycloak that touch several lead to reading everybody, and so does their lack",
          "[idp][feed][keycloak][R8]") {
  const auto reads_all = [&](std::string_view config, const json::object& event) {
    const auto f = feed(config);
    auto round = begin(*f, from("2026-03-01T11:59:00.000Z"));
    const auto played = play(*round, {config_on(), list({event}), list({})});
    REQUIRE_FALSE(played.failure);
    CHECK(played.users.empty());
    if (!played.checkpoint.empty()) return false;
    // Once: everybody is read after it.
    auto all = begin(*f, {});
    const auto lists = play(*all, [&](const FeedRequest& r) {
      if (r.url.find("/admin-events?") != std::string::npos) return list({event});
      return r.url.ends_with("/users/count") ? answer(200, "0") : list({});
    });
    REQUIRE_FALSE(lists.failure);
    auto again = begin(*f, lists.checkpoint);
    CHECK_FALSE(play(*again, {config_on(), list({event}), list({})}).checkpoint.empty());
    return true;
  };
  CHECK(reads_all(by_role, admin_event(noon, "DELETE", "GROUP", "groups/g1")));
  CHECK(reads_all(by_role,
                  admin_event(noon, "DELETE", "CLIENT_ROLE_MAPPING", "groups/g1/role-mappings/clients/c1")));
  CHECK(reads_all(by_role, admin_event(noon, "UPDATE", "CLIENT_ROLE", "clients/c1/roles/access/composites")));
  CHECK(reads_all(by_group, admin_event(noon, "UPDATE", "GROUP", "groups/g1")));
  CHECK_FALSE(reads_all(by_group, admin_event(noon, "CREATE", "GROUP", "groups/g7")));
  CHECK_FALSE(reads_all(whole, admin_event(noon, "DELETE", "GROUP", "groups/g1")));
  CHECK(reads_all(whole, admin_event(noon, "ACTION", "USER_FEDERATION_PROVIDER", "user-federation/x/sync")));
  CHECK_FALSE(reads_all(by_role, admin_event(noon, "UPDATE", "CLIENT", "clients/c1")));
  const auto f = feed(whole);
  auto off = begin(*f, from("2026-03-01T11:59:00.000Z"));
  const auto unrecorded = play(*off, {answer(200, R"({"eventsEnabled":false,"adminEventsEnabled":false})")});
  REQUIRE_FALSE(unrecorded.failure);
  CHECK(unrecorded.checkpoint.empty());
  CHECK(unrecorded.requests.size() == 1);
  // More of them than are read at once.
  auto many = begin(*f, from("2026-03-01T11:59:00.000Z"));
  std::int64_t n = 0;
  const auto flood = play(
      *many,
      [&](const FeedRequest& r) {
        if (r.url.ends_with("/events/config")) return config_on();
        if (r.url.find("/events?") != std::string::npos) return list({});
        json::array page;
        for (int i = 0; i < 3; ++i, ++n)
          page.push_back(admin_event(noon - n, "UPDATE", "USER", "users/u" + std::to_string(n)));
        return list(page);
      },
      200);
  REQUIRE_FALSE(flood.failure);
  CHECK(flood.checkpoint.empty());
  CHECK(flood.requests.size() == 102);
  for (auto bad : {list({json::object{{"operationType", "x"}}}), list({json::object{{"time", "yesterday"}}}),
                   list({1}), answer(200, "{}")}) {
    auto round = begin(*f, from("2026-03-01T11:59:00.000Z"));
    CHECK(play(*round, {config_on(), std::move(bad)}).failure->kind == FeedFailureKind::protocol);
  }
}

TEST_CASE("one user is read again from Keycloak", "[idp][feed][keycloak][R5]") {
  const auto read = [&](std::string_view config, std::deque<FeedResponse> answers) {
    const auto f = feed(config);
    auto round = f->reread("u1", {});
    REQUIRE(round);
    CHECK(round->kind() == FeedRoundKind::subject);
    CHECK(round->next()->url == realm + "/users/u1");
    return play(*round, std::move(answers));
  };
  const auto there = answer(200, json::serialize(user("u1")));
  const auto disabled = answer(200, json::serialize(user("u1", false)));
  CHECK(read(whole, {there}).rows() == Rows{"u1 granted"});
  for (const auto& config : {whole, by_role, by_group}) {
    CHECK(read(config, {disabled}).rows() == Rows{"u1 ended deactivated"});
    CHECK(read(config, {error(404, "User not found")}).rows() == Rows{"u1 removed hard_deleted"});
  }
  const auto role = read(by_role, {there, list({json::object{{"id", "1"}, {"name", "other"}},
                                                json::object{{"id", "2"}, {"name", "access"}}})});
  CHECK(role.rows() == Rows{"u1 granted"});
  CHECK(role.requests[1].url == realm + "/users/u1/role-mappings/clients/c1/composite");
  CHECK(read(by_role, {there, list({})}).rows() == Rows{"u1 ended unassigned"});
  CHECK(read(by_group, {there, list({group("g1")})}).rows() == Rows{"u1 granted"});
  // g3 is in g2, which is in g1.
  const auto climbed =
      read(by_group, {there, list({group("g3", "g2")}), answer(200, json::serialize(group("g3", "g2"))),
                      answer(200, json::serialize(group("g2", "g1")))});
  CHECK(climbed.rows() == Rows{"u1 granted"});
  CHECK(climbed.requests.back().url == realm + "/groups/g2");
  CHECK(read(by_group, {there, list({group("g9")}), answer(200, json::serialize(group("g9")))}).rows() ==
        Rows{"u1 ended unassigned"});
  for (auto r : {error(404, "Realm not found."), error(404, "HTTP 404 Not Found"), answer(404, ""),
                 answer(200, json::serialize(user("u2"))), error(401, "x"), answer(500, ""), list({})}) {
    const auto played = read(whole, {std::move(r)});
    CHECK(played.failure);
    CHECK(played.users.empty());
  }
}

TEST_CASE("a checkpoint and a config that are none of a Keycloak feed are refused", "[idp][feed][keycloak]") {
  CHECK(check_json_schema(keycloak_feed_schema()));
  const auto f = feed(whole);
  const auto good = from("2026-03-01T11:59:00.000Z");
  CHECK(f->begin({good, false, {}}));
  for (std::size_t n = 1; n < good.size(); ++n) CHECK_FALSE(f->begin({good.substr(0, n), false, {}}));
  const auto refuses = [](std::string_view text, std::string_view where) {
    const auto made_feed = made(make_keycloak_feed, text);
    REQUIRE_FALSE(made_feed);
    CHECK(made_feed.error().code() == Errc::invalid_argument);
    CHECK(made_feed.error().where() == where);
  };
  refuses(R"({"realm":"staff"})", "keycloak");
  refuses(R"({"url":"http://kc.example.com","realm":"staff"})", "keycloak/url");
  refuses(R"({"url":"https://kc.example.com","realm":"staff","page_size":1})", "keycloak/page_size");
  refuses(R"({"url":"https://kc.example.com","realm":"staff","client":"c1"})", "keycloak/roles");
  refuses(R"({"url":"https://kc.example.com","realm":"staff","roles":["a"]})", "keycloak/client");
  refuses(R"({"url":"https://kc.example.com","realm":"staff","client":"c1","roles":["a"],"groups":["g"]})",
          "keycloak/groups");
  refuses(R"({"url":"https://kc.example.com","realm":"staff","password":"x"})", "keycloak/password");
  const auto other = feed(
      R"({"url":"http://127.0.0.1:8080/auth/","allow_http":true,"realm":"a b","token_realm":"master","watch":{"admin_events":false,"user_events":false}})");
  CHECK(other->traits().token_url == "http://127.0.0.1:8080/auth/realms/master/protocol/openid-connect/token");
  CHECK_FALSE(other->traits().changes);
  CHECK(begin(*other, good)->next()->url ==
        "http://127.0.0.1:8080/auth/admin/realms/a%20b/users?briefRepresentation=true&first=0&max=500");
}
