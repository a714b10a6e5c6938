// How tokens come: verified by keys that change, fetched, and over a stream that says how it is.
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include "catch.hpp"
#include "engine/sources/receiving.hpp"

using namespace deprov;
using namespace deprov::test;
using namespace std::chrono_literals;
namespace json = boost::json;
using idp::SetError;

TEST_CASE("keys are read again when they change, and not at everybody's word", "[engine][set]") {
  Receiving w(2, {{"jwks_uri", "https://idp.example.com/keys"}});
  test::SetSigner next(test::SetSigner::Kind::p256, "key-2");
  json::object published = w.signer.jwks();
  int status = 200;
  w.transmitter.answer = [&](const port::HttpRequest&) { return Transmitter::reply(status, published); };
  const auto by = [&](const test::SetSigner& s, const char* kid) {
    return s.sign({{"typ", "secevent+jwt"}, {"alg", "ES256"}, {"kid", kid}},
                  json::serialize(w.claims(session_revoked, Receiving::user(0))));
  };
  REQUIRE_FALSE(w.push(by(w.signer, "key-1"))->refused);
  CHECK(w.transmitter.got.size() == 1);
  CHECK(w.transmitter.got[0].url == "https://idp.example.com/keys");
  REQUIRE_FALSE(w.push(by(w.signer, "key-1"))->refused);
  CHECK(w.transmitter.got.size() == 1);

  // A flood of made-up ids costs one look a minute, and such a token is to come again until somebody has looked.
  for (int i = 0; i < 20; ++i) {
    const auto r = w.push(by(next, "key-9"));
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == Errc::unavailable);
  }
  CHECK(w.transmitter.got.size() == 1);
  w.run(61s);
  CHECK(w.refused(by(next, "key-9")) == SetError::invalid_key);
  CHECK(w.transmitter.got.size() == 2);

  // Rotation: the new one is there besides the old one, then alone.
  w.run(61s);
  published = {{"keys", json::array{w.signer.jwk(), next.jwk()}}};
  REQUIRE_FALSE(w.push(by(next, "key-2"))->refused);
  REQUIRE_FALSE(w.push(by(w.signer, "key-1"))->refused);
  CHECK(w.transmitter.got.size() == 3);
  published = next.jwks();
  w.run(2h);
  CHECK(w.refused(by(w.signer, "key-1")) == SetError::invalid_key);

  // Where they cannot be read, the last ones count for a day, and then nothing is believed, and nothing refused.
  status = 500;
  w.run(3h);
  REQUIRE_FALSE(w.push(by(next, "key-2"))->refused);
  w.run(24h);
  const auto late = w.push(by(next, "key-2"));
  REQUIRE_FALSE(late);
  CHECK(late.error().code() == Errc::unavailable);
  status = 200;
  w.run(2min);
  REQUIRE_FALSE(w.push(by(next, "key-2"))->refused);
}

TEST_CASE("a stream is verified by the state that was asked for, and says when it stops", "[engine][set][R16]") {
  Receiving w(
      1, {{"stream_id", "f67e"},
          {"verification", {{"url", "https://idp.example.com/verify"}, {"authorization", "Bearer management"}}}});
  w.transmitter.answer = [](const port::HttpRequest&) { return Transmitter::reply(204); };
  const json::value stream = json::object{{"format", "opaque"}, {"id", "f67e"}};
  w.take(w.claims(verification, stream));  // the transmitter asks by itself
  CHECK(w.refused(w.signer.sign(w.claims(verification, stream, {{"state", "made up"}}))) ==
        SetError::invalid_state);
  REQUIRE(w.wait<void>([&](auto done) {
    w.engine->events().verify(w.owner, w.c->row.scope.integration, w.source, std::move(done));
  }));
  REQUIRE(w.transmitter.got.size() == 1);
  CHECK(w.transmitter.got[0].url == "https://idp.example.com/verify");
  const auto asked = json::parse(w.transmitter.got[0].body).as_object();
  CHECK(asked.at("stream_id") == "f67e");
  CHECK(w.refused(w.signer.sign(w.claims(verification, stream, {{"state", "another"}}))) ==
        SetError::invalid_state);
  w.take(w.claims(verification, stream, {{"state", asked.at("state")}}));
  CHECK(w.refused(w.signer.sign(w.claims(verification, stream, {{"state", asked.at("state")}}))) ==
        SetError::invalid_state);  // once
  CHECK(w.refused(w.signer.sign(
            w.claims(verification, json::object{{"format", "opaque"}, {"id", "of another stream"}}))) ==
        SetError::invalid_request);

  w.take(w.claims(stream_updated, stream, {{"status", "paused"}, {"reason", "Internal error"}}));
  CHECK(w.row().failing_since.micros != 0);
  CHECK(w.row().failure == "the transmitter paused the stream: Internal error");
  CHECK(w.events(w.c, "source.unhealthy") == 1);
  w.take(w.claims(verification, stream));
  CHECK(w.row().failing_since.micros != 0);
  w.take(w.claims(stream_updated, stream, {{"status", "enabled"}}));
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.events(w.c, "source.recovered") == 1);
  CHECK(w.refused(w.signer.sign(w.claims(stream_updated, stream, {{"status", "tired"}}))) ==
        SetError::invalid_request);
}

TEST_CASE("tokens are fetched, acknowledged when they are durable, and refused by name", "[engine][set]") {
  Receiving w(4);
  std::map<std::string, std::string> queue;  // at the transmitter, until it is told
  std::vector<json::object> asked;
  int status = 200;
  w.transmitter.answer = [&](const port::HttpRequest& request) {
    if (status != 200) return Transmitter::reply(status);
    const auto body = json::parse(request.body).as_object();
    asked.push_back(body);
    if (body.contains("ack"))
      for (const auto& jti : body.at("ack").as_array()) queue.erase(std::string(jti.as_string()));
    if (body.contains("setErrs"))
      for (const auto& e : body.at("setErrs").as_object()) queue.erase(std::string(e.key()));
    json::object sets;
    const auto most = body.at("maxEvents").to_number<std::size_t>();
    for (const auto& [jti, token] : queue)
      if (sets.size() < most) sets[jti] = token;
    const bool more = sets.size() < queue.size();
    return Transmitter::reply(200, json::object{{"sets", std::move(sets)}, {"moreAvailable", more}});
  };
  const auto enqueue = [&](const json::object& claims) {
    queue[std::string(claims.at("jti").as_string())] = w.signer.sign(claims);
  };
  for (std::size_t i = 0; i < 3; ++i) enqueue(w.claims(session_revoked, Receiving::user(i)));
  auto wrong = w.claims(session_revoked, Receiving::user(3));
  wrong["aud"] = "https://other.example.com";
  enqueue(wrong);
  queue["text"] = "no token";
  auto config = w.config;
  config["poll"] = {{"url", "https://idp.example.com/poll"},
                    {"authorization", "Bearer poll"},
                    {"interval_s", 60},
                    {"max_events", 2}};
  w.source = w.add("polled", config).value().id;
  w.run(30s);
  CHECK(queue.empty());
  CHECK(w.calls("revoke_sessions") == 3);
  REQUIRE(asked.size() >= 4);
  CHECK(asked[0].at("returnImmediately").as_bool());
  CHECK_FALSE(asked[0].contains("ack"));
  json::object errors;
  for (const auto& a : asked)
    if (a.contains("setErrs"))
      for (const auto& e : a.at("setErrs").as_object()) errors[e.key()] = e.value().at("err");
  CHECK(errors.size() == 2);
  CHECK(errors.at("text") == "invalid_request");
  CHECK(errors.at(wrong.at("jti").as_string()) == "invalid_audience");
  for (const auto& r : w.transmitter.got) CHECK(r.headers.back().value == "Bearer poll");
  const auto idle = asked.size();
  w.run(10min);
  CHECK(asked.size() >= idle + 8);
  CHECK(asked.size() <= idle + 12);

  // Not acknowledged, since nobody knows whether it arrived: it comes again, and counts once.
  const auto again = w.claims(session_revoked, Receiving::user(0));
  enqueue(again);
  w.run(2min);
  CHECK(queue.empty());
  const auto before = w.calls("revoke_sessions");
  enqueue(again);
  w.run(2min);
  CHECK(queue.empty());
  CHECK(w.calls("revoke_sessions") == before);

  status = 401;
  w.run(10min);
  CHECK(w.row().failing_since.micros != 0);
  CHECK(w.row().failure.find("401") != std::string::npos);
  CHECK(w.events(w.c, "source.unhealthy") == 1);
  status = 200;
  w.run(2h);
  CHECK(w.row().failing_since.micros == 0);
  CHECK(w.events(w.c, "source.recovered") == 1);
}

TEST_CASE("a transmitter that asks for patience is no failing source before nothing was heard of it for minutes",
          "[engine][set][R16][R17]") {
  Receiving w(1);
  std::vector<std::int64_t> asked;
  int status = 200;
  bool says_when = true;
  w.transmitter.answer = [&](const port::HttpRequest&) {
    asked.push_back(w.clock.wall().micros / 1'000'000);
    auto reply =
        Transmitter::reply(status, status == 200 ? json::object{{"sets", json::object{}}} : json::object{});
    if (status != 200 && says_when) reply.response->headers.push_back({"Retry-After", "45"});
    return reply;
  };
  auto config = w.config;
  config["poll"] = {{"url", "https://idp.example.com/poll"}, {"interval_s", 10}};
  w.source = w.add("polled", config).value().id;
  w.run(5min);
  for (const int busy : {429, 503}) {
    INFO(busy);
    status = busy;
    asked.clear();
    w.run(3min);
    REQUIRE(asked.size() >= 3);
    CHECK(asked.size() <= 5);
    for (std::size_t i = 1; i < asked.size(); ++i) CHECK(asked[i] - asked[i - 1] >= 45);
    CHECK(w.row().failing_since.micros == 0);
    status = 200;
    w.run(2min);
  }
  says_when = false;
  status = 503;  // that is no throttling
  w.run(1min);
  CHECK(w.row().failing_since.micros != 0);
  status = 200;
  w.run(2h);
  CHECK(w.row().failing_since.micros == 0);
  status = 429;
  w.run(4min);
  CHECK(w.row().failing_since.micros == 0);
  w.run(5min);
  CHECK(w.row().failing_since.micros != 0);
  CHECK(w.row().failure.find("429") != std::string::npos);
  CHECK(w.events(w.c, "source.unhealthy") == 2);
}

TEST_CASE("a transmitter that sends again what was acknowledged or refused is asked in peace, and told of once",
          "[engine][set]") {
  Receiving w(3);
  json::object sets;
  std::size_t asked = 0;
  w.transmitter.answer = [&](const port::HttpRequest&) {
    ++asked;
    return Transmitter::reply(200, json::object{{"sets", sets}, {"moreAvailable", true}});
  };
  const auto send = [&](const json::object& claims) {
    sets[claims.at("jti").as_string()] = w.signer.sign(claims);
  };
  send(w.claims(session_revoked, Receiving::user(0)));
  auto wrong = w.claims(session_revoked, Receiving::user(1));
  wrong["aud"] = "https://other.example.com";
  send(wrong);
  sets["text"] = "no token";
  auto config = w.config;
  config["poll"] = {{"url", "https://idp.example.com/poll"}, {"interval_s", 60}};
  w.source = w.add("polled", config).value().id;
  w.run(10min);
  CHECK(w.calls("revoke_sessions") == 1);
  CHECK(w.events(w.c, "source.event_refused") == 1);
  CHECK(asked >= 9);
  CHECK(asked <= 15);
  // What is new is taken as soon as it would be, and what it is then told it is told at once.
  send(w.claims(session_revoked, Receiving::user(2)));
  const auto before = asked;
  w.run(90s);
  CHECK(w.calls("revoke_sessions") == 2);
  CHECK(asked >= before + 2);
  CHECK(asked <= before + 4);
  // So it is for what is pushed: each refusal is answered, and the same one is on the activity once.
  const auto token = w.signer.sign(wrong);
  for (int i = 0; i < 3; ++i) CHECK(w.refused(token) == SetError::invalid_audience);
  CHECK(w.events(w.c, "source.event_refused") == 1);
}

TEST_CASE("a verification that was asked for is known after a restart, and to another engine", "[engine][set]") {
  Receiving w(
      1, {{"stream_id", "f67e"},
          {"verification", {{"url", "https://idp.example.com/verify"}, {"authorization", "Bearer management"}}}});
  bool stored = false;
  w.transmitter.answer = [&](const port::HttpRequest&) {
    stored = !w.row().header.empty();  // before the request leaves
    return Transmitter::reply(204);
  };
  const json::value stream = json::object{{"format", "opaque"}, {"id", "f67e"}};
  const auto ask = [&] {
    REQUIRE(w.wait<void>([&](auto done) {
      w.engine->events().verify(w.owner, w.c->row.scope.integration, w.source, std::move(done));
    }));
    return json::value_to<std::string>(json::parse(w.transmitter.got.back().body).at("state"));
  };
  const auto first = ask();
  CHECK(stored);
  w.crash();
  w.boot();
  CHECK(w.refused(w.signer.sign(w.claims(verification, stream, {{"state", "made up"}}))) ==
        SetError::invalid_state);
  w.take(w.claims(verification, stream, {{"state", first}}));
  CHECK(w.row().header.empty());
  CHECK(w.refused(w.signer.sign(w.claims(verification, stream, {{"state", first}}))) == SetError::invalid_state);
  // The last one that was asked for counts.
  const auto second = ask();
  const auto third = ask();
  CHECK(w.refused(w.signer.sign(w.claims(verification, stream, {{"state", second}}))) == SetError::invalid_state);
  w.take(w.claims(verification, stream, {{"state", third}}));
}

TEST_CASE("of several engines on one store one fetches the tokens of a stream, and another one when it is gone",
          "[engine][set]") {
  Receiving w(2);
  w.options.lane_lease = 60s;
  w.options.node = "first";
  w.crash();
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
  const auto both = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      w.run(1s);
      executor->run_for(0s);
    }
  };
  std::map<std::string, std::string> queue;
  const auto serve = [&](const port::HttpRequest& request) {
    const auto body = json::parse(request.body).as_object();
    if (body.contains("ack"))
      for (const auto& jti : body.at("ack").as_array()) queue.erase(std::string(jti.as_string()));
    json::object sets;
    for (const auto& [jti, token] : queue) sets[jti] = token;
    return Transmitter::reply(200, json::object{{"sets", std::move(sets)}});
  };
  w.transmitter.answer = other.answer = serve;
  const auto enqueue = [&](const json::object& claims) {
    queue[std::string(claims.at("jti").as_string())] = w.signer.sign(claims);
  };
  // Added at the first one while the second one runs already.
  auto config = w.config;
  config["poll"] = {{"url", "https://idp.example.com/poll"}, {"interval_s", 10}};
  w.source = w.add("polled", config).value().id;
  enqueue(w.claims(session_revoked, Receiving::user(0)));
  both(600);
  CHECK(queue.empty());
  CHECK(w.calls("revoke_sessions") == 1);
  CHECK(w.transmitter.got.size() > 40);
  CHECK(other.got.empty());
  // The first one is killed.
  const auto asked = w.transmitter.got.size();
  w.engine.reset();
  enqueue(w.claims(session_revoked, Receiving::user(1)));
  for (int i = 0; i < 600; ++i) {
    w.run(1s);
    executor->run_for(0s);
  }
  CHECK(w.transmitter.got.size() == asked);
  CHECK(other.got.size() > 20);
  CHECK(queue.empty());
  CHECK(w.calls("revoke_sessions") == 2);
  second.reset();
}
