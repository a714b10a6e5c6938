#include <deprov/idp/feed_graph.hpp>
#include <deprov/json_schema.hpp>
#include "catch.hpp"
#include "feed_fixture.hpp"

using namespace deprov;
using namespace deprov::idp;
using namespace deprov::test;
using Rows = std::vector<std::string>;

namespace {

const std::string graph = "https://graph.microsoft.com/v1.0";
const std::string fields = "$select=id,userPrincipalName,mail,accountEnabled";
const std::string directory = R"({"tenant":"contoso.example"})";
const std::string app = R"({"tenant":"contoso.example","service_principal":"8e88"})";
const std::string app_list = graph + "/servicePrincipals/8e88/appRoleAssignedTo?$top=999";

std::unique_ptr<Feed> feed(std::string_view text) {
  auto made = deprov::test::made(make_graph_feed, text);
  REQUIRE(made.has_value());
  return std::move(*made);
}
json::object person(const std::string& id, std::optional<bool> enabled = true) {
  json::object o{{"@odata.type", "#microsoft.graph.user"},
                 {"id", id},
                 {"userPrincipalName", id + "@contoso.example"},
                 {"mail", nullptr}};
  if (enabled) o["accountEnabled"] = *enabled;
  return o;
}
json::object removed(const std::string& id, const std::string& reason) {
  return {{"id", id}, {"@removed", {{"reason", reason}}}};
}
json::object assigned(const std::string& to, const std::string& type) {
  return {{"id", "assignment-of-" + to},
          {"deletedDateTime", nullptr},
          {"appRoleId", "00000000-0000-0000-0000-000000000000"},
          {"createdDateTime", "2021-02-02T04:22:45.9480566Z"},
          {"principalDisplayName", "x"},
          {"principalId", to},
          {"principalType", type},
          {"resourceId", "8e88"}};
}
FeedResponse page(json::array value, const std::string& next = {}, const std::string& delta = {}) {
  json::object o{{"@odata.context", "https://graph.microsoft.com/v1.0/$metadata#users"},
                 {"value", std::move(value)}};
  if (!next.empty()) o["@odata.nextLink"] = next;
  if (!delta.empty()) o["@odata.deltaLink"] = delta;
  return answer(200, json::serialize(o));
}
/// The first page of an advanced query.
FeedResponse counted(json::array value, std::uint64_t count, const std::string& next = {}) {
  json::object o{{"@odata.count", count}, {"value", std::move(value)}};
  if (!next.empty()) o["@odata.nextLink"] = next;
  return answer(200, json::serialize(o));
}
FeedResponse error(int status, const std::string& code, const std::string& message = "text",
                   std::vector<FeedHeader> headers = {}) {
  return answer(
      status,
      json::serialize(json::object{{"error",
                                    {{"code", code},
                                     {"message", message},
                                     {"innerError", {{"request-id", "1"}, {"date", "2026-03-01T12:00:00"}}}}}}),
      std::move(headers));
}
FeedResponse missing(const std::string& id) {
  return error(
      404, "Request_ResourceNotFound",
      "Resource '" + id + "' does not exist or one of its queried reference-property objects are not present.");
}
const std::string users_delta = graph + "/users/delta?$deltatoken=u1";
const std::string groups_delta = graph + "/groups/delta?$deltatoken=g1";
std::string now_of(std::string_view what) { return graph + "/" + std::string(what) + "/delta?$deltatoken=latest"; }

/// A directory as an API. What is not said is empty.
struct Directory {
  std::map<std::string, FeedResponse> by_url{};
  std::vector<std::string> unknown{};
  FeedResponse operator()(const FeedRequest& r) {
    if (const auto i = by_url.find(r.url); i != by_url.end()) return i->second;
    if (r.url.starts_with(now_of("users"))) return page({}, {}, users_delta);
    if (r.url.starts_with(now_of("groups"))) return page({}, {}, groups_delta);
    if (r.method == "POST") {
      json::array found;
      const auto asked = json::parse(r.body).as_object();
      CHECK(asked.at("types") == json::array{"user"});
      for (const auto& id : asked.at("ids").as_array())
        if (!std::count(unknown.begin(), unknown.end(), std::string(id.as_string())))
          found.push_back(person(std::string(id.as_string()), id.as_string() != "disabled"));
      return page(std::move(found));
    }
    return page({});
  }
};

std::string app_checkpoint(const Feed& f, Directory& d) {
  auto round = begin(f);
  const auto played = play(*round, std::ref(d));
  REQUIRE_FALSE(played.failure);
  return played.checkpoint;
}

}  // namespace

TEST_CASE("everybody in a directory is read after a delta link of now was taken", "[idp][feed][graph][R6]") {
  const auto f = feed(directory);
  CHECK(f->traits().origins == Rows{"https://graph.microsoft.com"});
  CHECK(f->traits().token_url == "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token");
  CHECK(f->traits().token_scope == "https://graph.microsoft.com/.default");
  CHECK(f->traits().repeats);
  auto round = begin(*f);
  CHECK(round->kind() == FeedRoundKind::complete);
  const auto second = graph + "/users?$skiptoken=RFNwdAIAAQ";
  const auto played = play(*round, {page({}, {}, users_delta), page({person("u1"), person("u2", false)}, second),
                                    page({}, second + "2"),  // empty, and not the last
                                    page({person("u3", std::nullopt)})});
  REQUIRE_FALSE(played.failure);
  CHECK(played.urls() ==
        Rows{now_of("users") + "&" + fields, graph + "/users?" + fields + "&$top=999", second, second + "2"});
  CHECK(played.rows() == Rows{"u1 granted", "u2 ended deactivated", "u3 granted"});
  CHECK(played.users[0].user_name == "u1@contoso.example");
  CHECK(json::parse(played.checkpoint).at("users").as_string() == users_delta);
}

TEST_CASE("who is assigned to an app of Entra ID, by themselves or by a group", "[idp][feed][graph][R1]") {
  const auto f = feed(app);
  Directory d;
  const auto second = app_list + "&$skiptoken=2";
  d.by_url[app_list] = page({assigned("u1", "User"), assigned("disabled", "User"), assigned("g1", "Group"),
                             assigned("sp", "ServicePrincipal")},
                            second);
  auto was = assigned("u9", "User");
  was["deletedDateTime"] = "2026-01-01T00:00:00Z";
  d.by_url[second] = page({assigned("g2", "Group"), assigned("u2", "User"), assigned("gone", "User"), was});
  d.unknown = {"gone", "u2"};
  d.by_url[graph + "/users/gone?" + fields] = missing("gone");
  d.by_url[graph + "/users/u2?" + fields] = answer(200, json::serialize(person("u2")));
  const auto members = graph + "/groups/g1/members?" + fields + "&$top=999";
  d.by_url[members] =
      page({person("u1"), json::object{{"@odata.type", "#microsoft.graph.group"}, {"id", "nested"}}},
           members + "&more");
  d.by_url[members + "&more"] = page({person("u4", false), person("u5")});
  d.by_url[graph + "/groups/g2/members?" + fields + "&$top=999"] = missing("g2");  // deleted, and still assigned
  auto round = begin(*f);
  const auto played = play(*round, std::ref(d));
  REQUIRE_FALSE(played.failure);
  CHECK(played.rows() == Rows{"disabled ended deactivated", "u1 granted", "u2 granted", "u1 granted",
                              "u4 ended deactivated", "u5 granted"});
  CHECK(played.requests[0].url == now_of("users") + "&" + fields);
  CHECK(played.requests[1].url == now_of("groups") + "&$select=id,members");
  CHECK(played.requests[3].method == "POST");
  CHECK(played.requests[3].url == graph + "/directoryObjects/getByIds?" + fields);
  CHECK(json::parse(played.requests[3].body).at("ids").as_array().size() == 2);
  const auto kept = json::parse(played.checkpoint);
  CHECK(kept.at("group_ids") == json::array{"g1", "g2"});
  CHECK(kept.at("groups").as_string() == groups_delta);
}

TEST_CASE("an answer of Graph that is no page ends the round", "[idp][feed][graph][R6]") {
  const auto f = feed(directory);
  const auto failure = [&](FeedResponse r) {
    auto round = begin(*f);
    const auto played = play(*round, {page({}, {}, users_delta), std::move(r)});
    REQUIRE(played.failure);
    CHECK(round->next());
    return *played.failure;
  };
  const auto whole = page({person("u1"), person("u2")}).body;
  for (std::size_t n = 0; n < whole.size(); n += 11)
    CHECK(failure(answer(200, whole.substr(0, n))).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, "[]")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, "{}")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, R"({"value":null})")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, R"({"value":[1]})")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, R"({"value":[{"mail":"x"}]})")).kind == FeedFailureKind::protocol);
  CHECK(failure(answer(200, R"({"value":[{"id":"u","accountEnabled":"false"}]})")).kind ==
        FeedFailureKind::protocol);
  CHECK(failure(page({}, graph + "/users?1", graph + "/users?2")).kind == FeedFailureKind::protocol);
  CHECK(failure(page({}, {}, users_delta)).kind == FeedFailureKind::protocol);  // a list has none
  CHECK(failure(page({}, graph + "/users?" + fields + "&$top=999")).kind == FeedFailureKind::protocol);  // itself
  CHECK(failure(answer(500, "")).kind == FeedFailureKind::unavailable);
  // A page that comes again under another link.
  const auto again = graph + "/users?$skiptoken=";
  auto repeated = begin(*f);
  CHECK(play(*repeated, {page({}, {}, users_delta), page({person("u1"), person("u2")}, again + "1"),
                         page({person("u1"), person("u2")}, again + "2")})
            .failure->detail.find("second time") != std::string::npos);
  // A delta of now that ends in nothing.
  auto round = begin(*f);
  CHECK(play(*round, {page({})}).failure->kind == FeedFailureKind::protocol);
  // Lookups that answer somebody else, and assignments to what is not known.
  Directory d;
  const auto of_app = feed(app);
  d.by_url[app_list] = page({assigned("x", "Device")});
  auto second = begin(*of_app);
  CHECK(play(*second, std::ref(d)).failure->detail.find("Device") != std::string::npos);
  d.by_url[app_list] = page({assigned("u1", "User")});
  d.by_url[graph + "/directoryObjects/getByIds?" + fields] = page({person("u2")});
  auto third = begin(*of_app);
  CHECK(play(*third, std::ref(d)).failure->kind == FeedFailureKind::protocol);
  // An address that is wrong is not a user who is gone.
  d.by_url.erase(graph + "/directoryObjects/getByIds?" + fields);
  d.unknown = {"u1"};
  d.by_url[graph + "/users/u1?" + fields] = answer(404, "not found");
  auto fourth = begin(*of_app);
  CHECK(play(*fourth, std::ref(d)).failure->kind == FeedFailureKind::protocol);
}

TEST_CASE("Graph's token goes nowhere else", "[idp][feed][graph][R21]") {
  const auto f = feed(directory);
  for (const auto* link :
       {"https://evil.example.com/v1.0/users?$skiptoken=secret", "http://graph.microsoft.com/v1.0/users",
        "https://graph.microsoft.com@evil.example.com/", "https://graph.microsoft.com.evil.example.com/",
        "https://graph.microsoft.com:444/v1.0/users", "users?$skiptoken=secret"}) {
    INFO(link);
    auto list = begin(*f);
    const auto played = play(*list, {page({}, {}, users_delta), page({}, link)});
    REQUIRE(played.failure);
    CHECK(played.failure->kind == FeedFailureKind::protocol);
    CHECK(played.failure->detail.find("secret") == std::string::npos);
    auto delta = begin(*f);
    CHECK(play(*delta, {page({}, {}, link)}).failure);
    CHECK_FALSE(f->begin({json::serialize(json::object{{"v", 1}, {"users", link}}), false, {}}));
  }
  auto round = begin(*f);
  CHECK(
      play(*round, {page({}, {}, users_delta), page({}, graph + "/users?$skiptoken=" + std::string(20'000, 'x'))})
          .failure->detail.find("max_link_bytes") != std::string::npos);
}

TEST_CASE("a delta of users tells disabled, soft-deleted and deleted ones apart", "[idp][feed][graph][R2]") {
  const auto f = feed(directory);
  auto round = begin(*f, json::serialize(json::object{{"v", 1}, {"users", users_delta}}));
  CHECK(round->kind() == FeedRoundKind::changes);
  const auto second = graph + "/users/delta?$skiptoken=oEBwdSP6uehIAxQOWq_3Ksh";
  const auto last = graph + "/users/delta?$deltatoken=u2";
  const auto played =
      play(*round, {page({person("u1", false), removed("u2", "changed"), removed("u3", "deleted")}, second),
                    page({}, second + "x"),
                    page({person("u4"), json::object{{"id", "u5"}, {"displayName", "Renamed"}},
                          person("u1", false), removed("u6", "moved")},
                         {}, last)});
  REQUIRE_FALSE(played.failure);
  CHECK(played.urls() == Rows{users_delta, second, second + "x"});
  CHECK(played.rows() == Rows{"u1 ended deactivated", "u2 removed soft_deleted", "u3 removed hard_deleted",
                              "u4 granted", "u5 hint", "u1 ended deactivated", "u6 hint"});
  CHECK(json::parse(played.checkpoint).at("users").as_string() == last);
  // A delta has to end in a link to go on from.
  auto open = begin(*f, played.checkpoint);
  CHECK(play(*open, {page({person("u1")})}).failure->kind == FeedFailureKind::protocol);
}

TEST_CASE("of whom a delta says two things, in whatever order, Graph is asked again", "[idp][feed][graph][R5]") {
  const auto f = feed(directory);
  const auto rows = [&](std::vector<json::value> first, std::vector<json::value> second) {
    auto round = begin(*f, json::serialize(json::object{{"v", 1}, {"users", users_delta}}));
    const auto link = graph + "/users/delta?$skiptoken=2";
    const auto played = play(*round, {page(json::array(first.begin(), first.end()), link),
                                      page(json::array(second.begin(), second.end()), {}, users_delta + "2")});
    REQUIRE_FALSE(played.failure);
    return played.rows();
  };
  // Disabled and enabled again: shown in the other order.
  CHECK(rows({person("u1")}, {person("u1", false)}) == Rows{"u1 granted", "u1 hint"});
  CHECK(rows({person("u1", false)}, {person("u1")}) == Rows{"u1 ended deactivated", "u1 hint"});
  CHECK(rows({person("u1"), removed("u1", "changed")}, {}) == Rows{"u1 granted", "u1 hint"});
  CHECK(rows({removed("u1", "changed")}, {removed("u1", "deleted")}) ==
        Rows{"u1 removed soft_deleted", "u1 hint"});
  // The same again says nothing new.
  CHECK(rows({person("u1", false)}, {person("u1", false), person("u2")}) ==
        Rows{"u1 ended deactivated", "u1 ended deactivated", "u2 granted"});
}

TEST_CASE("the deltas of an app's users and groups are hints and ends, never grants",
          "[idp][feed][graph][R5][R8]") {
  const auto f = feed(app);
  Directory d;
  d.by_url[app_list] = page({assigned("g1", "Group"), assigned("u1", "User")});
  const auto from = app_checkpoint(*f, d);
  const auto plays = [&](FeedResponse users, FeedResponse groups, FeedResponse list) {
    auto round = begin(*f, from);
    const auto played = play(*round, {std::move(users), std::move(groups), std::move(list)});
    REQUIRE_FALSE(played.failure);
    CHECK(played.urls() == Rows{users_delta, groups_delta, app_list});
    return played;
  };
  const auto users = page({person("u1"), person("u2", false), removed("u3", "deleted")}, {}, users_delta + "2");
  const json::object members{
      {"id", "g1"},
      {"members@delta",
       {{{"@odata.type", "#microsoft.graph.user"}, {"id", "u4"}, {"@removed", {{"reason", "deleted"}}}},
        {{"@odata.type", "#microsoft.graph.user"}, {"id", "u5"}},
        {{"@odata.type", "#microsoft.graph.device"}, {"id", "d1"}}}}};
  auto other = members;
  other["id"] = "g9";
  // The same assignments in another order are the same.
  const auto same = page({assigned("u1", "User"), assigned("g1", "Group")});
  auto played = plays(users, page({members, other}, {}, groups_delta + "2"), same);
  CHECK(played.rows() == Rows{"u1 hint", "u2 ended deactivated", "u3 removed hard_deleted", "u4 hint", "u5 hint"});
  CHECK_FALSE(played.checkpoint.empty());
  const auto kept = json::parse(played.checkpoint);
  CHECK(kept.at("users").as_string() == users_delta + "2");
  CHECK(kept.at("groups").as_string() == groups_delta + "2");
  CHECK(kept.at("group_ids") == json::array{"g1"});
  const auto nothing_users = page({}, {}, users_delta + "2");
  const auto nothing_groups = page({}, {}, groups_delta + "2");
  CHECK(plays(nothing_users, page({removed("g1", "changed")}, {}, groups_delta), same).checkpoint.empty());
  CHECK_FALSE(plays(nothing_users, page({removed("g9", "deleted")}, {}, groups_delta), same).checkpoint.empty());
  CHECK(plays(nothing_users, nothing_groups, page({assigned("g1", "Group")})).checkpoint.empty());
  CHECK(plays(nothing_users, nothing_groups, page({assigned("g1", "Group"), assigned("u9", "User")}))
            .checkpoint.empty());
  CHECK(plays(nothing_users, nothing_groups, page({})).checkpoint.empty());
}

TEST_CASE("a delta link that Graph forgot leads to reading everybody", "[idp][feed][graph][R6]") {
  const auto f = feed(directory);
  const auto kind = [&](FeedResponse r) {
    auto round = begin(*f, json::serialize(json::object{{"v", 1}, {"users", users_delta}}));
    const auto played = play(*round, {std::move(r)});
    REQUIRE(played.failure);
    CHECK(played.users.empty());
    return played.failure->kind;
  };
  CHECK(kind(answer(410, "", {{"Location", graph + "/users/delta?$deltatoken="}})) ==
        FeedFailureKind::expired_checkpoint);
  CHECK(kind(error(410, "resyncRequired")) == FeedFailureKind::expired_checkpoint);
  CHECK(kind(error(400, "syncStateNotFound")) == FeedFailureKind::expired_checkpoint);
  CHECK(kind(error(400, "SyncStateNotFound")) == FeedFailureKind::expired_checkpoint);
  CHECK(kind(error(404, "SyncStateInvalid")) == FeedFailureKind::expired_checkpoint);
  CHECK(kind(error(400, "Directory_ExpiredPageToken")) == FeedFailureKind::expired_checkpoint);
  CHECK(kind(error(400, "_Directory_ExpiredPageToken")) == FeedFailureKind::expired_checkpoint);
  CHECK(kind(error(400, "Request_BadRequest")) == FeedFailureKind::protocol);
  CHECK(kind(error(429, "syncStateNotFound")) == FeedFailureKind::throttled);
  CHECK(kind(error(503, "syncStateNotFound")) == FeedFailureKind::unavailable);
}

TEST_CASE("Graph's errors and throttling", "[idp][feed][graph][R16][R17]") {
  const auto now = at("2026-03-01T12:00:00Z");
  const auto of = [](FeedResponse r) { return *graph_failure(r); };
  CHECK(of(error(401, "InvalidAuthenticationToken")).kind == FeedFailureKind::auth_failed);
  CHECK(of(error(400, "InvalidAuthenticationToken")).kind == FeedFailureKind::auth_failed);
  CHECK(of(error(403, "Authorization_RequestDenied")).kind == FeedFailureKind::permission_denied);
  CHECK(of(error(404, "Request_ResourceNotFound")).kind == FeedFailureKind::protocol);
  CHECK(of(error(504, "UnknownError")).kind == FeedFailureKind::unavailable);
  CHECK(of(error(403, "Authorization_RequestDenied", "Insufficient privileges")).detail ==
        "Microsoft Graph answered 403 Authorization_RequestDenied: Insufficient privileges");
  CHECK(of(error(429, "TooManyRequests", "x", {{"Retry-After", "31"}})).retry_at ==
        now + std::chrono::seconds(31));
  CHECK(of(error(429, "TooManyRequests", "x",
                 {{"Retry-After", "Sun, 01 Mar 2026 11:00:45 GMT"}, {"Date", "Sun, 01 Mar 2026 11:00:00 GMT"}}))
            .retry_at == now + std::chrono::seconds(45));
  CHECK(of(error(429, "TooManyRequests")).retry_at == now + std::chrono::seconds(10));
  CHECK(of(error(429, "TooManyRequests", "x", {{"Retry-After", "soon"}})).retry_at ==
        now + std::chrono::seconds(10));
  CHECK(of(error(503, "serviceNotAvailable", "x", {{"Retry-After", "5"}})).kind == FeedFailureKind::throttled);
  const auto left = [](std::string percentage) {
    return graph_quota(answer(200, "{}", {{"x-ms-throttle-limit-percentage", std::move(percentage)}})).remaining;
  };
  CHECK(left("0.8") == 20U);
  CHECK(left("0.857") == 15U);
  CHECK(left("1") == 0U);
  CHECK(left("1.8") == 0U);
  CHECK_FALSE(left("many"));
  CHECK_FALSE(left("-1"));
  CHECK_FALSE(left(""));
  CHECK_FALSE(graph_quota(answer(200, "{}")).remaining);
  // In the middle of a delta: the same request again.
  const auto f = feed(directory);
  auto round = begin(*f, json::serialize(json::object{{"v", 1}, {"users", users_delta}}));
  const FeedSink sink = [](const FeedUser&) {};
  CHECK_FALSE(round->read(page({person("u1")}, graph + "/users/delta?$skiptoken=2"), sink).failure);
  for (const auto& r : {error(429, "TooManyRequests"), answer(500, ""), answer(503, "")}) {
    CHECK(round->read(r, sink).failure);
    CHECK(round->next()->url == graph + "/users/delta?$skiptoken=2");
  }
  CHECK_FALSE(round->read(page({}, {}, users_delta), sink).failure);
  CHECK_FALSE(round->next());
}

TEST_CASE("one user is read again from Graph", "[idp][feed][graph][R5]") {
  const auto read = [&](std::string_view config, std::deque<FeedResponse> answers) {
    const auto f = feed(config);
    CHECK(f->traits().not_found_is_gone);
    auto round = f->reread("u1", {});
    REQUIRE(round);
    CHECK(round->kind() == FeedRoundKind::subject);
    CHECK(round->next()->url == graph + "/users/u1?" + fields);
    return play(*round, std::move(answers));
  };
  const auto user = answer(200, json::serialize(person("u1")));
  CHECK(read(directory, {user}).rows() == Rows{"u1 granted"});
  CHECK(read(directory, {answer(200, json::serialize(person("u1", false)))}).rows() ==
        Rows{"u1 ended deactivated"});
  CHECK(read(app, {answer(200, json::serialize(person("u1", false)))}).rows() == Rows{"u1 ended deactivated"});
  CHECK(read(directory, {missing("u1"), answer(200, R"({"id":"u1"})")}).rows() == Rows{"u1 removed soft_deleted"});
  CHECK(read(directory, {missing("u1"), missing("u1")}).rows() == Rows{"u1 removed hard_deleted"});
  CHECK(read(directory, {missing("u1"), error(403, "Authorization_RequestDenied")}).rows() ==
        Rows{"u1 removed soft_deleted"});
  const auto by_group = read(app, {user, page({assigned("g1", "Group")})});
  CHECK(by_group.rows() == Rows{"u1 granted"});
  CHECK(by_group.requests[1].url ==
        graph + "/users/u1/appRoleAssignments?$count=true&$filter=resourceId%20eq%208e88");
  CHECK(std::any_of(by_group.requests[1].headers.begin(), by_group.requests[1].headers.end(),
                    [](const auto& h) { return h.name == "ConsistencyLevel" && h.value == "eventual"; }));
  auto elsewhere = assigned("u1", "User");
  elsewhere["resourceId"] = "another-app";
  const auto second_page = graph + "/users/u1/appRoleAssignments?$skiptoken=2";
  CHECK(read(app, {user, counted({elsewhere}, 1, second_page), page({})}).rows() == Rows{"u1 ended unassigned"});
  CHECK(read(app, {user, counted({}, 0)}).rows() == Rows{"u1 ended unassigned"});
  for (auto r :
       {error(404, "Request_ResourceNotFound", "Resource 'u2' does not exist"), answer(404, "<html>"),
        answer(200, json::serialize(person("u2"))), answer(401, ""), answer(500, ""), answer(200, "[]")}) {
    const auto played = read(directory, {std::move(r)});
    CHECK(played.failure);
    CHECK(played.users.empty());
  }
}

TEST_CASE("nobody is unassigned by a list of their assignments that is cut off, or empty without saying so",
          "[idp][feed][graph][R6]") {
  const auto read = [&](std::deque<FeedResponse> answers) {
    answers.push_front(answer(200, json::serialize(person("u1"))));
    const auto f = feed(app);
    auto round = f->reread("u1", {});
    return play(*round, std::move(answers));
  };
  // It does not know: neither a row nor a failure.
  const auto unknown = read({page({})});
  CHECK_FALSE(unknown.failure);
  CHECK(unknown.users.empty());
  for (auto r : {counted({}, 1), answer(200, R"({"@odata.count":-1,"value":[]})"),
                 answer(200, R"({"@odata.count":"0","value":[]})")}) {
    const auto played = read({std::move(r)});
    CHECK(played.failure);
    CHECK(played.users.empty());
  }
  CHECK(read({page({assigned("u1", "User")})}).rows() == Rows{"u1 granted"});
}

TEST_CASE("a checkpoint and a config that are none of a Graph feed are refused", "[idp][feed][graph]") {
  CHECK(check_json_schema(graph_feed_schema()));
  const auto f = feed(app);
  Directory d;
  d.by_url[app_list] = page({assigned("g1", "Group")});
  const auto good = app_checkpoint(*f, d);
  CHECK(f->begin({good, false, {}}));
  for (std::size_t n = 1; n < good.size(); n += 3) CHECK_FALSE(f->begin({good.substr(0, n), false, {}}));
  CHECK_FALSE(feed(directory)->begin({good, false, {}}));  // of another config
  CHECK_FALSE(f->begin({json::serialize(json::object{{"v", 1}, {"users", users_delta}}), false, {}}));
  const auto refuses = [](std::string_view text, std::string_view where) {
    const auto made_feed = made(make_graph_feed, text);
    REQUIRE_FALSE(made_feed);
    CHECK(made_feed.error().where() == where);
  };
  refuses("{}", "graph");
  refuses(R"({"tenant":"t","url":"http://graph.example.com"})", "graph/url");
  refuses(R"({"tenant":"t","login_url":"login"})", "graph/login_url");
  refuses(R"({"tenant":"t","page_size":1000})", "graph/page_size");
  refuses(R"({"tenant":"t","client_secret":"x"})", "graph/client_secret");
  const auto gov = feed(
      R"({"tenant":"t","url":"https://graph.microsoft.us/v1.0/","login_url":"https://login.microsoftonline.us"})");
  CHECK(gov->traits().token_scope == "https://graph.microsoft.us/.default");
  CHECK(gov->traits().token_url == "https://login.microsoftonline.us/t/oauth2/v2.0/token");
}

TEST_CASE("many assigned groups are not kept, and every group's members are hints then", "[idp][feed][graph]") {
  const auto f = feed(app);
  Directory d;
  json::array all;
  for (int i = 0; i < 1001; ++i) all.push_back(assigned("g" + std::to_string(i), "Group"));
  d.by_url[app_list] = page(all);
  auto round = begin(*f);
  const auto played = play(*round, std::ref(d), 2000);
  REQUIRE_FALSE(played.failure);
  CHECK(played.checkpoint.size() < 65'536);
  auto changes = begin(*f, played.checkpoint);
  const json::object members{{"id", "any"}, {"members@delta", {{{"id", "u5"}}}}};
  const auto later = play(*changes, {page({}, {}, users_delta), page({members}, {}, groups_delta), page(all)});
  CHECK(later.rows() == Rows{"u5 hint"});
  CHECK_FALSE(later.checkpoint.empty());
}
