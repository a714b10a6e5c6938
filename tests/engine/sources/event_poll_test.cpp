// When a source of security events is asked next, as every engine that shares its store says it (R16).
#include <deprov/engine/sources.hpp>
#include <map>
#include "catch.hpp"
#include "engine/sources/receiving.hpp"

using namespace deprov;
using namespace deprov::test;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

struct PolledEvents : Receiving {
  std::vector<WallTime> asked;
  int status = 200;
  std::string retry_after;
  std::map<std::string, std::string> queue;

  explicit PolledEvents(int interval) : Receiving(3) {
    transmitter.answer = [this](const port::HttpRequest& request) { return answer(request); };
    auto what = config;
    what["poll"] = {{"url", "https://idp.example.com/poll"}, {"interval_s", interval}};
    const auto made = add("polled", what);
    REQUIRE(made);
    source = made->id;
    CHECK(made->due == made->created);
  }
  port::HttpResult answer(const port::HttpRequest& request) {
    asked.push_back(clock.wall());
    if (status != 200) {
      auto reply = Transmitter::reply(status);
      if (!retry_after.empty()) reply.response->headers.push_back({"Retry-After", retry_after});
      return reply;
    }
    const auto body = json::parse(request.body).as_object();
    if (body.contains("ack"))
      for (const auto& jti : body.at("ack").as_array()) queue.erase(std::string(jti.as_string()));
    json::object sets;
    for (const auto& [jti, token] : queue) sets[jti] = token;
    return Transmitter::reply(200, json::object{{"sets", std::move(sets)}});
  }
  void enqueue(std::size_t user) {
    const auto claims = this->claims(session_revoked, Receiving::user(user));
    queue[std::string(claims.at("jti").as_string())] = signer.sign(claims);
  }
  Duration until_next() { return row().due - clock.wall(); }
  engine::PollHealth health() {
    const auto found = engine::poll_health(row());
    REQUIRE(found);
    return *found;
  }
  /// What the row says comes true: it is asked then, and not before.
  void comes_true() {
    const auto due = row().due;
    REQUIRE(due > clock.wall());
    const auto before = asked.size();
    run(due - clock.wall() - 1ms);
    CHECK(asked.size() == before);
    run(2ms);
    REQUIRE(asked.size() > before);
    CHECK(asked[before] >= due);
    CHECK(asked[before] - due < 10ms);
  }
};

}  // namespace

TEST_CASE("a source of events that is fetched shows when it is asked next, and it is asked then",
          "[engine][set][R16]") {
  PolledEvents w(60);
  w.run(1s);
  REQUIRE(w.asked.size() == 1);
  CHECK(w.until_next() >= 53s);
  CHECK(w.until_next() <= 66s);
  CHECK(w.health().interval == 60s);
  CHECK(w.health().floor == 60s);
  CHECK(w.health().ceiling == 1h);
  CHECK(w.health().reader.empty());
  CHECK(w.row().succeeded == w.asked[0]);
  for (int i = 0; i < 5; ++i) w.comes_true();

  // What is to be acknowledged is so at once, and then it rests as long as ever.
  w.enqueue(0);
  w.comes_true();
  w.run(1s);
  CHECK(w.queue.empty());
  CHECK(w.calls("revoke_sessions") == 1);
  CHECK(w.until_next() >= 50s);
  w.comes_true();

  // Of those who are pushed to nothing is asked.
  w.run(10min);
  CHECK(w.events(w.c, "source.unhealthy") == 0);
  w.source = w.add("pushed", w.config).value().id;
  CHECK(w.row().due.micros == 0);
  CHECK_FALSE(engine::poll_health(w.row()));
}

TEST_CASE("when a failing transmitter of events, or one that asks for patience, is asked next is shown",
          "[engine][set][R16][R17]") {
  PolledEvents w(30);
  w.run(1s);
  w.status = 429;
  w.retry_after = "200";
  w.comes_true();
  CHECK(w.until_next() > 199s);
  CHECK(w.health().interval == 200s);
  CHECK(w.health().waits.find("429") != std::string::npos);
  CHECK(w.row().failing_since.micros == 0);
  // Whoever starts anew keeps to that.
  w.crash();
  w.boot();
  w.run(1s);
  w.status = 200;
  w.comes_true();
  CHECK(w.health().waits.empty());
  CHECK(w.health().interval == 30s);
  CHECK(w.until_next() <= 33s);

  w.status = 500;
  w.retry_after.clear();
  Duration longest{0};
  for (int i = 0; i < 12; ++i) {
    w.comes_true();
    CHECK(w.until_next() >= 29s);
    CHECK(w.until_next() <= 1h);
    longest = std::max(longest, w.until_next());
    CHECK(w.health().interval == w.row().due - w.row().attempted);
  }
  CHECK(longest > 10min);
  CHECK(w.row().failing_since.micros != 0);
  // A restart does not make it haste, either, and one that fails goes on from where it was.
  w.crash();
  w.boot();
  w.run(1s);
  w.comes_true();
  CHECK(w.until_next() > 10min);
  CHECK(w.row().failures == 13);
  // Whom it fails for asks no more often than it would by itself, whatever it is allowed to.
  w.status = 503;
  w.retry_after = "1";
  w.comes_true();
  CHECK(w.until_next() > 10min);
  w.status = 200;
  w.comes_true();
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.until_next() <= 33s);
}

TEST_CASE("while a transmitter of events keeps an answer back, it is due; another credential is used at once",
          "[engine][set][R16]") {
  PolledEvents w(60);
  w.run(1s);
  w.transmitter.holds = true;
  const auto due = w.row().due;
  w.run(due - w.clock.wall() + 20s);
  REQUIRE(w.transmitter.held.size() == 1);
  CHECK(w.row().due == due);
  w.transmitter.let_go();
  w.run(1ms);
  CHECK(w.until_next() > 50s);

  w.status = 401;
  for (int i = 0; i < 12; ++i) w.comes_true();
  CHECK(w.until_next() > 5min);
  w.status = 200;
  REQUIRE(w.wait<port::SourceRow>([&](auto done) {
    w.engine->sources().set(w.owner, w.c->row.scope.integration, w.source,
                            {{{"poll", {{"authorization", "Bearer another"}}}}}, std::move(done));
  }));
  CHECK(w.until_next() <= 0s);
  w.run(1s);
  CHECK(w.transmitter.got.back().headers.back().value == "Bearer another");
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.until_next() > 50s);
  w.comes_true();

  // Changed while it is being asked: it is asked anew by the new one when the old answer has come.
  w.transmitter.holds = true;
  w.run(70s);
  REQUIRE(w.transmitter.held.size() == 1);
  REQUIRE(w.wait<port::SourceRow>([&](auto done) {
    w.engine->sources().set(w.owner, w.c->row.scope.integration, w.source,
                            {{{"poll", {{"authorization", "Bearer third"}}}}}, std::move(done));
  }));
  CHECK(w.until_next() <= 0s);
  w.transmitter.let_go();
  w.run(1s);
  CHECK(w.transmitter.got.back().headers.back().value == "Bearer third");
  w.comes_true();

  REQUIRE(w.wait<port::SourceRow>([&](auto done) {
    w.engine->sources().set(w.owner, w.c->row.scope.integration, w.source, {{{"poll", nullptr}}}, std::move(done));
  }));
  CHECK(w.row().due.micros == 0);
  CHECK_FALSE(engine::poll_health(w.row()));
}

TEST_CASE("of several engines all say when events are asked for, and by which; one that takes over keeps to it",
          "[engine][set][R16]") {
  PolledEvents w(30);
  w.options.lane_lease = 20s;
  w.options.node = "first";
  w.engine.reset();
  w.boot();
  Transmitter other;
  auto executor = std::make_unique<runtime::VirtualExecutor>(w.clock);
  runtime::SeededRandom random{2};
  auto options = w.options;
  options.node = "second";
  auto made = engine::Engine::create({*executor, w.clock, random, *w.store, other, *w.crypto}, options);
  REQUIRE(made);
  auto second = std::move(*made);
  second->start([](const Result<void>& started) { REQUIRE(started); });
  std::vector<WallTime> by_other;
  other.answer = [&](const port::HttpRequest& request) {
    by_other.push_back(w.clock.wall());
    return w.answer(request);
  };
  const auto both = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      w.run(1s);
      executor->run_for(0s);
    }
  };
  both(120);
  CHECK(by_other.empty());
  CHECK(w.health().reader == "first");
  CHECK(w.health().reader_until > w.row().due);
  CHECK(w.until_next() <= 33s);
  w.status = 429;
  w.retry_after = "250";
  both(40);
  CHECK(w.until_next() > 200s);
  const auto due = w.row().due;
  // It is not the other one's turn while the first one waits as it was asked to.
  both(200);
  CHECK(by_other.empty());
  w.engine.reset();
  w.status = 200;
  while (by_other.empty() && w.clock.wall() - due < 5min) {
    w.executor->run_for(1s);
    executor->run_for(0s);
  }
  REQUIRE_FALSE(by_other.empty());
  CHECK(by_other[0] >= due);
  CHECK(by_other[0] - due < 75s);
  CHECK(w.health().reader == "second");
  CHECK(w.until_next() > 20s);
  second.reset();
}

TEST_CASE("a token that is fetched under another name than its jti is refused by that name, and lets none go",
          "[engine][set]") {
  PolledEvents w(60);
  std::map<std::string, std::string> errors;
  std::vector<std::string> acknowledged;
  w.transmitter.answer = [&](const port::HttpRequest& request) {
    const auto body = json::parse(request.body).as_object();
    if (body.contains("ack"))
      for (const auto& jti : body.at("ack").as_array()) acknowledged.emplace_back(jti.as_string());
    if (body.contains("setErrs"))
      for (const auto& e : body.at("setErrs").as_object()) {
        errors[std::string(e.key())] = std::string(e.value().at("err").as_string());
        w.queue.erase(std::string(e.key()));
      }
    return w.answer(request);
  };
  const auto first = w.claims(session_revoked, Receiving::user(0));
  const auto second = w.claims(session_revoked, Receiving::user(1));
  const auto name = [](const json::object& claims) { return std::string(claims.at("jti").as_string()); };
  // The second one stands under both names: what the first one is about was never sent.
  w.queue[name(first)] = w.signer.sign(second);
  w.queue[name(second)] = w.signer.sign(second);
  w.run(30s);
  CHECK(errors == std::map<std::string, std::string>{{name(first), "invalid_request"}});
  CHECK(acknowledged == std::vector<std::string>{name(second)});
  CHECK(w.calls("revoke_sessions") == 1);
  CHECK(w.events(w.c, "source.event_refused") == 1);
  // Sent as what it is, it is taken.
  w.queue[name(first)] = w.signer.sign(first);
  w.run(2min);
  CHECK(acknowledged == std::vector<std::string>{name(second), name(first)});
  CHECK(w.calls("revoke_sessions") == 2);
}
