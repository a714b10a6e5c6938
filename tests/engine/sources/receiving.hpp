// A receiver of security events, its transmitter, and people whom the events are about.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/engine/events.hpp>
#include <deprov/engine/sources.hpp>
#include <deque>
#include <utility>
#include "catch.hpp"
#include "support/fake_app.hpp"
#include "support/set_signer.hpp"

namespace deprov::test {

inline constexpr const char* session_revoked =
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
inline constexpr const char* account_disabled =
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
inline constexpr const char* account_enabled =
    "https://schemas.openid.net/secevent/risc/event-type/account-enabled";
inline constexpr const char* verification = "https://schemas.openid.net/secevent/ssf/event-type/verification";
inline constexpr const char* stream_updated = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";

/// The other side: answers by URL what a test says, and remembers what it was asked.
struct Transmitter final : port::HttpTransport {
  std::function<port::HttpResult(const port::HttpRequest&)> answer;
  std::vector<port::HttpRequest> got;
  bool holds = false;  ///< it answers when `let_go` says so, as one does that is asked for a long poll
  std::deque<port::UniqueFunction<void(port::HttpResult)>> held;

  port::HttpCallId send(port::HttpRequest request, port::UniqueFunction<void(port::HttpResult)> done) override {
    got.push_back(request);
    port::HttpResult none;
    if (holds) {
      held.push_back(std::move(done));
    } else {
      done(answer ? answer(request) : none);
    }
    return got.size();
  }
  void cancel(port::HttpCallId) override {}
  void let_go() {
    holds = false;
    for (auto waiting = std::exchange(held, {}); !waiting.empty(); waiting.pop_front())
      waiting.front()(answer(got.back()));
  }
  static port::HttpResult reply(int status, const json::value& body = {}) {
    port::HttpResult r;
    r.response.emplace();
    r.response->status = status;
    if (!body.is_null()) r.response->body = json::serialize(body);
    return r;
  }
};

struct Receiving : World {
  Transmitter transmitter;
  engine::Context c;
  std::vector<ResourceId> users;
  engine::Principal owner;
  SetSigner signer;
  json::object config;
  SourceId source;
  int tokens = 0;

  explicit Receiving(std::size_t population, json::object more = {}, const std::string& policy = "{}") : World(1) {
    transport = &transmitter;
    engine.reset();
    boot();
    app->offer({connector::Operation::revoke_sessions});
    c = integrate("okta", policy);
    owner = {workspace, {}, "tester", port::Role::owner};
    for (std::size_t i = 0; i < population; ++i) {
      const auto n = std::to_string(i);
      app->add("a" + n, "ext-u" + n, "u" + n);
      users.push_back(add_user(c, "u" + n));
    }
    run(std::chrono::seconds(30));
    config = {{"issuer", "https://idp.example.com/"}, {"audience", json::array{"https://sp.example.com"}}};
    if (!more.contains("jwks_uri")) config["jwks"] = signer.jwks();
    for (const auto& m : more) config[m.key()] = m.value();
    const auto made = add("feed", config);
    INFO((made ? std::string() : made.error().message()));
    REQUIRE(made);
    source = made->id;
  }
  ~Receiving() { engine.reset(); }  // before the transmitter that it knows
  Receiving(const Receiving&) = delete;
  Receiving& operator=(const Receiving&) = delete;

  template <class T, class Start>
  Result<T> wait(Start start) {
    auto got = std::make_shared<std::optional<Result<T>>>();
    start(engine::Done<T>([got](Result<T> r) { got->emplace(std::move(r)); }));
    while (!*got && executor->run_one()) {
    }
    return *got ? std::move(**got) : Result<T>(Error(Errc::timeout, "no answer"));
  }
  Result<port::SourceRow> add(const std::string& name, const json::object& what) {
    return wait<port::SourceRow>([&](auto done) {
      engine->sources().add(owner, c->row.scope.integration, {name, "events", what}, std::move(done));
    });
  }
  Result<engine::ReceivedSet> push(const std::string& token, const std::string& authorization = {}) {
    return wait<engine::ReceivedSet>(
        [&](auto done) { engine->events().receive(source, token, authorization, std::move(done)); });
  }
  std::int64_t now() const { return clock.wall().micros / 1'000'000; }
  json::object claims(const char* event, json::value subject, json::object payload = {}) {
    return {{"iss", "https://idp.example.com/"},
            {"jti", "jti-" + std::to_string(++tokens)},
            {"iat", now()},
            {"aud", "https://sp.example.com"},
            {"sub_id", std::move(subject)},
            {"events", {{event, std::move(payload)}}}};
  }
  static json::value user(std::size_t i) {
    return json::object{
        {"format", "iss_sub"}, {"iss", "https://idp.example.com/"}, {"sub", "ext-u" + std::to_string(i)}};
  }
  /// Taken, and anew.
  void take(const json::object& what) {
    const auto r = push(signer.sign(what));
    INFO((r ? (r->refused ? r->refused->description : std::string()) : r.error().message()));
    REQUIRE(r);
    REQUIRE_FALSE(r->refused);
    REQUIRE_FALSE(r->repeated);
  }
  idp::SetError refused(const std::string& token, const std::string& authorization = {}) {
    const auto r = push(token, authorization);
    REQUIRE(r);
    REQUIRE(r->refused);
    return r->refused->error;
  }
  std::size_t calls(const std::string& operation) const {
    std::size_t n = 0;
    for (const auto& entry : app->log) n += entry.rfind(operation + " ", 0) == 0 ? 1 : 0;
    return n;
  }
  /// What became of the events, in order.
  std::vector<std::string> outcomes() {
    std::vector<std::string> all;
    for (const auto& row : activity(c))
      if (row.event == "source.event")
        all.emplace_back(json::parse(*row.detail).as_object().at("outcome").as_string());
    return all;
  }
  port::SourceRow row() {
    std::optional<port::SourceRow> found;
    read([&](port::Reader& r) { found = r.source(c->row.scope, source).value(); });
    REQUIRE(found);
    return *found;
  }
};

using Outcomes = std::vector<std::string>;

}  // namespace deprov::test
