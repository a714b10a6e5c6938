// Security events as a transmitter sends them to the running program, over sockets: pushed, refused, fetched.
#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include "catch.hpp"
#include "support/running.hpp"
#include "support/set_signer.hpp"
#include "support/test_server.hpp"

using namespace deprov::test;
namespace json = boost::json;

namespace {

constexpr const char* session_revoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
constexpr const char* set_type = "Content-Type: application/secevent+jwt\r\nAccept: application/json\r\n";

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Publishes keys, and hands out what was not acknowledged.
class Transmitter {
 public:
  Transmitter() : server_([this](const ServerRequest& r) { return answer(r); }) {}
  [[nodiscard]] std::string url(const std::string& path) const { return server_.url() + path; }
  [[nodiscard]] std::string sign(const std::string& jti, const std::string& subject,
                                 const char* event = session_revoked) {
    const std::lock_guard lock(mutex_);
    return keys_.back().sign(json::object{{"iss", "https://idp.example.com/"},
                                          {"jti", jti},
                                          {"iat", now()},
                                          {"aud", "https://sp.example.com"},
                                          {"sub_id", {{"format", "scim"}, {"uri", "/Users/" + subject}}},
                                          {"events", {{event, json::object{}}}}});
  }
  void enqueue(const std::string& jti, const std::string& token) {
    const std::lock_guard lock(mutex_);
    queue_[jti] = token;
  }
  [[nodiscard]] bool all_taken() {
    const std::lock_guard lock(mutex_);
    return queue_.empty();
  }
  [[nodiscard]] std::size_t key_requests() {
    const std::lock_guard lock(mutex_);
    return key_requests_;
  }

 private:
  Answer answer(const ServerRequest& request) {
    const std::lock_guard lock(mutex_);
    if (request.target == "/keys") {
      ++key_requests_;
      return respond_json(200, json::serialize(keys_.back().jwks()));
    }
    if (request.header("Authorization") != "Bearer for-polling") return respond(401);
    const auto body = json::parse(request.body).as_object();
    if (const auto* ack = body.if_contains("ack"))
      for (const auto& jti : ack->as_array()) queue_.erase(std::string(jti.as_string()));
    if (const auto* errors = body.if_contains("setErrs"))
      for (const auto& e : errors->as_object()) queue_.erase(std::string(e.key()));
    json::object sets;
    for (const auto& [jti, token] : queue_) sets[jti] = token;
    return respond_json(200, json::serialize(json::object{{"sets", sets}, {"moreAvailable", false}}));
  }

  std::mutex mutex_;
  std::vector<SetSigner> keys_ = [] {
    std::vector<SetSigner> keys;
    keys.emplace_back(SetSigner::Kind::ed25519, "first");
    return keys;
  }();
  std::map<std::string, std::string> queue_;
  std::size_t key_requests_ = 0;
  TestServer server_;
};

/// `deprov source add`; its id.
std::string add_source(const Running& app, const std::string& name, std::vector<std::string> more) {
  std::vector<std::string> args{"source",        "add",
                                "--data",        app.data(),
                                "--integration", app.integration().id,
                                "--name",        name,
                                "--kind",        "events",
                                "--issuer",      "https://idp.example.com/",
                                "--audience",    "https://sp.example.com",
                                "--event-link",  "scim_id=id"};
  args.insert(args.end(), more.begin(), more.end());
  return std::string(deprov_json(std::move(args)).at("id").as_string());
}

/// Records of the activity of that event, by the outcome that they name.
std::size_t count(const Running& app, std::string_view event, std::string_view outcome = {}) {
  std::size_t n = 0;
  for (const auto& row : app.activity()) {
    if (row.at("event").as_string() != event) continue;
    if (!outcome.empty() && row.at("detail").at("outcome").as_string() != outcome) continue;
    ++n;
  }
  return n;
}

}  // namespace

TEST_CASE("a signed event that is posted ends the person's sessions in the app", "[e2e][set][R2]") {
  Transmitter transmitter;
  const TempDir logs;
  Running app(3, "okta", {{"effect_log", logs.file("effects.jsonl")}});
  const auto secret = app.dir().file("push-token");
  write_file(secret, "Bearer for-pushing\n");
  const auto source =
      add_source(app, "signals", {"--jwks-uri", transmitter.url("/keys"), "--authorization-file", secret});
  app.serve();
  const auto ann = app.add_user("user1");
  const auto push = [&](const std::string& token, const std::string& fields = set_type,
                        const std::string& authorization = "for-pushing") {
    return http(app.port(), "POST", "/events/" + source, authorization, token, fields);
  };
  const auto token = transmitter.sign("jti-1", ann);
  const auto taken = push(token);
  INFO(taken.body);
  CHECK(taken.status == 202);
  CHECK(taken.body.empty());
  CHECK(push(token).status == 202);  // a retransmission is answered as the first one
  CHECK(eventually([&] { return count(app, "sessions.unverified") == 1; }));
  CHECK(count(app, "source.event", "sessions_revoked") == 1);
  CHECK(transmitter.key_requests() == 1);
  CHECK(read_file(logs.file("effects.jsonl")).find("revoke_sessions") != std::string::npos);
  CHECK(app.removal(ann).is_null());

  const auto refused = [&](const Reply& r, int status, const char* err) {
    INFO(r.body);
    CHECK(r.status == status);
    REQUIRE(r.json.is_object());
    CHECK(r.json.as_object().contains("err") == (err != nullptr));
    if (err != nullptr) CHECK(r.json.at("err") == err);
    CHECK_FALSE(r.json.at("description").as_string().empty());
  };
  refused(push(token, set_type, "somebody else"), 400, "authentication_failed");
  refused(push("not a token"), 400, "invalid_request");
  refused(
      push(SetSigner(SetSigner::Kind::ed25519, "first").sign(json::object{{"iss", "https://idp.example.com/"}})),
      400, "authentication_failed");
  refused(push(SetSigner(SetSigner::Kind::p256).sign(json::object{{"iss", "https://evil.example.com/"}})), 400,
          "invalid_issuer");
  refused(push(token, "Content-Type: application/json\r\n"), 415, nullptr);
  refused(push(std::string(70'000, 'a')), 413, nullptr);
  refused(http(app.port(), "GET", "/events/" + source), 405, nullptr);
  refused(http(app.port(), "POST", "/events/00000000-0000-7000-8000-000000000000", "for-pushing", token, set_type),
          404, nullptr);
  refused(http(app.port(), "POST", "/events/nonsense", "for-pushing", token, set_type), 404, nullptr);

  // Not lost, and not done twice, when the process is killed.
  app.server().kill();
  app.serve();
  CHECK(push(token).status == 202);
  CHECK(push(transmitter.sign("jti-2", "0190aaaa-0000-7000-8000-000000000000")).status == 202);
  CHECK(count(app, "source.event", "sessions_revoked") == 1);
  CHECK(count(app, "source.event", "unknown_subject") == 1);
  const auto unlinked =
      app.api("GET", "/integrations/" + app.integration().id + "/sources/" + source + "/unlinked");
  INFO(unlinked.body);
  REQUIRE(unlinked.status == 200);
  CHECK(unlinked.json.at("items").as_array().size() == 1);
  CHECK(http(app.port(), "GET", "/metrics").body.find("deprov_security_events_total{result=\"taken\"} 1") !=
        std::string::npos);
  const auto all = app.api("GET", "/integrations/" + app.integration().id + "/sources");
  CHECK(all.body.find("for-pushing") == std::string::npos);
  CHECK(app.server().log().find("for-pushing") == std::string::npos);
}

TEST_CASE("events that are fetched are acknowledged, and come to the same", "[e2e][set]") {
  Transmitter transmitter;
  Running app(3);
  const auto secret = app.dir().file("poll-token");
  write_file(secret, "Bearer for-polling");
  add_source(app, "signals",
             {"--jwks-uri", transmitter.url("/keys"), "--poll-url", transmitter.url("/poll"), "--poll-interval",
              "5", "--poll-authorization-file", secret, "--authoritative", "prov:deactivate"});
  app.serve();
  const auto ann = app.add_user("user1");
  const auto bob = app.add_user("user2");
  transmitter.enqueue("a", transmitter.sign("a", ann));
  transmitter.enqueue("b", transmitter.sign("b", bob, "urn:ietf:params:scim:event:prov:deactivate"));
  transmitter.enqueue("c", "no token");
  CHECK(eventually([&] { return transmitter.all_taken(); }));
  CHECK(app.removal_reaches(bob, "succeeded_verified"));
  CHECK(eventually([&] { return count(app, "sessions.unverified") == 1; }));
  CHECK(app.removal(ann).is_null());
  CHECK(app.removal(bob).at("cause") == "deactivated");
}
