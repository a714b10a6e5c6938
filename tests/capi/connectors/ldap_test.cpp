// The connector `ldap` against OpenLDAP's slapd, over LDAPS.
#include <signal.h>
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <set>
#include "capi/connectors/app.hpp"
#include "capi/connectors/slapd.hpp"
#include "ldap/filter.hpp"
#include "ldap/outcome.hpp"
#include "support/test_server.hpp"

using namespace deprov;
using namespace deprov::test;
using connector::Effect;

namespace {

/// ctest shows the program as skipped where one of its tests prints this.
bool is_missing() {
  if (!Slapd::program().empty()) return false;
  std::cout << "skipped: slapd is not installed (Debian and Ubuntu: apt-get install slapd)\n";
  return true;
}

void check_effect(const Reply& r, Effect e) {
  check_outcome(r, Outcome::ok);
  CHECK(to_string(r.effect) == to_string(e));
}

json::object with(json::object config, const json::object& other) {
  for (const auto& [name, value] : other) config[name] = value;
  return config;
}

Call entitlement(Operation o, const std::string& account, const std::string& group) {
  auto c = make_call(o, account);
  c.entitlement = group;
  return c;
}

Call removal(const std::string& account, bool the_account) {
  auto c = make_call(Operation::remove, account);
  c.delete_account = the_account;
  return c;
}

std::set<std::string> groups(App& app, const std::string& id) {
  const auto r = app.ask(Operation::list_entitlements, id);
  check_outcome(r, Outcome::ok);
  if (r.accounts.empty()) return {};
  return {r.accounts.front().groups.begin(), r.accounts.front().groups.end()};
}

std::optional<bool> active(App& app, const std::string& id) {
  const auto r = app.ask(Operation::read, id);
  check_outcome(r, Outcome::ok);
  return r.accounts.empty() ? std::nullopt : r.accounts.front().active;
}

}  // namespace

// ---- without a server

TEST_CASE("a value in a filter is nothing but that value") {
  CHECK(deprov_ldap::equals("uid", "ann") == "(uid=ann)");
  CHECK(deprov_ldap::equals("uid", "*)(uid=*") == "(uid=\\2a\\29\\28uid\\3d\\2a)");
  CHECK(deprov_ldap::escaped(std::string_view("\0\\", 2)) == "\\00\\5c");
  CHECK(deprov_ldap::escaped("\xC3\xA4") == "\\c3\\a4");
  const std::string long_one(10'000, '*');
  CHECK(deprov_ldap::escaped(long_one).find('*') == std::string::npos);
}

TEST_CASE("a filter of the operator's reaches no further than itself") {
  CHECK(deprov_ldap::is_one_filter("(objectClass=person)"));
  CHECK(deprov_ldap::is_one_filter("(&(a=b)(!(c=d\\29)))"));
  for (const auto* bad : {"", "()", "a=b", "(a=b", "(a=b))", "(a=b)(c=d)", "(a=b))(|(c=*)", "((a=b)"}) {
    CAPTURE(bad);
    CHECK_FALSE(deprov_ldap::is_one_filter(bad));
  }
  CHECK(deprov_ldap::is_attribute("sAMAccountName"));
  CHECK(deprov_ldap::is_attribute("1.3.6.1"));
  for (const auto* bad : {"", "mail;lang-de", "a b", "a=b", "(x)", "-a"})
    CHECK_FALSE(deprov_ldap::is_attribute(bad));
}

TEST_CASE("distinguished names are compared as such") {
  CHECK(deprov_ldap::same_name("cn=Deprov, dc=example,dc=com", "CN=deprov,DC=Example,dc=com"));
  CHECK(deprov_ldap::same_name("cn=a\\2cb,dc=x", "cn=a\\,b,dc=x"));
  CHECK_FALSE(deprov_ldap::same_name("cn=a,dc=x", "cn=ab,dc=x"));
  CHECK_FALSE(deprov_ldap::same_name("nonsense", "nonsense"));
  CHECK_FALSE(deprov_ldap::is_name("ou=people,"));
}

TEST_CASE("GUIDs of Active Directory go both ways") {
  const std::string bytes("\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
  CHECK(deprov_ldap::guid_to_text(bytes) == "00112233-4455-6677-8899-aabbccddeeff");
  CHECK(deprov_ldap::guid_from_text("00112233-4455-6677-8899-AABBCCDDEEFF") == bytes);
  for (const auto* bad : {"", "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeefg",
                          "00112233-4455-6677-8899-aabbccddeeff0"})
    CHECK(deprov_ldap::guid_from_text(bad).empty());
  CHECK(deprov_ldap::guid_to_text("short").empty());
}

TEST_CASE("each result code of the server has its outcome") {
  const auto name_of = [](int code) {
    return std::string(connector::to_string(static_cast<Outcome>(deprov_ldap::outcome_of(code))));
  };
  const std::vector<std::pair<int, const char*>> all{
      {49, "AUTH_FAILED"},       {48, "AUTH_FAILED"},       {8, "AUTH_FAILED"},        {13, "AUTH_FAILED"},
      {50, "PERMISSION_DENIED"}, {32, "PERMISSION_DENIED"}, {11, "PERMISSION_DENIED"}, {51, "UNAVAILABLE"},
      {52, "UNAVAILABLE"},       {80, "UNAVAILABLE"},       {3, "DEADLINE"},           {4, "AMBIGUOUS"},
      {16, "CONFLICT_STATE"},    {20, "CONFLICT_STATE"},    {122, "CONFLICT_STATE"},   {53, "PRECONDITION"},
      {65, "PRECONDITION"},      {66, "PRECONDITION"},      {19, "PRECONDITION"},      {12, "UNSUPPORTED"},
      {10, "INVALID_REQUEST"},   {34, "INVALID_REQUEST"},   {17, "INVALID_REQUEST"},   {12345, "PROTOCOL"}};
  for (const auto& [code, outcome] : all) {
    CAPTURE(code);
    CHECK(name_of(code) == outcome);
  }
}

// ---- with one

TEST_CASE("a removal goes through a directory, and is verified", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  remove_and_verify("ldap", slapd.config(), {"ann"});
  CHECK(slapd.stored("(uid=ann)").find("pwdAccountLockedTime: 000001010000Z") != std::string::npos);
  CHECK(slapd.stored("(uid=bob)").find("pwdAccountLockedTime") == std::string::npos);
  // In a worker process, by another policy: out of all groups, and then the entry itself.
  Removal whole{"bob"};
  whole.placement = "worker";
  whole.policy = json::parse(R"({"causes": {"deactivated": ["disable", {"step": "delete"}]}})");
  remove_and_verify("ldap", slapd.config(), whole);
  CHECK(slapd.stored("(uid=bob)").empty());
  CHECK(slapd.stored("(cn=staff)").find("uid=bob") == std::string::npos);
  CHECK(slapd.stored("(cn=staff)").find("uid=ann") != std::string::npos);
}

TEST_CASE("the connector ldap passes the conformance kit", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  conforms("ldap", {{"config", slapd.config()},
                    {"account", {{"user_name", "ann"}, {"external_id", "E-1"}}},
                    {"removable", {{"user_name", "cyd"}}}});
}

TEST_CASE("accounts are found exactly, whatever stands in a name", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  App app("ldap", slapd.config());
  const auto ann = app.id_of("ann");
  CHECK(ann.size() == 36);
  CHECK(app.id_of("ANN") == ann);
  auto call = make_call(Operation::find);
  call.match.external_id = "E-1";
  REQUIRE(app.ask(call).accounts.size() == 1);
  CHECK(app.ask(call).accounts.front().id == ann);
  CHECK(app.ask(call).accounts.front().emails == std::vector<std::string>{"ann@example.com"});
  call.match.external_id = "e-1";  // caseExact, though the directory thinks otherwise
  check_outcome(app.ask(call), Outcome::not_found);
  call = make_call(Operation::find);
  call.match.emails = {"ann@example.com"};
  CHECK(app.ask(call).accounts.at(0).id == ann);
  call.match.emails = {"shared@example.com"};
  check_outcome(app.ask(call), Outcome::ambiguous);
  for (const auto& hostile :
       {std::string("*"), std::string("an*"), std::string("*)(uid=*"), std::string("ann)(objectClass=*"),
        std::string("ann\0", 4), std::string("\0", 1), std::string("'; DROP TABLE users; --"), std::string("ann "),
        std::string(10'000, 'x'), std::string("ann\\"), std::string("\xC3\xA4\xE2\x82\xAC")}) {
    CAPTURE(hostile.substr(0, 40));
    check_outcome(app.find(hostile), Outcome::not_found);
    check_outcome(app.ask(Operation::read, hostile), Outcome::not_found);
    check_outcome(app.ask(Operation::disable, hostile), Outcome::not_found);
    check_outcome(app.ask(removal(hostile, true)), Outcome::not_found);
  }
  const auto odd = app.id_of("o'neil (x)*");
  check_effect(app.ask(Operation::disable, odd), Effect::done);
  CHECK(active(app, odd) == false);
  check_effect(app.ask(removal(odd, true)), Effect::done);
  CHECK(slapd.stored("(cn=O'Neil)").empty());
  CHECK(active(app, ann) == true);
}

TEST_CASE("an account is disabled and enabled by an attribute, or by a bit", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  SECTION("by an attribute that slapd heeds") {
    App app("ldap", slapd.config());
    const auto ann = app.id_of("ann");
    check_effect(app.ask(Operation::disable, ann), Effect::done);
    check_effect(app.ask(Operation::disable, ann), Effect::already);
    CHECK(active(app, ann) == false);
    const auto locked_out = with(
        slapd.config(), {{"bind_dn", "uid=ann,ou=people,dc=example,dc=com"}, {"bind_password", "secret-of-ann"}});
    App as_ann("ldap", locked_out);
    check_outcome(as_ann.ask(Operation::check), Outcome::auth_failed);
    check_effect(app.ask(Operation::enable, ann), Effect::done);
    check_effect(app.ask(Operation::enable, ann), Effect::already);
    CHECK(active(app, ann) == true);
    check_outcome(as_ann.ask(Operation::check), Outcome::permission_denied);  // it may log in, and see nothing
  }
  SECTION("by a value of two") {
    App app("ldap",
            with(slapd.config(),
                 {{"disable", {{"attribute", "employeeType"}, {"disabled", "left"}, {"enabled", "here"}}}}));
    const auto ann = app.id_of("ann");
    CHECK(active(app, ann) == true);
    check_effect(app.ask(Operation::enable, ann), Effect::already);
    check_effect(app.ask(Operation::disable, ann), Effect::done);
    CHECK(slapd.stored("(uid=ann)").find("employeeType: left") != std::string::npos);
    check_effect(app.ask(Operation::enable, ann), Effect::done);
    CHECK(slapd.stored("(uid=ann)").find("employeeType: here") != std::string::npos);
  }
  SECTION("by a bit") {
    App app("ldap", with(slapd.config(), {{"disable", {{"attribute", "shadowFlag"}, {"bit", 2}}}}));
    const auto ann = app.id_of("ann");
    CHECK(active(app, ann) == true);
    check_effect(app.ask(Operation::disable, ann), Effect::done);
    CHECK(slapd.stored("(uid=ann)").find("shadowFlag: 514") != std::string::npos);
    check_effect(app.ask(Operation::disable, ann), Effect::already);
    check_effect(app.ask(Operation::enable, ann), Effect::done);
    CHECK(slapd.stored("(uid=ann)").find("shadowFlag: 512") != std::string::npos);
  }
}

TEST_CASE("memberships are listed, taken away and given", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  App app("ldap", slapd.config());
  const auto ann = app.id_of("ann"), dan = app.id_of("dan");
  CHECK(groups(app, ann) == std::set<std::string>{"admins", "staff"});
  check_effect(app.ask(entitlement(Operation::revoke_entitlement, ann, "admins")), Effect::done);
  check_effect(app.ask(entitlement(Operation::revoke_entitlement, ann, "admins")), Effect::already);
  check_effect(app.ask(entitlement(Operation::revoke_entitlement, ann, "no such group")), Effect::already);
  check_effect(app.ask(entitlement(Operation::revoke_entitlement, ann, "*")), Effect::already);
  CHECK(groups(app, ann) == std::set<std::string>{"staff"});
  check_effect(app.ask(entitlement(Operation::grant_entitlement, ann, "admins")), Effect::done);
  check_effect(app.ask(entitlement(Operation::grant_entitlement, ann, "admins")), Effect::already);
  check_outcome(app.ask(entitlement(Operation::grant_entitlement, ann, "no such group")),
                Outcome::invalid_request);
  check_effect(app.ask(removal(ann, false)), Effect::done);
  check_effect(app.ask(removal(ann, false)), Effect::already);
  CHECK(groups(app, ann).empty());
  CHECK_FALSE(slapd.stored("(uid=ann)").empty());
  CHECK(slapd.stored("(cn=staff)").find("uid=bob") != std::string::npos);
  // The schema wants a member: who is the last one stays, is not deleted either, and somebody is told.
  check_outcome(app.ask(removal(dan, false)), Outcome::precondition);
  check_outcome(app.ask(removal(dan, true)), Outcome::precondition);
  CHECK_FALSE(slapd.stored("(uid=dan)").empty());
  App shell("ldap", with(slapd.config(), {{"groups",
                                           {{"base_dn", "ou=groups,dc=example,dc=com"},
                                            {"filter", "(objectClass=posixGroup)"},
                                            {"member_attribute", "memberUid"},
                                            {"member_value", "user_name"}}}}));
  CHECK(groups(shell, ann) == std::set<std::string>{"shell"});
  check_effect(shell.ask(removal(ann, false)), Effect::done);
  CHECK(slapd.stored("(cn=shell)").find("memberUid: ann") == std::string::npos);
  CHECK(slapd.stored("(cn=shell)").find("memberUid: bob") != std::string::npos);
}

TEST_CASE("a listing is read in pages, and ends", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  App app("ldap", slapd.config());
  std::size_t pages = 0;
  auto names = all_names(app, 7, &pages);
  CHECK(pages == 7);
  CHECK(names.size() == 46);
  std::sort(names.begin(), names.end());
  CHECK(std::unique(names.begin(), names.end()) == names.end());
  CHECK(std::find(names.begin(), names.end(), "ann") != names.end());
  auto call = make_call(Operation::list);
  call.cursor = "made up";
  check_outcome(app.ask(call), Outcome::invalid_request);
  // Where the server lets the bind DN see no more than 10 entries, the listing says so and is not complete.
  App limited("ldap", with(slapd.config(),
                           {{"bind_dn", "cn=reader,dc=example,dc=com"}, {"bind_password", "secret-of-reader"}}));
  call = make_call(Operation::list);
  call.page_size = 7;
  auto reply = limited.ask(call);
  check_outcome(reply, Outcome::ok);
  call.cursor = reply.next_cursor;
  check_outcome(limited.ask(call), Outcome::permission_denied);
}

TEST_CASE("what the server refuses, and what it does not say, has its outcome", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  const auto ann = App("ldap", slapd.config()).id_of("ann");
  const auto asks = [&](const json::object& other, const Call& call) {
    App app("ldap", with(slapd.config(), other));
    return app.ask(call);
  };
  const auto check = make_call(Operation::check), disable = make_call(Operation::disable, ann);
  check_outcome(asks({{"bind_password", "wrong"}}, check), Outcome::auth_failed);
  check_outcome(asks({{"bind_dn", "cn=nobody,dc=example,dc=com"}}, disable), Outcome::auth_failed);
  const json::object reader{{"bind_dn", "cn=reader,dc=example,dc=com"}, {"bind_password", "secret-of-reader"}};
  check_outcome(asks(reader, check), Outcome::ok);
  check_outcome(asks(reader, disable), Outcome::permission_denied);
  check_outcome(asks(reader, removal(ann, true)), Outcome::permission_denied);
  // A base that is not there, or not shown, is no proof that somebody is gone.
  check_outcome(asks({{"base_dn", "ou=nowhere,dc=example,dc=com"}}, disable), Outcome::permission_denied);
  const json::object blind{{"bind_dn", "cn=blind,dc=example,dc=com"}, {"bind_password", "secret-of-blind"}};
  check_outcome(asks(blind, disable), Outcome::permission_denied);
  // Its own account, by any spelling of its name.
  const json::object own{{"base_dn", "dc=example,dc=com"},
                         {"account_filter", "(objectClass=organizationalRole)"},
                         {"attributes", {{"user_name", "cn"}}},
                         {"bind_dn", "CN=deprov, dc=example,dc=com"}};
  App app("ldap", with(slapd.config(), own));
  const auto me = app.id_of("deprov");
  check_outcome(app.ask(Operation::disable, me), Outcome::protected_account);
  check_outcome(app.ask(removal(me, true)), Outcome::protected_account);
}

TEST_CASE("TLS is verified, always", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  const Certificate other(slapd.dir().path(), "other");
  const auto asks = [&](const json::object& config) {
    App app("ldap", with(slapd.config(), config));
    return app.ask(Operation::check);
  };
  check_outcome(asks({{"ca_file", other.certificate}}), Outcome::not_sent);
  check_outcome(asks({{"url", "ldap://127.0.0.1:" + std::to_string(slapd.plain_port())}}), Outcome::ok);
  check_outcome(
      asks({{"url", "ldap://127.0.0.1:" + std::to_string(slapd.plain_port())}, {"ca_file", other.certificate}}),
      Outcome::not_sent);
  // A name that the certificate does not have.
  check_outcome(asks({{"url", "ldaps://127.0.0.2:" + std::to_string(slapd.port())}}), Outcome::not_sent);
  // Speaks no TLS at all.
  check_outcome(asks({{"url", "ldaps://127.0.0.1:" + std::to_string(slapd.plain_port())}}), Outcome::not_sent);
}

TEST_CASE("a connection that is lost ends as what is known of it", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  Relay relay(slapd.port());
  auto config =
      with(slapd.config(), {{"url", "ldaps://127.0.0.1:" + std::to_string(relay.port())}, {"connections", 1}});
  App app("ldap", config);
  const auto ann = app.id_of("ann");
  SECTION("a server that is away was sent nothing, and is found again when it is back") {
    slapd.stop();
    check_outcome(app.ask(Operation::disable, ann), Outcome::not_sent);
    slapd.start();
    check_effect(app.ask(Operation::disable, ann), Effect::done);
  }
  SECTION("lost after the change was sent: nobody knows") {
    relay.cut_after(2);  // the look at the account, and the change
    check_outcome(app.ask(Operation::disable, ann), Outcome::unknown_outcome);
    CHECK(active(app, ann) == false);  // and so it is read back
  }
  SECTION("lost before that: nothing has happened") {
    relay.cut_after(1);
    const auto r = app.ask(Operation::disable, ann);
    CHECK((r.outcome == Outcome::unavailable || r.outcome == Outcome::not_sent));
    CHECK(active(app, ann) == true);
  }
  SECTION("a server that does not answer") {
    slapd.process().signal(SIGSTOP);
    auto read = make_call(Operation::read, ann);
    read.timeout = std::chrono::milliseconds(300);
    check_outcome(app.ask(read), Outcome::deadline);
    auto disable = make_call(Operation::disable, ann);
    disable.timeout = std::chrono::milliseconds(300);
    check_outcome(app.ask(disable), Outcome::not_sent);
    // Cancelled while it waits.
    runtime::Event done;
    Reply reply;
    const auto id = app.connector().start(make_call(Operation::read, ann), [&](Reply r) {
      reply = std::move(r);
      done.set();
    });
    app.connector().cancel(id);
    REQUIRE(done.wait_for(std::chrono::minutes(1)));
    CHECK((reply.outcome == Outcome::cancelled || reply.outcome == Outcome::not_sent));
    slapd.process().signal(SIGCONT);
    CHECK(active(app, ann) == true);
  }
}

TEST_CASE("a configuration that cannot work is refused, by the member's name", "[server]") {
  if (is_missing()) return;
  Slapd slapd;
  const std::vector<std::pair<json::object, const char*>> all{
      {{{"url", "http://localhost"}}, "config/url"},
      {{{"url", "ldapi://%2frun%2fldapi"}}, "config/url"},
      {{{"url", "ldaps://localhost/dc=example?uid"}}, "config/url"},
      {{{"ca_file", "/nonexistent/ca.pem"}}, "config/ca_file"},
      {{{"bind_dn", "deprov"}}, "config/bind_dn"},
      {{{"base_dn", "people"}}, "config/base_dn"},
      {{{"account_filter", "(a=b)(c=d)"}}, "config/account_filter"},
      {{{"id_attribute", "entry UUID"}}, "config/id_attribute"},
      {{{"disable", {{"attribute", "employeeType"}}}}, "config/disable"},
      {{{"disable", {{"attribute", "employeeType"}, {"disabled", "x"}, {"bit", 2}}}}, "config/disable"},
      {{{"disable", {{"attribute", "shadowFlag"}, {"bit", 3}}}}, "config/disable/bit"},
      {{{"disable", {{"attribute", "a"}, {"disabled", "x"}, {"enabled", "x"}}}}, "config/disable/enabled"},
      {{{"groups", {{"base_dn", "x"}}}}, "config/groups/base_dn"},
  };
  for (const auto& [other, member] : all) {
    const auto why = App::refusal("ldap", with(slapd.config(), other));
    INFO(json::serialize(other) << ": " << why);
    CHECK(why.find(member) != std::string::npos);
  }
}
