// A source that is changed: what it has read stays, and no secret goes anywhere new.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include "catch.hpp"
#include "engine/sources/receiving.hpp"
#include "support/polled_world.hpp"

using namespace deprov;
using namespace std::chrono_literals;
namespace json = boost::json;

using test::Directory;
using test::Polled;
using test::Receiving;

namespace {

template <class W>
Result<port::SourceRow> change(W& w, json::object what) {
  return w.template wait<port::SourceRow>([&](auto done) {
    w.engine->sources().set(w.owner, w.c->row.scope.integration, w.source, {std::move(what)}, std::move(done));
  });
}

template <class W>
std::string refused_at(W& w, json::object what) {
  const auto changed = change(w, std::move(what));
  return changed ? std::string("taken") : changed.error().where();
}

}  // namespace

TEST_CASE("a source gets another credential, and goes on from where it was", "[engine][polls][R6][R16]") {
  Polled w(12, {{"poll", {{"floor_s", 300}, {"ceiling_s", 3600}}}});
  w.run(10s);
  REQUIRE(w.row().generation == 1);
  w.directory.token = "t1";
  w.directory.users.pop_back();
  w.run(3h);
  const auto failing = w.row();
  REQUIRE(failing.failing_since.micros != 0);
  CHECK(failing.failure.find("deprov source set") != std::string::npos);
  CHECK(w.app_active(11));
  const auto changed = change(w, {{"auth", {{"type", "token"}, {"token", "t1"}}}});
  REQUIRE(changed);
  CHECK(changed->config.find("t1") == std::string::npos);
  CHECK(changed->generation == failing.generation);
  CHECK(w.row().secrets.find("t1") == std::string::npos);
  w.run(10s);  // it is read at once, and against the list that it had
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.row().generation == 2);
  w.run(1min);
  CHECK_FALSE(w.app_active(11));
  CHECK(w.disables() == 1);
  CHECK(w.events(w.c, "source.changed") == 1);
  CHECK(w.events(w.c, "source.added") == 1);

  // The schedule, one member of it.
  REQUIRE(change(w, {{"poll", {{"ceiling_s", 400}}}}));
  CHECK(w.row().config.find("\"floor_s\":300") != std::string::npos);
  REQUIRE(change(w, {{"poll", nullptr}}));
  CHECK(w.row().config.find("floor_s") == std::string::npos);
  w.run(2h);
  CHECK(w.row().failing_since.micros == 0);
  w.restart();
  w.run(2h);
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.disables() == 1);
}

TEST_CASE("while a source is read it may be changed: what is being read does not count, and the next round does",
          "[engine][polls][R6]") {
  const auto credential = GENERATE(true, false);
  Polled w(12);
  w.run(10s);
  auto& d = w.directory;
  bool once = false;
  d.fault = [&](const std::string& target, std::size_t) -> std::optional<port::HttpResult> {
    if (target.find("startIndex=6") == std::string::npos || std::exchange(once, true)) return std::nullopt;
    return Directory::answer(429, "{}", {{"Retry-After", "30"}});
  };
  d.users.pop_back();
  std::optional<Error> why;
  w.engine->sources().poll(w.owner, w.c->row.scope.integration, w.source, {}, [&](const Result<json::object>& r) {
    if (!r) why = r.error();
  });
  w.run(10s);
  REQUIRE(once);
  if (credential) {
    d.token = "t1";
    REQUIRE(change(w, {{"auth", {{"type", "token"}, {"token", "t1"}}}}));
  } else {
    REQUIRE(change(w, {{"poll", {{"ceiling_s", 1200}}}}));
  }
  w.run(1min);
  REQUIRE(why);
  w.run(1min);  // nobody waits for the claim of a round that does not count
  CHECK(engine::poll_health(w.row())->reader.empty());
  CHECK_FALSE(w.app_active(11));
  w.run(2h);
  CHECK(w.row().failing_since.micros == 0);
  CHECK_FALSE(w.app_active(11));
  CHECK(w.disables() == 1);
}

TEST_CASE("what a source was read by is not changed, and what is changed has to be right", "[engine][polls]") {
  Polled w(3);
  w.run(10s);
  const auto before = w.row();
  CHECK(refused_at(w, {}) == "config");
  CHECK(refused_at(w, {{"scim", {{"base_url", "https://elsewhere.example.com"}}}}) == "config/scim");
  CHECK(refused_at(w, {{"id", "mail"}}) == "config/id");
  CHECK(refused_at(w, {{"link", "id"}}) == "config/link");
  CHECK(refused_at(w, {{"auth", {{"type", "token"}}}}) == "config/auth/token");
  CHECK(refused_at(w, {{"auth", {{"token", "t"}}}}).find("config/auth") == 0);
  CHECK(refused_at(w, {{"poll", {{"floor_s", 90}, {"ceiling_s", 30}}}}) == "config/poll/ceiling_s");
  CHECK(refused_at(w, {{"hook", {{"secrets", {"0123456789abcdef"}}}}}) == "config/hook");
  CHECK(refused_at(w, {{"links", {{"nobody", "x"}}}}) == "config/links/nobody");
  CHECK(w.row().config == before.config);
  CHECK(w.row().secrets == before.secrets);
  CHECK(w.events(w.c, "source.changed") == 0);
  // A person links another one, and takes that back.
  const auto who = w.users[0].str();
  REQUIRE(change(w, {{"links", {{who, "ext-u0"}}}}));
  REQUIRE(change(w, {{"links", {{w.users[1].str(), "ext-u1"}}}}));
  CHECK(w.row().config.find(who) != std::string::npos);
  REQUIRE(change(w, {{"links", {{who, nullptr}}}}));
  CHECK(w.row().config.find(who) == std::string::npos);
  w.run(3h);
  CHECK(w.disables() == 0);
}

TEST_CASE("a receiver of events gets other secrets and keys, and knows what it took before", "[engine][set]") {
  Receiving w(3, {{"jwks_uri", "https://idp.example.com/keys"}, {"authorization", "Bearer old"}});
  test::SetSigner next(test::SetSigner::Kind::p256, "key-2");
  std::string asked;
  w.transmitter.answer = [&](const port::HttpRequest& request) {
    asked = request.url;
    return test::Transmitter::reply(200,
                                    request.url.find("new") != std::string::npos ? next.jwks() : w.signer.jwks());
  };
  const auto first = w.claims(test::session_revoked, Receiving::user(0));
  REQUIRE_FALSE(w.push(w.signer.sign(first), "Bearer old")->refused);
  REQUIRE(change(w, {{"authorization", "Bearer new"}}));
  CHECK(w.refused(w.signer.sign(w.claims(test::session_revoked, Receiving::user(1))), "Bearer old") ==
        idp::SetError::authentication_failed);
  CHECK(w.push(w.signer.sign(first), "Bearer new")->repeated);
  // The old keys are no keys any more, at once.
  REQUIRE(change(w, {{"jwks_uri", "https://idp.example.com/new"}}));
  CHECK(w.refused(w.signer.sign(w.claims(test::session_revoked, Receiving::user(1))), "Bearer new") ==
        idp::SetError::invalid_key);
  CHECK(asked == "https://idp.example.com/new");
  const auto sign = [&](const json::object& claims) {
    return next.sign({{"typ", "secevent+jwt"}, {"alg", "ES256"}, {"kid", "key-2"}}, json::serialize(claims));
  };
  REQUIRE_FALSE(w.push(sign(w.claims(test::session_revoked, Receiving::user(1))), "Bearer new")->refused);
  w.run(10s);
  CHECK(w.calls("revoke_sessions") == 2);
  CHECK(refused_at(w, {{"issuer", "https://other.example.com"}}) == "config/issuer");
  CHECK(refused_at(w, {{"links", json::object{}}}) == "config/links");
  CHECK(w.row().config.find("Bearer") == std::string::npos);
  // After a restart as well.
  w.engine.reset();
  w.boot();
  w.run(1s);
  CHECK(w.refused(sign(w.claims(test::session_revoked, Receiving::user(2))), "Bearer old") ==
        idp::SetError::authentication_failed);
  REQUIRE_FALSE(w.push(sign(w.claims(test::session_revoked, Receiving::user(2))), "Bearer new")->refused);
}

TEST_CASE("a receiver that was pushed to fetches from then on, and no secret goes to another URL",
          "[engine][set]") {
  Receiving w(1);
  std::vector<std::pair<std::string, std::string>> got;
  w.transmitter.answer = [&](const port::HttpRequest& request) {
    got.emplace_back(request.url, request.headers.back().value);
    return test::Transmitter::reply(200, json::object{{"sets", json::object{}}});
  };
  w.run(10min);
  CHECK(got.empty());
  REQUIRE(change(
      w,
      {{"poll", {{"url", "https://idp.example.com/poll"}, {"authorization", "Bearer p"}, {"interval_s", 60}}}}));
  w.run(10min);
  CHECK(got.size() >= 8);
  CHECK(got.front() == std::pair<std::string, std::string>("https://idp.example.com/poll", "Bearer p"));
  CHECK(refused_at(w, {{"poll", {{"url", "https://evil.example.com/poll"}}}}) == "config/poll/url");
  REQUIRE(change(w, {{"poll", {{"interval_s", 5}}}}));
  got.clear();
  w.run(10min);
  CHECK(got.size() >= 80);
  REQUIRE(change(w, {{"poll", {{"url", "https://idp.example.com/other"}, {"authorization", "Bearer q"}}}}));
  got.clear();
  w.run(1min);
  REQUIRE_FALSE(got.empty());
  CHECK(got.back() == std::pair<std::string, std::string>("https://idp.example.com/other", "Bearer q"));
  // Not even for a moment: what is on its way is let go.
  REQUIRE(change(w, {{"poll", nullptr}}));
  got.clear();
  w.run(10min);
  CHECK(got.empty());
  CHECK(w.row().failing_since.micros == 0);
}

TEST_CASE("another engine on the store goes by what a source was changed to", "[engine][set]") {
  Receiving w(2, {{"authorization", "Bearer old"}});
  w.options.lane_lease = 60s;
  w.options.node = "first";
  w.engine.reset();
  w.boot();
  w.run(1s);
  test::Transmitter none;
  auto options = w.options;
  options.node = "second";
  auto made = engine::Engine::create({*w.executor, w.clock, w.random, *w.store, none, *w.crypto}, options);
  REQUIRE(made);
  (*made)->start([](const Result<void>& started) { REQUIRE(started); });
  w.run(1min);
  REQUIRE(change(w, {{"authorization", "Bearer new"}}));
  w.run(1min);
  const auto pushed = w.wait<engine::ReceivedSet>([&](auto done) {
    (*made)->events().receive(w.source, w.signer.sign(w.claims(test::session_revoked, Receiving::user(0))),
                              "Bearer new", std::move(done));
  });
  REQUIRE(pushed);
  CHECK_FALSE(pushed->refused);
  made->reset();
}
