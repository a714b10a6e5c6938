// Polls of a real Keycloak. cmake/keycloak.sh installs one, or KEYCLOAK_HOME names it; ctest runs this as
// "keycloak" and shows when it is skipped.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstdlib>
#include <deprov/idp/feed_keycloak.hpp>
#include <map>
#include <set>
#include "catch.hpp"
#include "paths.hpp"
#include "support/program.hpp"
#include "support/test_server.hpp"

using namespace deprov::test;
namespace idp = deprov::idp;
namespace json = boost::json;
using Rows = std::map<std::string, std::string>;

namespace {

std::string keycloak_home() {
  const char* named = std::getenv("KEYCLOAK_HOME");
  return named != nullptr ? std::string(named) : source_dir() + "/build/keycloak/home";
}
bool installed() {
  if (::access((keycloak_home() + "/bin/kc.sh").c_str(), X_OK) == 0) return true;
  std::printf("skipped: Keycloak is not installed (cmake/keycloak.sh)\n");
  return false;
}

/// Keycloak with its own database in memory. Its script starts programs of its own, which end with it.
class Keycloak {
 public:
  Keycloak() : port(closed_port()) {
    const std::string log = dir_.file("log");
    std::vector<std::string> args = {keycloak_home() + "/bin/kc.sh", "start-dev", "--db=dev-mem",
                                     "--http-host=127.0.0.1", "--http-port=" + std::to_string(port)};
    std::vector<std::string> settings = {"KC_BOOTSTRAP_ADMIN_USERNAME=admin", "KC_BOOTSTRAP_ADMIN_PASSWORD=admin",
                                         "JAVA_OPTS_KC_HEAP=-Xms64m -Xmx768m"};
    std::vector<char*> argv, env;
    for (auto& a : args) argv.push_back(a.data());
    for (char** e = environ; *e != nullptr; ++e) env.push_back(*e);
    for (auto& s : settings) env.push_back(s.data());
    argv.push_back(nullptr);
    env.push_back(nullptr);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawnattr_t attributes{};
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    if (::posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), env.data()) != 0) pid_ = -1;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    const bool up =
        eventually([&] { return http(port, "GET", "/realms/master").status == 200; }, std::chrono::minutes(8));
    INFO(read_file(log));
    REQUIRE(up);
  }
  ~Keycloak() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Keycloak(const Keycloak&) = delete;
  Keycloak& operator=(const Keycloak&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }
  /// An access token; they live for a minute.
  [[nodiscard]] std::string token(const std::string& path, const std::string& form) const {
    const auto got = http(port, "POST", path, {}, form, "Content-Type: application/x-www-form-urlencoded\r\n");
    INFO(got.body);
    REQUIRE(got.status == 200);
    return std::string(got.json.at("access_token").as_string());
  }
  /// As the administrator, below the realm.
  Reply admin(std::string_view method, const std::string& path, const json::value& body = nullptr) const {
    const auto bearer = token("/realms/master/protocol/openid-connect/token",
                              "grant_type=password&client_id=admin-cli&username=admin&password=admin");
    return http(port, method, "/admin/realms" + path, bearer,
                body.is_null() ? std::string{} : json::serialize(body), "Content-Type: application/json\r\n");
  }
  void does(std::string_view method, const std::string& path, const json::value& body = nullptr) const {
    const auto done = admin(method, path, body);
    INFO(method << " " << path << ": " << done.body);
    REQUIRE(done.status / 100 == 2);
  }
  [[nodiscard]] json::value asks(const std::string& path) const {
    const auto got = admin("GET", path);
    INFO(path << ": " << got.body);
    REQUIRE(got.status == 200);
    return got.json;
  }
  const std::uint16_t port;

 private:
  TempDir dir_;
  pid_t pid_ = -1;
};

/// A realm with a client whose role gives access, a group that has the role, and one who polls.
struct Staff {
  const Keycloak& keycloak;
  std::map<std::string, std::string> ids;  ///< of users, by name
  std::string client, group, subgroup;

  explicit Staff(const Keycloak& k) : keycloak(k) {
    k.does("POST", "",
           {{"realm", "staff"}, {"enabled", true}, {"adminEventsEnabled", true}, {"eventsEnabled", true}});
    for (const auto* name : {"anna", "ben0", "carl", "dora", "emil"})
      k.does("POST", "/staff/users",
             {{"username", name}, {"email", std::string(name) + "@example.com"}, {"enabled", true}});
    const auto users = k.asks("/staff/users?max=100");
    for (const auto& u : users.as_array())
      ids[std::string(u.at("username").as_string())] = std::string(u.at("id").as_string());
    client = make_client("app");
    k.does("POST", "/staff/clients/" + client + "/roles", {{"name", "access"}});
    const json::array role{k.asks("/staff/clients/" + client + "/roles/access")};
    k.does("POST", "/staff/groups", {{"name", "team"}});
    group = std::string(k.asks("/staff/groups").at(0).at("id").as_string());
    k.does("POST", "/staff/groups/" + group + "/children", {{"name", "night shift"}});
    subgroup = std::string(k.asks("/staff/groups/" + group + "/children").at(0).at("id").as_string());
    k.does("POST", "/staff/groups/" + group + "/role-mappings/clients/" + client, role);
    k.does("POST", "/staff/users/" + ids["anna"] + "/role-mappings/clients/" + client, role);
    k.does("PUT", "/staff/users/" + ids["ben0"] + "/groups/" + group);
    k.does("PUT", "/staff/users/" + ids["carl"] + "/groups/" + subgroup);
    // Who polls may see, and nothing else.
    const auto poller = make_client("deprov");
    const auto account =
        std::string(k.asks("/staff/clients/" + poller + "/service-account-user").at("id").as_string());
    const auto management =
        std::string(k.asks("/staff/clients?clientId=realm-management").at(0).at("id").as_string());
    json::array may;
    for (const auto* name : {"view-users", "view-clients", "view-events"})
      may.push_back(k.asks("/staff/clients/" + management + "/roles/" + name));
    k.does("POST", "/staff/users/" + account + "/role-mappings/clients/" + management, may);
  }
  std::string make_client(const std::string& name) const {
    keycloak.does(
        "POST", "/staff/clients",
        {{"clientId", name}, {"secret", "s3cret"}, {"serviceAccountsEnabled", true}, {"publicClient", false}});
    return std::string(keycloak.asks("/staff/clients?clientId=" + name).at(0).at("id").as_string());
  }
  [[nodiscard]] std::unique_ptr<idp::Feed> feed(json::object more = {}) const {
    more["url"] = keycloak.url();
    more["allow_http"] = true;
    more["realm"] = "staff";
    more["page_size"] = 2;
    auto made = idp::make_keycloak_feed(more);
    INFO(made.error().message());
    REQUIRE(made.has_value());
    return std::move(*made);
  }
  [[nodiscard]] std::string name_of(std::string_view id) const {
    for (const auto& [name, known] : ids)
      if (known == id) return name;
    return "?";
  }
};

/// What one round showed, by name of the user.
struct Shown {
  Rows rows;
  std::optional<idp::FeedFailure> failure;
  std::uint64_t records = 0;
  std::optional<std::uint64_t> total;
  std::string checkpoint;
};

Shown play(const Staff& staff, const idp::Feed& feed, idp::FeedRound& round) {
  const auto origin = staff.keycloak.url();
  const auto& token_url = feed.traits().token_url;
  REQUIRE(token_url.starts_with(origin));
  const auto token = staff.keycloak.token(token_url.substr(origin.size()),
                                          "grant_type=client_credentials&client_id=deprov&client_secret=s3cret");
  Shown shown;
  const idp::FeedSink sink = [&](const idp::FeedUser& u) {
    std::string says;
    switch (u.state) {
      case idp::FeedState::granted: says = "granted"; break;
      case idp::FeedState::hint: says = "hint"; break;
      case idp::FeedState::unstated: says = "unstated"; break;
      case idp::FeedState::ended:
      case idp::FeedState::removed: says = to_string(u.cause); break;
    }
    shown.rows[staff.name_of(u.id)] = says;
  };
  for (int n = 0; auto request = round.next(); ++n) {
    INFO(request->url);
    REQUIRE(n < 100);
    REQUIRE(request->url.starts_with(origin));
    const auto got = http(staff.keycloak.port, request->method, request->url.substr(origin.size()), token,
                          request->body, "Accept: application/json\r\n");
    idp::FeedResponse response;
    response.status = got.status;
    response.body = got.body;
    auto answer = round.read(response, sink);
    shown.failure = std::move(answer.failure);
    if (shown.failure) {
      INFO(shown.failure->detail);
      return shown;
    }
    shown.records += answer.page.records;
    if (answer.page.total) shown.total = answer.page.total;
  }
  shown.checkpoint = round.checkpoint();
  return shown;
}
Shown everybody(const Staff& staff, const idp::Feed& feed) {
  const auto round = feed.begin({});
  REQUIRE(round);
  auto shown = play(staff, feed, **round);
  if (shown.failure) FAIL(shown.failure->detail);
  return shown;
}
Shown changes(const Staff& staff, const idp::Feed& feed, const std::string& checkpoint) {
  const auto round = feed.begin({checkpoint, false, {}});
  REQUIRE(round);
  REQUIRE((*round)->kind() == idp::FeedRoundKind::changes);
  auto shown = play(staff, feed, **round);
  if (shown.failure) FAIL(shown.failure->detail);
  return shown;
}
std::string again(const Staff& staff, const idp::Feed& feed, const std::string& name) {
  const auto round = feed.reread(staff.ids.at(name), {});
  auto shown = play(staff, feed, *round);
  if (shown.failure) FAIL(shown.failure->detail);
  REQUIRE(shown.rows.size() == 1);
  return shown.rows.begin()->second;
}

}  // namespace

TEST_CASE("a real Keycloak is polled: a realm, a role and groups", "[.keycloak]") {
  if (!installed()) return;
  const Keycloak keycloak;
  const Staff staff(keycloak);
  const auto realm = staff.feed();
  const auto role = staff.feed({{"client", staff.client}, {"roles", {"access"}}});
  const auto group = staff.feed({{"groups", {staff.group}}});

  const auto all = everybody(staff, *realm);
  CHECK(all.rows == Rows{{"anna", "granted"},
                         {"ben0", "granted"},
                         {"carl", "granted"},
                         {"dora", "granted"},
                         {"emil", "granted"}});
  CHECK(all.total == all.records);
  CHECK(all.records == 5);
  const auto with_role = everybody(staff, *role);
  CHECK(with_role.rows == Rows{{"anna", "granted"}, {"ben0", "granted"}, {"carl", "granted"}});
  const auto in_group = everybody(staff, *group);
  CHECK(in_group.rows == Rows{{"ben0", "granted"}, {"carl", "granted"}});
  for (const auto& [name, has_role, has_group] :
       {std::tuple{"anna", "granted", "unassigned"}, std::tuple{"carl", "granted", "granted"},
        std::tuple{"dora", "unassigned", "unassigned"}}) {
    CHECK(again(staff, *realm, name) == "granted");
    CHECK(again(staff, *role, name) == has_role);
    CHECK(again(staff, *group, name) == has_group);
  }
  // Nothing happened since.
  auto before = changes(staff, *realm, all.checkpoint);
  CHECK(before.rows.empty());
  CHECK_FALSE(before.checkpoint.empty());

  keycloak.does("PUT", "/staff/users/" + staff.ids.at("dora"), {{"enabled", false}});
  keycloak.does("DELETE", "/staff/users/" + staff.ids.at("emil"));
  keycloak.does("DELETE", "/staff/users/" + staff.ids.at("carl") + "/groups/" + staff.subgroup);
  const auto now = changes(staff, *realm, before.checkpoint);
  CHECK(now.rows == Rows{{"carl", "hint"}, {"dora", "hint"}, {"emil", "hint"}});
  CHECK(changes(staff, *realm, now.checkpoint).rows.empty());
  CHECK(again(staff, *realm, "dora") == "deactivated");
  CHECK(again(staff, *realm, "emil") == "hard_deleted");
  CHECK(again(staff, *realm, "carl") == "granted");
  CHECK(again(staff, *role, "carl") == "unassigned");
  CHECK(changes(staff, *role, with_role.checkpoint).rows.at("carl") == "hint");
  CHECK(everybody(staff, *realm).rows ==
        Rows{{"anna", "granted"}, {"ben0", "granted"}, {"carl", "granted"}, {"dora", "deactivated"}});

  // A group that is deleted names none of its members.
  const auto still = everybody(staff, *role);
  keycloak.does("DELETE", "/staff/groups/" + staff.group);
  CHECK(changes(staff, *role, still.checkpoint).checkpoint.empty());
  const auto left = everybody(staff, *role);
  CHECK(left.rows == Rows{{"anna", "granted"}});
  CHECK_FALSE(changes(staff, *role, left.checkpoint).checkpoint.empty());
  const auto gone = group->begin({});
  REQUIRE(gone);
  CHECK(play(staff, *group, **gone).failure);

  // Without events recorded, everybody is read each time.
  keycloak.does("PUT", "/staff/events/config", {{"adminEventsEnabled", false}});
  CHECK(changes(staff, *realm, now.checkpoint).checkpoint.empty());

  // A realm that does not exist, and a credential that may not look.
  const auto nowhere = staff.feed({{"token_realm", "staff"}});
  keycloak.does("PUT", "/staff/clients/" + staff.client, {{"serviceAccountsEnabled", true}});
  const auto round = nowhere->begin({});
  const auto token = keycloak.token("/realms/staff/protocol/openid-connect/token",
                                    "grant_type=client_credentials&client_id=app&client_secret=s3cret");
  const auto path = (*round)->next()->url.substr(keycloak.url().size());
  const auto denied = http(keycloak.port, "GET", path, token);
  CHECK(denied.status == 403);
  CHECK((*round)->read({denied.status, {}, denied.body, {}}, [](const idp::FeedUser&) {}).failure->kind ==
        idp::FeedFailureKind::permission_denied);
  const auto stranger = http(keycloak.port, "GET", path, "no-token");
  CHECK((*round)->read({stranger.status, {}, stranger.body, {}}, [](const idp::FeedUser&) {}).failure->kind ==
        idp::FeedFailureKind::auth_failed);
}
