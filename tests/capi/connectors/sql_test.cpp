// The connector `sql` against a PostgreSQL of the test's own, over TLS.
#include <signal.h>
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <stdexcept>
#include "capi/connectors/app.hpp"
#include "capi/connectors/postgres.hpp"
#include "sql/outcome.hpp"
#include "sql/statement.hpp"
#include "support/test_server.hpp"

using namespace deprov;
using namespace deprov::test;
using connector::Effect;
using deprov_sql::Rows;
using deprov_sql::Statement;

namespace {

/// ctest shows the program as skipped where one of its tests prints this.
bool is_missing() {
  if (!Postgres::programs().empty()) return false;
  std::cout << "skipped: PostgreSQL's server is not installed (Debian and Ubuntu: apt-get install postgresql)\n";
  return true;
}

void check_effect(const Reply& r, Effect e) {
  check_outcome(r, Outcome::ok);
  CHECK(to_string(r.effect) == to_string(e));
}

Call removal(const std::string& account, bool the_account) {
  auto c = make_call(Operation::remove, account);
  c.delete_account = the_account;
  return c;
}

json::object with(json::object config, const json::object& other) {
  for (const auto& [name, value] : other) config[name] = value;
  return config;
}
json::object with_statement(json::object config, const std::string& name, const json::value& statement) {
  config["statements"].as_object()[name] = statement;
  return config;
}

std::string shape(const std::string& sql) {
  std::string out;
  const Statement statement("here", sql, Rows::one);
  for (const auto& piece : statement.pieces())
    out += piece.kind == Statement::Piece::Kind::text    ? piece.text
           : piece.kind == Statement::Piece::Kind::value ? "<" + piece.text + std::to_string(piece.number) + ">"
                                                         : "[" + piece.text + "]";
  return out;
}

std::string why_not(const std::string& sql) {
  try {
    (void)Statement("here", sql, Rows::one);
    return {};
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
}

std::optional<bool> active(App& app, const std::string& id) {
  const auto r = app.ask(Operation::read, id);
  check_outcome(r, Outcome::ok);
  return r.accounts.empty() ? std::nullopt : r.accounts.front().active;
}

const std::string odd_name = "o'neil \"x\"; DROP TABLE users; --";

}  // namespace

// ---- without a server

TEST_CASE("parameters are found where SQL has them, and nowhere else") {
  CHECK(shape("SELECT :id") == "SELECT <id1>");
  CHECK(shape("SELECT :a, :b, :a") == "SELECT <a1>, <b2>, <a1>");
  CHECK(shape("DROP ROLE :\"login\"") == "DROP ROLE [login]");
  for (const auto* same :
       {"SELECT ':id', ''':id'", "SELECT E'\\':id'", "SELECT \":id\", \"a\"\":id\"", "SELECT $$ :id $$",
        "SELECT $x$ $$ :id $y$ $x$", "SELECT 1 -- :id\n", "SELECT 1 /* :id /* :id */ :id */", "SELECT id::text",
        "SELECT a[1:2]", "SELECT x := 1", "SELECT somE'\\'"})
    CHECK(shape(same) == same);
  CHECK(shape("SELECT id::text = :id -- it's\n AND :x") == "SELECT id::text = <id1> -- it's\n AND <x2>");
  CHECK(shape("SELECT '\\' || :id") == "SELECT '\\' || <id1>");
  CHECK(shape("SELECT a$b, :id") == "SELECT a$b, <id1>");
}

TEST_CASE("a statement that is none, or would end the transaction, is refused") {
  for (const auto* open : {"SELECT 'x", "SELECT \"x", "SELECT $$ x", "SELECT /* x", "SELECT :\"id", "SELECT $1"}) {
    CAPTURE(open);
    CHECK_FALSE(why_not(open).empty());
  }
  CHECK(why_not("").find("here: is no statement") != std::string::npos);
  CHECK_FALSE(why_not(" -- nothing\n").empty());
  for (const auto* word : {"COMMIT", "  rollback", "/* x */ Begin", "COPY users FROM STDIN", "SAVEPOINT s"}) {
    CAPTURE(word);
    CHECK(why_not(word).find("the transaction is the connector's") != std::string::npos);
  }
  CHECK(why_not(std::string("SELECT 1\0", 9)).find("zero byte") != std::string::npos);
}

TEST_CASE("each class of errors has its outcome") {
  const auto name_of = [](std::string_view code) {
    return std::string(connector::to_string(static_cast<Outcome>(deprov_sql::outcome_of(code))));
  };
  const std::vector<std::pair<const char*, const char*>> all{
      {"28P01", "AUTH_FAILED"},     {"28000", "AUTH_FAILED"},     {"42501", "PERMISSION_DENIED"},
      {"2BP01", "PRECONDITION"},    {"23503", "PRECONDITION"},    {"55006", "PRECONDITION"},
      {"P0001", "PRECONDITION"},    {"40001", "UNAVAILABLE"},     {"40P01", "UNAVAILABLE"},
      {"55P03", "UNAVAILABLE"},     {"57014", "UNAVAILABLE"},     {"57P01", "UNAVAILABLE"},
      {"53300", "UNAVAILABLE"},     {"25006", "UNAVAILABLE"},     {"08006", "UNAVAILABLE"},
      {"42601", "INVALID_REQUEST"}, {"42P01", "INVALID_REQUEST"}, {"22P02", "INVALID_REQUEST"},
      {"3D000", "INVALID_REQUEST"}, {"42704", "CONFLICT_STATE"},  {"", "PROTOCOL"}};
  for (const auto& [code, outcome] : all) {
    CAPTURE(code);
    CHECK(name_of(code) == outcome);
  }
  CHECK(deprov_sql::sqlstate_in(
            "connection to server at \"x\" failed: FATAL:  28P01: password authentication\n") == "28P01");
  CHECK(deprov_sql::sqlstate_in("connection to server at \"x\", port 1 failed: Connection refused\n\tIs it?")
            .empty());
}

// ---- with one

TEST_CASE("removals go through the shipped examples, and are verified", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  SECTION("an application's table of users") {
    remove_and_verify("sql", postgres.example("users"), {"ann"});
    CHECK(postgres.asked("SELECT login FROM users WHERE NOT active") == "ann");
    CHECK(postgres.asked("SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE login = 'ann'") ==
          "0");
    CHECK(postgres.asked("SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE login = 'bob'") ==
          "2");
    Removal whole{"cyd"};
    whole.placement = "worker";
    whole.policy = json::parse(
        R"({"causes": {"deactivated": ["disable", "revoke_sessions", {"step": "remove"}, {"step": "delete"}]}})");
    remove_and_verify("sql", postgres.example("users"), whole);
    CHECK(postgres.asked("SELECT count(*) FROM users WHERE login = 'cyd'") == "0");
  }
  SECTION("roles of the server itself") {
    remove_and_verify("sql", postgres.example("roles"), {"bob"});
    CHECK(postgres.asked("SELECT rolname FROM pg_roles WHERE rolname IN ('ann', 'bob') AND NOT rolcanlogin") ==
          "bob");
    Removal whole{"ann"};
    whole.policy =
        json::parse(R"({"causes": {"deactivated": ["disable", "revoke_sessions", {"step": "delete"}]}})");
    remove_and_verify("sql", postgres.example("roles"), whole);
    CHECK(postgres.asked("SELECT count(*) FROM pg_roles WHERE rolname = 'ann'") == "0");
    // What the role owned is the connector's now.
    CHECK(postgres.asked("SELECT tableowner FROM pg_tables WHERE tablename = 'notes'", "fleet") == "deprov");
  }
}

TEST_CASE("the connector sql passes the conformance kit", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  // An app that shows its members alone, so that a membership that is taken away is an account that is gone.
  auto config = postgres.example("users");
  config["statements"].as_object()["remove"] = "DELETE FROM users WHERE id::text = :id";
  conforms("sql", {{"config", config},
                   {"account", {{"user_name", "ann"}, {"external_id", "E-1"}}},
                   {"removable", {{"user_name", "cyd"}}}});
}

TEST_CASE("values are bound, and identifiers quoted, whatever stands in them", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  App app("sql", postgres.example("users"));
  const auto ann = app.id_of("ann");
  CHECK(app.id_of("ANN") == ann);
  auto call = make_call(Operation::find);
  call.match.external_id = "E-1";
  CHECK(app.ask(call).accounts.at(0).id == ann);
  call = make_call(Operation::find);
  call.match.emails = {"shared@example.com"};
  check_outcome(app.ask(call), Outcome::ambiguous);
  for (const auto& hostile :
       {std::string("'; DROP TABLE users; --"), std::string("' OR '1'='1"), std::string("%"), std::string("\\"),
        std::string("$1"), std::string(":id"), std::string(10'000, '\'')}) {
    CAPTURE(hostile.substr(0, 40));
    check_outcome(app.find(hostile), Outcome::not_found);
    check_outcome(app.ask(Operation::read, hostile), Outcome::not_found);
    check_outcome(app.ask(Operation::disable, hostile), Outcome::not_found);
    check_outcome(app.ask(removal(hostile, true)), Outcome::not_found);
  }
  // No text of PostgreSQL has it, and cut off there it would be another one.
  check_outcome(app.find(std::string("ann\0", 4)), Outcome::not_found);
  check_outcome(app.ask(Operation::disable, ann + std::string("\0x", 2)), Outcome::invalid_request);
  check_outcome(app.find(std::string(70'000, 'x')), Outcome::not_found);
  const auto odd = app.id_of(odd_name);
  check_effect(app.ask(Operation::disable, odd), Effect::done);
  CHECK(postgres.asked("SELECT count(*) FROM users WHERE NOT active") == "1");

  App roles("sql", postgres.example("roles"));
  const auto role = roles.id_of("o'neil \"x\"; DROP");
  check_effect(roles.ask(Operation::disable, role), Effect::done);
  CHECK(active(roles, role) == false);
  check_effect(roles.ask(removal(role, true)), Effect::done);
  CHECK(postgres.asked("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'o''neil%'") == "0");
  // Longer than a name can be: the server would cut it off, and mean another role.
  const std::string longest(63, 'z');
  (void)postgres.asked("CREATE ROLE " + longest);
  App cut("sql", with_statement(postgres.example("roles"), "read",
                                "SELECT oid::text AS id, rolname || 'more' AS login, true AS active FROM pg_roles "
                                "WHERE oid::text = :id"));
  const auto z = roles.id_of(longest);
  check_outcome(cut.ask(Operation::disable, z), Outcome::invalid_request);
}

TEST_CASE("a change is one row's, once, and undone where it is not", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  const auto users = postgres.example("users");
  App app("sql", users);
  const auto ann = app.id_of("ann"), bob = app.id_of("bob");
  check_effect(app.ask(Operation::disable, ann), Effect::done);
  check_effect(app.ask(Operation::disable, ann), Effect::already);
  CHECK(active(app, ann) == false);
  check_effect(app.ask(Operation::enable, ann), Effect::done);
  check_effect(app.ask(Operation::enable, ann), Effect::already);
  check_effect(app.ask(Operation::revoke_sessions, ann), Effect::done);
  check_effect(app.ask(Operation::revoke_sessions, ann), Effect::already);
  check_effect(app.ask(removal(ann, false)), Effect::done);
  check_effect(app.ask(removal(ann, false)), Effect::already);
  check_effect(app.ask(removal(ann, true)), Effect::done);
  check_outcome(app.ask(removal(ann, true)), Outcome::not_found);
  check_outcome(app.ask(removal(bob, true)), Outcome::precondition);  // an invoice leads to him

  App everybody("sql", with_statement(users, "disable", "UPDATE users SET active = false"));
  check_outcome(everybody.ask(Operation::disable, bob), Outcome::ambiguous);
  App nobody("sql", with_statement(users, "disable", "UPDATE users SET active = false WHERE false"));
  check_outcome(nobody.ask(Operation::disable, bob), Outcome::conflict_state);
  App half("sql",
           with_statement(users, "disable",
                          json::array{"UPDATE users SET active = false WHERE id::text = :id", "SELECT 1/0"}));
  check_outcome(half.ask(Operation::disable, bob), Outcome::invalid_request);
  App other("sql", with_statement(users, "disable", "UPDATE users SET active = false WHERE login = 'cyd'"));
  check_outcome(other.ask(Operation::disable, bob), Outcome::conflict_state);
  App soft("sql", with_statement(users, "delete", "UPDATE users SET active = false WHERE id::text = :id"));
  check_outcome(soft.ask(removal(bob, true)), Outcome::conflict_state);
  CHECK(postgres.asked("SELECT count(*) FROM users WHERE NOT active") == "0");

  auto without = users;
  without["statements"].as_object().erase("remove");
  without["statements"].as_object().erase("delete");
  App none("sql", with_statement(without, "revoke_sessions", json::array{}));
  check_outcome(none.ask(removal(bob, true)), Outcome::unsupported);
  check_outcome(none.ask(removal(bob, false)), Outcome::unsupported);
  check_effect(none.ask(Operation::revoke_sessions, bob), Effect::already);
  // Looking at accounts changes nothing, whatever the statement says.
  App sly("sql",
          with_statement(users, "read", "UPDATE users SET active = false WHERE id::text = :id RETURNING id"));
  check_outcome(sly.ask(Operation::read, bob), Outcome::unavailable);
  CHECK(active(app, bob) == true);
}

TEST_CASE("sessions of a role are ended by the server", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  App app("sql", postgres.example("roles"));
  const auto ann = app.id_of("ann");
  auto as_ann =
      with(postgres.example("users"), {{"user", "ann"}, {"password", "secret-of-ann"}, {"connections", 1}});
  App her("sql", as_ann);
  check_outcome(her.ask(Operation::check), Outcome::permission_denied);  // connected, and that is all
  CHECK(postgres.asked("SELECT count(*) FROM pg_stat_activity WHERE usename = 'ann'") == "1");
  check_effect(app.ask(Operation::disable, ann), Effect::done);
  check_effect(app.ask(Operation::revoke_sessions, ann), Effect::done);
  CHECK(becomes_true(
      [&] { return postgres.asked("SELECT count(*) FROM pg_stat_activity WHERE usename = 'ann'") == "0"; }));
  check_outcome(her.ask(Operation::check), Outcome::auth_failed);
}

TEST_CASE("a listing is read in pages, and ends", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  App app("sql", postgres.example("users"));
  std::size_t pages = 0;
  auto names = all_names(app, 10, &pages);
  CHECK(pages == 5);
  CHECK(names.size() == 46);
  std::sort(names.begin(), names.end());
  CHECK(std::unique(names.begin(), names.end()) == names.end());
  // One that does not keep to :limit, or never ends, is told so.
  App large("sql", with_statement(postgres.example("users"), "list",
                                  "SELECT id FROM users WHERE id::text > :after OR :limit::int > 0"));
  check_outcome(large.ask(Operation::list), Outcome::ok);
  auto call = make_call(Operation::list);
  call.page_size = 10;
  check_outcome(large.ask(call), Outcome::invalid_request);
}

TEST_CASE("what the server refuses has its outcome", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  const auto users = postgres.example("users");
  const auto ann = App("sql", users).id_of("ann");
  const auto asks = [&](const json::object& config, const Call& call) {
    App app("sql", config);
    return app.ask(call);
  };
  const auto check = make_call(Operation::check), disable = make_call(Operation::disable, ann);
  check_outcome(asks(with(users, {{"password", "wrong"}}), check), Outcome::auth_failed);
  check_outcome(asks(with(users, {{"user", "nobody"}}), disable), Outcome::auth_failed);
  check_outcome(asks(with(users, {{"database", "nothing"}}), disable), Outcome::invalid_request);
  const auto reader = with(users, {{"user", "reader"}, {"password", "secret-of-reader"}});
  check_outcome(asks(reader, check), Outcome::ok);
  check_outcome(asks(reader, disable), Outcome::permission_denied);
  check_outcome(asks(with_statement(users, "disable", "UPDATE nowhere SET x = 1"), disable),
                Outcome::invalid_request);
  check_outcome(asks(with_statement(users, "disable", "SELECT 1; SELECT 2"), disable), Outcome::invalid_request);
  check_outcome(asks(with_statement(users, "disable", "SELECT :no_such_column::text"), disable),
                Outcome::invalid_request);
  const auto slow = with(with_statement(users, "disable", "SELECT pg_sleep(60)"), {{"statement_timeout_ms", 200}});
  check_outcome(asks(slow, disable), Outcome::unavailable);
  // Somebody else holds the row.
  App holder("sql", with_statement(users, "disable",
                                   json::array{"UPDATE users SET active = false WHERE id::text = :id",
                                               "SELECT pg_sleep(60)"}));
  runtime::Event ended;
  Reply held;
  const auto id = holder.connector().start(disable, [&](Reply r) {
    held = std::move(r);
    ended.set();
  });
  REQUIRE(becomes_true([&] {
    return postgres.asked("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1";
  }));
  check_outcome(asks(with(users, {{"lock_timeout_ms", 200}}), disable), Outcome::unavailable);
  holder.connector().cancel(id);
  REQUIRE(ended.wait_for(std::chrono::minutes(1)));
  check_outcome(held, Outcome::cancelled);
  CHECK(postgres.asked("SELECT count(*) FROM users WHERE NOT active") == "0");
}

TEST_CASE("TLS is verified unless the operator asks for less", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  const auto users = postgres.example("users");
  const Certificate other(postgres.dir().path(), "other");
  const auto asks = [&](const json::object& more) {
    App app("sql", with(users, more));
    return app.ask(Operation::check);
  };
  check_outcome(asks({}), Outcome::ok);
  check_outcome(asks({{"ca_file", other.certificate}}), Outcome::not_sent);
  check_outcome(asks({{"sslmode", "verify-ca"}, {"ca_file", other.certificate}}), Outcome::not_sent);
  // A name that the certificate does not have.
  check_outcome(asks({{"host", "127.0.0.2"}}), Outcome::not_sent);
  check_outcome(asks({{"host", "127.0.0.2"}, {"sslmode", "verify-ca"}}), Outcome::ok);
  auto plain = users;
  plain.erase("ca_file");
  plain["sslmode"] = "require";
  check_outcome(App("sql", plain).ask(Operation::check), Outcome::ok);
}

TEST_CASE("a connection that is lost ends as what is known of it", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  Relay relay(postgres.port());
  App app("sql", with(postgres.example("users"), {{"port", relay.port()}, {"connections", 1}}));
  const auto ann = app.id_of("ann");
  SECTION("a server that is away was sent nothing, and is found again when it is back") {
    postgres.stop();
    check_outcome(app.ask(Operation::disable, ann), Outcome::not_sent);
    postgres.start();
    check_effect(app.ask(Operation::disable, ann), Effect::done);
  }
  SECTION("lost at the COMMIT: nobody knows") {
    relay.cut_after(6);  // BEGIN, the limits, the look before, the change, the look after, COMMIT
    check_outcome(app.ask(Operation::disable, ann), Outcome::unknown_outcome);
    CHECK(active(app, ann) == false);  // and so it is read back
  }
  SECTION("lost before that: nothing has happened") {
    for (const int after : {1, 3, 4, 5}) {
      CAPTURE(after);
      relay.cut_after(after);
      check_outcome(app.ask(Operation::disable, ann), Outcome::unavailable);
      CHECK(active(app, ann) == true);
    }
  }
  SECTION("a server that does not answer") {
    postgres.process().signal(SIGSTOP);  // takes no new connection; the one that there is goes on
    App stopped("sql", with(postgres.example("users"), {{"connect_timeout_ms", 300}}));
    check_outcome(stopped.ask(Operation::disable, ann), Outcome::not_sent);
    postgres.process().signal(SIGCONT);
    CHECK(active(app, ann) == true);
  }
}

TEST_CASE("a configuration that cannot work is refused, by the member's name", "[server]") {
  if (is_missing()) return;
  Postgres postgres;
  const auto users = postgres.example("users");
  const std::vector<std::pair<json::object, const char*>> all{
      {with(users, {{"ca_file", "/nonexistent/ca.pem"}}), "config/ca_file"},
      {with(users, {{"host", "a,b"}}), "config/host"},
      {with_statement(users, "read", "SELECT 'x"), "config/statements/read"},
      {with_statement(users, "read", "SELECT :login"), ":login"},
      {with_statement(users, "list", "SELECT id FROM users"), "config/statements/list"},
      {with_statement(users, "find", json::object{{"email", "SELECT :user_name"}}),
       "config/statements/find/email"},
      {with_statement(users, "disable", "COMMIT"), "config/statements/disable"},
      {with_statement(users, "disable", json::array{"SELECT 1", "rollback"}), "config/statements/disable/1"},
      {with_statement(users, "enable", json::array{}), "config/statements/enable"},
      {with_statement(users, "delete", json::array{}), "config/statements/delete"},
  };
  for (const auto& [config, member] : all) {
    const auto why = App::refusal("sql", config);
    INFO(why);
    CHECK(why.find(member) != std::string::npos);
  }
}
