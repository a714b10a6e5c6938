// Clients that sign with their own key: what token endpoints of Entra ID and Okta get to see.
#include "engine/sources/client_assertion.hpp"
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <deprov/crypto/crypto.hpp>
#include <map>
#include <set>
#include "catch.hpp"
#include "support/fake_graph.hpp"
#include "support/fake_okta.hpp"
#include "support/feed_world.hpp"
#include "support/set_signer.hpp"

using namespace deprov;
using namespace std::chrono_literals;
namespace json = boost::json;
using test::FakeGraph;
using test::FakeOkta;
using test::FeedWorld;
using test::SetSigner;
using Kind = SetSigner::Kind;

namespace {

const std::vector<std::string> people = {"ann", "ben", "cid", "dan"};
constexpr long until_2100 = 47'482;

/// What a form says, by name.
std::map<std::string, std::string> fields_of(const std::string& form) {
  std::map<std::string, std::string> out;
  for (std::size_t at = 0; at < form.size();) {
    const auto end = std::min(form.find('&', at), form.size());
    const auto equals = form.find('=', at);
    std::string value;
    for (auto i = equals + 1; i < end; ++i) {
      if (form[i] == '%') {
        value += static_cast<char>(std::stoi(form.substr(i + 1, 2), nullptr, 16));
        i += 2;
      } else {
        value += form[i];
      }
    }
    out[form.substr(at, equals - at)] = value;
    at = end + 1;
  }
  return out;
}

port::HttpResponse oauth_error(const std::string& code) {
  return {401, {}, R"({"error":")" + code + R"(","error_description":"no"})"};
}

/// A token endpoint that knows one client by one key, and looks at everything that it is documented to look at.
struct Endpoint {
  std::string url, client, scope;
  idp::JwkSet keys;
  std::map<std::string, std::string> header;  ///< members that the header must have
  std::function<WallTime()> now;
  std::vector<std::string> refusals;
  std::set<std::string> ids;

  std::optional<port::HttpResponse> operator()(const test::ApiRequest& r) {
    const auto why = look(r);
    if (why.empty()) return std::nullopt;
    refusals.push_back(why);
    return oauth_error("invalid_client");
  }
  std::string look(const test::ApiRequest& r) {
    if (r.method != "POST" || !r.authorization.empty()) return "another way to name oneself";
    auto fields = fields_of(r.body);
    if (fields["grant_type"] != "client_credentials" || fields["scope"] != scope) return "grant or scope";
    if (fields["client_id"] != client || fields.count("client_secret") != 0) return "client";
    if (fields["client_assertion_type"] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") return "type";
    const auto token = idp::parse_compact_jws(fields["client_assertion"]);
    if (!token) return "no JWT";
    for (const auto& [name, value] : header) {
      const auto* v = token->header.if_contains(name);
      if (v == nullptr || !v->is_string() || v->get_string() != value) return "header " + name;
    }
    const auto algorithm = idp::parse_jws_algorithm(json::value_to<std::string>(token->header.at("alg")));
    static const auto crypto = crypto::make_crypto();
    if (!algorithm || !crypto->verify(*algorithm, keys.keys.front(), token->signing_input, token->signature))
      return "signature";
    const auto text = [&](const char* name) {
      const auto* v = token->payload.if_contains(name);
      return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
    };
    if (text("iss") != client || text("sub") != client || text("aud") != url) return "iss, sub or aud";
    if (text("jti").empty() || !ids.insert(text("jti")).second) return "jti";
    const auto seconds = now().micros / 1'000'000;
    const auto exp = token->payload.at("exp").to_number<std::int64_t>();
    const auto iat = token->payload.at("iat").to_number<std::int64_t>();
    if (exp <= seconds || exp > seconds + 600 || iat > seconds) return "times";
    if (header.count("kid") == 0 && token->payload.at("nbf").to_number<std::int64_t>() > seconds) return "nbf";
    return {};
  }
};

const std::string graph_login = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";

struct Tenant {
  FakeGraph graph;
  Endpoint login;
  FeedWorld world;
  Tenant(const SetSigner& signer, json::object auth, std::map<std::string, std::string> header)
      : login{graph_login,
              "c",
              "https://graph.microsoft.com/.default",
              idp::parse_jwks(signer.jwks()).value(),
              std::move(header),
              {},
              {},
              {}},
        world(api(), people, "graph",
              {{"graph", {{"tenant", "contoso.example"}, {"service_principal", "sp1"}}},
               {"auth", std::move(auth)}}) {}
  /// Before there is a world, which asks at once.
  test::Api api() {
    for (const auto& name : people) {
      graph.users["ext-" + name] = FakeGraph::State::enabled;
      graph.assigned.insert("ext-" + name);
    }
    login.now = [this] { return world.clock.wall(); };
    graph.login = [this](const test::ApiRequest& r) { return login(r); };
    return [this](const test::ApiRequest& r) { return graph(r); };
  }
};

struct Org {
  FakeOkta okta;
  Endpoint login;
  FeedWorld world;
  explicit Org(const SetSigner& signer)
      : login{"https://example.okta.com/oauth2/v1/token",
              "0oaclient",
              "okta.apps.read okta.users.read okta.groups.read okta.logs.read",
              idp::parse_jwks(signer.jwks()).value(),
              {{"kid", "key-1"}, {"alg", signer.algorithm()}},
              {},
              {},
              {}},
        world(api(), people, "okta",
              {{"okta", {{"url", "https://example.okta.com"}, {"app", "0oa1"}}},
               {"auth",
                {{"type", "client_credentials"},
                 {"client_id", "0oaclient"},
                 {"private_key", signer.private_pem()},
                 {"key_id", "key-1"}}}}) {}
  test::Api api() {
    for (const auto& name : people) okta.users["ext-" + name] = {};
    okta.now = login.now = [this] { return world.clock.wall(); };
    okta.login = [this](const test::ApiRequest& r) { return login(r); };
    return [this](const test::ApiRequest& r) { return okta(r); };
  }
};

json::object by_certificate(const SetSigner& signer, const SetSigner::Certificate& certificate) {
  return {{"type", "client_credentials"},
          {"client_id", "c"},
          {"private_key", signer.private_pem()},
          {"certificate", certificate.pem}};
}

}  // namespace

TEST_CASE("Entra ID knows a client by its certificate, in both forms that are documented",
          "[engine][polls][graph]") {
  const SetSigner signer(Kind::rsa2048);
  const auto certificate = signer.certificate(until_2100);
  for (const bool older : {false, true}) {
    INFO("older: " << older);
    auto auth = by_certificate(signer, certificate);
    std::map<std::string, std::string> header{{"typ", "JWT"}, {"alg", older ? "RS256" : "PS256"}};
    if (older) {
      auth["algorithm"] = "RS256";
      header["x5t"] = certificate.x5t;
    } else {
      header["x5t#S256"] = certificate.x5t_s256;
    }
    Tenant t(signer, auth, header);
    t.world.run(1min);
    for (const auto& why : t.login.refusals) FAIL_CHECK(why);
    CHECK(t.world.row().users == people.size());
    t.graph.set("ext-ann", FakeGraph::State::disabled);
    t.world.run(2h);  // another token, by another assertion
    CHECK(t.graph.tokens > 1);
    CHECK(t.login.ids.size() == t.graph.tokens);
    CHECK_FALSE(t.world.active("ann"));
    CHECK(t.world.row().failing_since.micros == 0);
    // What is secret of it is not in the clear, neither stored nor told.
    const auto part = signer.private_pem().substr(100, 40);
    CHECK(t.world.row().config.find(part) == std::string::npos);
    CHECK(t.world.row().config.find("BEGIN") == std::string::npos);
    for (const auto& a : t.world.activity(t.world.c))
      CHECK(a.detail.value_or("").find("BEGIN") == std::string::npos);
  }
}

TEST_CASE("a key that Entra ID does not know makes the source fail, and removes nobody",
          "[engine][polls][graph][R16]") {
  const SetSigner signer(Kind::rsa2048), another(Kind::rsa2048);
  const auto certificate = signer.certificate(until_2100);
  Tenant t(another, by_certificate(signer, certificate), {{"alg", "PS256"}});
  t.world.run(1h);
  REQUIRE_FALSE(t.login.refusals.empty());
  CHECK(t.login.refusals.front() == "signature");
  CHECK(t.world.row().failing_since.micros != 0);
  CHECK(t.world.row().failure.find("invalid_client") != std::string::npos);
  CHECK(t.world.disables() == 0);
}

TEST_CASE("Okta knows a client by the id of its key, and gives the scopes that reading needs",
          "[engine][polls][okta]") {
  for (const auto kind : {Kind::rsa2048, Kind::p256}) {
    const SetSigner signer(kind);
    Org o(signer);
    o.world.run(1min);
    for (const auto& why : o.login.refusals) FAIL_CHECK(why);
    CHECK(o.world.row().users == people.size());
    o.okta.deactivate("ext-ann");
    o.world.run(10min);
    CHECK_FALSE(o.world.active("ann"));
    CHECK(o.okta.tokens == 1);
  }
}

TEST_CASE("what is wrong with a client's key is named when the source is added", "[engine][polls]") {
  const SetSigner rsa(Kind::rsa2048), other(Kind::rsa2048), small(Kind::rsa1024), ec(Kind::p256);
  const auto certificate = rsa.certificate(until_2100);
  Tenant t(rsa, by_certificate(rsa, certificate), {{"alg", "PS256"}});
  const auto add = [&](const char* kind, json::object auth) {
    auth["type"] = "client_credentials";
    auth["client_id"] = "c";
    json::object config{{"auth", std::move(auth)}};
    if (kind == std::string("graph"))
      config["graph"] = json::object{{"tenant", "contoso.example"}};
    else
      config["okta"] = json::object{{"url", "https://example.okta.com"}, {"app", "0oa1"}};
    static int n = 0;
    const auto added = t.world.wait<port::SourceRow>([&](auto done) {
      t.world.engine->sources().add(t.world.owner, t.world.c->row.scope.integration,
                                    {"more" + std::to_string(++n), kind, config}, std::move(done));
    });
    if (added) return std::string("added");
    for (const auto* secret : {&rsa, &small, &ec})
      CHECK(added.error().message().find(secret->private_pem().substr(100, 20)) == std::string::npos);
    return added.error().where() + ": " + added.error().detail();
  };
  const auto key = rsa.private_pem();
  CHECK(add("okta", {{"private_key", key}, {"key_id", "k"}}) == "added");
  CHECK(add("graph", {{"private_key", key}}) == "config/auth/certificate: is missing");
  CHECK(add("graph", {{"certificate", certificate.pem}}) ==
        "config/auth/certificate: belongs to a client that signs with its own key");
  CHECK(add("graph", {{"client_auth", "private_key_jwt"}}) == "config/auth/private_key: is missing");
  CHECK(add("okta", {{"private_key", key}, {"client_secret", "s"}}) ==
        "config/auth/client_secret: does not go with a private key");
  CHECK(add("okta", {{"private_key", "hunter2"}}) == "config/auth/private_key: it is no private key in PEM");
  CHECK(add("okta", {{"private_key", rsa.private_pem("pw")}}) ==
        "config/auth/private_key: it is locked by a passphrase");
  CHECK(add("okta", {{"private_key", small.private_pem()}}).find("this one has 1024") != std::string::npos);
  CHECK(add("okta", {{"private_key", ec.private_pem()}, {"algorithm", "RS256"}}) ==
        "config/auth/algorithm: the private key is none for RS256");
  CHECK(add("graph", {{"private_key", key}, {"certificate", "hunter2"}}) ==
        "config/auth/certificate: it is no certificate in PEM");
  CHECK(add("graph", {{"private_key", key}, {"certificate", other.certificate(until_2100).pem}}) ==
        "config/auth/certificate: it is not that of the private key");
  CHECK(add("graph", {{"private_key", key}, {"certificate", rsa.certificate(365).pem}}) ==
        "config/auth/certificate: it ended at 1971-01-01T00:00:00.000Z");
}
