// Access tokens that are bound to a key (RFC 9449), as Okta wants them of service apps.
#include "engine/sources/dpop.hpp"
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <deprov/crypto/crypto.hpp>
#include <set>
#include "catch.hpp"
#include "support/fake_okta.hpp"
#include "support/feed_world.hpp"
#include "support/set_signer.hpp"

using namespace deprov;
using namespace std::chrono_literals;
namespace json = boost::json;
using test::FakeOkta;
using test::FeedWorld;
using test::SetSigner;

namespace {

const port::Crypto& openssl() {
  static const auto crypto = crypto::make_crypto();
  return *crypto;
}

std::string digest64(std::string_view text) {
  const auto digest = openssl().sha256(port::bytes_of(text));
  return idp::encode_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

port::HttpResponse challenge(int status, const std::string& code, const std::string& nonce) {
  port::HttpResponse r{status, {}, R"({"error":")" + code + R"(","error_description":"no"})"};
  if (!nonce.empty()) r.headers.push_back({"dpop-nonce", nonce});
  if (status == 401) {
    r.headers.push_back({"WWW-Authenticate", R"(DPoP algs="RS256 ES256", error=")" + code + "\""});
    r.body = "{}";
  }
  return r;
}

/// Both servers of an org that wants a proof with each request, and looks at it as section 4.3 says.
struct ProvingOrg {
  FakeOkta okta;
  std::string at_login = "n0", at_api;  ///< nonces that are wanted; empty: none
  std::string key;                      ///< the thumbprint of the one that was first shown
  std::set<std::string> ids;
  std::vector<std::string> refusals;
  std::size_t logins = 0;
  FeedWorld world;

  explicit ProvingOrg(const SetSigner& signer, json::object more = {})
      : world(api(), {"ann", "ben", "cid", "dan"}, "okta", config(signer, std::move(more))) {}

  static json::object config(const SetSigner& signer, json::object more) {
    json::object auth{{"type", "client_credentials"},
                      {"client_id", "0oaclient"},
                      {"private_key", signer.private_pem()},
                      {"key_id", "key-1"}};
    for (auto& [name, value] : more) auth[name] = value;
    return {{"okta", {{"url", "https://example.okta.com"}, {"app", "0oa1"}}}, {"auth", std::move(auth)}};
  }
  test::Api api() {
    for (const auto* name : {"ann", "ben", "cid", "dan"}) okta.users[std::string("ext-") + name] = {};
    okta.token_type = "DPoP";
    okta.now = [this] { return world.clock.wall(); };
    okta.login = [this](const test::ApiRequest& r) -> std::optional<port::HttpResponse> {
      ++logins;
      return judge(r, at_login, 400);
    };
    okta.fault = [this](const test::ApiRequest& r, std::size_t) { return judge(r, at_api, 401); };
    return [this](const test::ApiRequest& r) { return okta(r); };
  }
  std::optional<port::HttpResponse> judge(const test::ApiRequest& r, const std::string& nonce, int status) {
    if (okta.token_type != "DPoP") return std::nullopt;
    const auto why = look(r, status == 401);
    if (!why.empty()) {
      refusals.push_back(why);
      return challenge(status, "invalid_dpop_proof", {});
    }
    if (!nonce.empty() && text(r, "nonce") != nonce) return challenge(status, "use_dpop_nonce", nonce);
    return std::nullopt;
  }
  static std::string text(const test::ApiRequest& r, const char* name) {
    const auto token = idp::parse_compact_jws(r.dpop);
    const auto* v = token ? token->payload.if_contains(name) : nullptr;
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
  }
  std::string look(const test::ApiRequest& r, bool with_token) {
    const auto token = idp::parse_compact_jws(r.dpop);
    if (!token) return "no proof";
    if (token->header.at("typ") != "dpop+jwt" || token->header.at("alg") != "ES256") return "typ or alg";
    const auto& jwk = token->header.at("jwk").as_object();
    if (jwk.contains("d")) return "the private key is shown";
    const auto keys = idp::parse_jwks(json::object{{"keys", json::array{jwk}}});
    if (!keys || keys->keys.size() != 1) return "jwk";
    if (!openssl().verify(idp::JwsAlgorithm::es256, keys->keys.front(), token->signing_input, token->signature))
      return "signature";
    const auto shown = json::serialize(jwk);
    if (key.empty()) key = shown;
    if (key != shown) return "another key";
    if (text(r, "htm") != r.method || text(r, "htu") != r.url.substr(0, r.url.find('?'))) return "htm or htu";
    if (text(r, "jti").empty() || !ids.insert(text(r, "jti")).second) return "jti";
    if (token->payload.at("iat").to_number<std::int64_t>() != world.clock.wall().micros / 1'000'000) return "iat";
    const std::string scheme = "DPoP ";
    if (with_token && (!r.authorization.starts_with(scheme) ||
                       text(r, "ath") != digest64(std::string_view(r.authorization).substr(scheme.size()))))
      return "ath";
    if (!with_token && token->payload.contains("ath")) return "ath where there is no token";
    return {};
  }
};

}  // namespace

TEST_CASE("tokens that Okta binds to a key are asked for with a proof, and used with one",
          "[engine][polls][okta][dpop]") {
  const SetSigner signer(SetSigner::Kind::rsa2048);
  ProvingOrg o(signer);
  o.world.run(1min);
  for (const auto& why : o.refusals) FAIL_CHECK(why);
  CHECK(o.world.row().failing_since.micros == 0);
  CHECK(o.world.row().users == 4);
  CHECK(o.okta.tokens == 1);
  CHECK(o.logins == 2);  // the nonce is what the first one is told
  CHECK(o.key.find(signer.jwk().at("n").as_string().c_str()) == std::string::npos);
  o.okta.deactivate("ext-ann");
  o.world.run(10min);
  CHECK_FALSE(o.world.active("ann"));
  CHECK(o.okta.tokens == 1);
  // Another nonce, at either of them, costs one request more, and nothing else.
  o.at_api = "n1";
  o.at_login = "n2";
  o.okta.deactivate("ext-ben");
  o.world.run(3h);
  CHECK_FALSE(o.world.active("ben"));
  CHECK(o.world.row().failing_since.micros == 0);
  CHECK(o.refusals.empty());
  CHECK(o.world.disables() == 2);
}

TEST_CASE("an org that does not bind tokens gives others, which are taken unless the config wants bound ones",
          "[engine][polls][okta][dpop]") {
  const SetSigner signer(SetSigner::Kind::rsa2048);
  for (const bool wanted : {false, true}) {
    ProvingOrg o(signer, wanted ? json::object{{"dpop", true}} : json::object{});
    o.okta.token_type = "Bearer";
    o.world.run(10min);
    CHECK((o.world.row().failing_since.micros != 0) == wanted);
    if (wanted) CHECK(o.world.row().failure.find("auth.dpop") != std::string::npos);
  }
  ProvingOrg o(signer, {{"dpop", false}});
  o.world.run(10min);
  CHECK(o.refusals.front() == "no proof");
  CHECK(o.world.row().failure.find("invalid_dpop_proof") != std::string::npos);
  CHECK(o.world.disables() == 0);
}

TEST_CASE("a server that wants another nonce each time, or none that may be, is not asked for ever",
          "[engine][polls][okta][dpop][R6]") {
  const SetSigner signer(SetSigner::Kind::rsa2048);
  for (const bool at_api : {false, true}) {
    ProvingOrg o(signer);
    o.world.run(1min);
    REQUIRE(o.world.row().failing_since.micros == 0);
    std::size_t asked = 0;
    const auto endless = [&](const test::ApiRequest&) -> std::optional<port::HttpResponse> {
      return challenge(at_api ? 401 : 400, "use_dpop_nonce", "x" + std::to_string(++asked));
    };
    if (at_api) o.okta.fault = [&](const test::ApiRequest& r, std::size_t) { return endless(r); };
    if (!at_api) o.okta.login = endless;
    if (!at_api)
      o.okta.fault = [](const test::ApiRequest&, std::size_t) { return challenge(401, "invalid_token", ""); };
    REQUIRE_FALSE(o.world.poll());
    CHECK(asked >= 2);
    CHECK(asked <= 6);
    CHECK(o.world.row().failing_since.micros != 0);
    CHECK(o.world.disables() == 0);
  }
}

TEST_CASE("a nonce is kept for the server that gave it, where it may stand in a proof", "[engine][dpop]") {
  engine::DpopProver prover(openssl());
  const auto now = WallTime{1'700'000'000'000'000};
  const auto nonce = [&](const char* url) {
    const auto proof = idp::parse_compact_jws(prover.proof("GET", url, "t", "id", now).value());
    const auto* v = proof->payload.if_contains("nonce");
    return v != nullptr ? std::string(v->as_string()) : std::string("none");
  };
  const auto answer = [&](int status, const std::string& value, const char* body) {
    idp::FeedResponse r;
    r.status = status;
    r.body = body;
    r.headers.push_back({"DPoP-Nonce", value});
    return prover.answered("https://a.example.com/token", r);
  };
  CHECK(nonce("https://a.example.com/x") == "none");
  CHECK(answer(400, "one", R"({"error":"use_dpop_nonce"})"));
  CHECK(nonce("https://a.example.com/x") == "one");
  CHECK(nonce("https://b.example.com/x") == "none");
  CHECK_FALSE(answer(400, "one", R"({"error":"use_dpop_nonce"})"));  // it had that one
  CHECK_FALSE(answer(200, "two", "{}"));
  CHECK(nonce("https://a.example.com/y") == "two");
  CHECK_FALSE(answer(400, "three", R"({"error":"invalid_client"})"));
  for (const std::string bad : {"", "a b", "a\"b", "a\\b", "a\nb"})
    CHECK_FALSE(answer(400, bad, R"({"error":"use_dpop_nonce"})"));
  CHECK_FALSE(answer(400, std::string(2000, 'x'), R"({"error":"use_dpop_nonce"})"));
  CHECK(nonce("https://a.example.com/y") == "three");
  // RFC 9449 section 4.2: without query and fragment.
  const auto proof =
      idp::parse_compact_jws(prover.proof("GET", "https://a.example.com/x?y=1#z", "t", "id", now).value());
  CHECK(proof->payload.at("htu") == "https://a.example.com/x");
  CHECK(std::string(proof->payload.at("ath").as_string()) == digest64("t"));
}
