#include <algorithm>
#include <deprov/json_schema.hpp>
#include "scim_fixture.hpp"

using namespace deprov::test;
using deprov::Errc;

namespace {

/// Where a configuration is refused, or "good".
std::string refused_at(const char* text) {
  Bench b;
  const auto r = b.open("scim", json::parse(text).as_object());
  if (r) return "good";
  CHECK(r.error().code() == Errc::invalid_argument);
  CHECK(r.error().message().find("hunter2") == std::string::npos);
  return r.error().where();
}

}  // namespace

TEST_CASE("the schemas of all connectors are understood whole, and name their secrets") {
  const auto kinds = deprov::builtin_connectors();
  CHECK(kinds.size() == 3);
  for (const auto& [id, kind] : kinds) {
    INFO(id);
    CHECK(kind->describe().id == id);
    CHECK(deprov::check_json_schema(kind->describe().config_schema));
  }
  const auto& secrets = kinds.at("scim")->describe().secret_paths;
  for (const std::string path :
       {"auth.token", "auth.password", "auth.value", "auth.client_secret", "proxy.password", "headers"})
    CHECK(std::count(secrets.begin(), secrets.end(), path) == 1);
}

TEST_CASE("scim: good configurations") {
  CHECK(refused_at(R"({"base_url":"https://a.example/scim/v2/"})") == "good");
  CHECK(refused_at(R"({"base_url":"http://127.0.0.1:8080","allow_http":true,"auth":{"type":"none"}})") == "good");
  CHECK(refused_at(R"({"base_url":"https://a.example","auth":{"type":"header","name":"X-Api-Key","value":"k"},
      "headers":{"X-Tenant":"t"},"proxy":{"url":"http://p:3128","user":"u","password":"p"},"timeout_s":2.5,
      "rate":{"per_second":10,"burst":5,"max_concurrency":4},"verification_lag_s":3,"page_size":50})") == "good");
}

TEST_CASE("scim: bad configurations are refused at the member, without its value") {
  CHECK(refused_at(R"({})").empty());
  CHECK(refused_at(R"({"base_url":"a.example"})") == "/base_url");
  CHECK(refused_at(R"({"base_url":"http://a.example"})") == "/base_url");
  CHECK(refused_at(R"({"base_url":"ftp://a.example","allow_http":true})") == "/base_url");
  CHECK(refused_at(R"({"base_url":"https://me:hunter2@a.example"})") == "/base_url");
  CHECK(refused_at(R"({"base_url":"https://a.example/?x=hunter2"})") == "/base_url");
  CHECK(refused_at(R"({"base_url":"https://a.example/#x"})") == "/base_url");
  // What is checked is what is called: a host that begins like an address is not that address.
  CHECK(refused_at(R"({"base_url":"http://127.0.0.1.example.com/"})") == "/base_url");
  CHECK(refused_at(R"({"base_url":"http://127.0.0.1.example.com/","allow_http":true})") == "/base_url");
  CHECK(refused_at(R"({"base_url":"https://10.0.0.1me:hunter2@a.example/"})") == "/base_url");
  CHECK(refused_at(R"({"base_url":"https://a","auth":{"type":"bearer","token":"hunter2 \n"}})") == "/auth/token");
  CHECK(refused_at(R"({"base_url":"https://a","auth":{"type":"bearer"}})") == "/auth");
  CHECK(refused_at(R"({"base_url":"https://a","auth":{"type":"basic","user":"a:b","password":"hunter2"}})") ==
        "/auth/user");
  CHECK(refused_at(
            R"({"base_url":"https://a","auth":{"type":"header","name":"Content-Length","value":"hunter2"}})") ==
        "/auth/name");
  CHECK(
      refused_at(
          R"({"base_url":"https://a","auth":{"type":"oauth2_client_credentials","token_url":"http://a/t","client_id":"i","client_secret":"hunter2"}})") ==
      "/auth/token_url");
  CHECK(refused_at(R"({"base_url":"https://a","headers":{"X Y":"hunter2"}})") == "/headers/X Y");
  CHECK(refused_at(R"({"base_url":"https://a","headers":{"X":"hunter2\r\nY: z"}})") == "/headers/X");
  CHECK(refused_at(R"({"base_url":"https://a","ca_file":"/x","ca_pem":"y"})") == "/ca_pem");
  CHECK(refused_at(R"({"base_url":"https://a:99999"})") == "/base_url");
  CHECK(refused_at(R"({"base_url":"https://a","proxy":{"url":"socks5://p"}})") == "/proxy/url");
  CHECK(refused_at(R"({"base_url":"https://a","timeout_s":0})") == "/timeout_s");
  CHECK(refused_at(R"({"base_url":"https://a","page_size":0})") == "/page_size");
  CHECK(refused_at(R"({"base_url":"https://a","bas_url":"x"})") == "/bas_url");
}

TEST_CASE("scim: headers, basic credentials, limits and lag are what was configured") {
  Bench b;
  const TestServer s([](const ServerRequest&) { return respond(204); });
  const auto c = open(b, {{"base_url", s.url()},
                          {"allow_http", true},
                          {"auth", {{"type", "basic"}, {"user", "Aladdin"}, {"password", "open sesame"}}},
                          {"headers", {{"X-Tenant", "t1"}}},
                          {"verification_lag_s", 3},
                          {"rate", {{"per_second", 10}, {"max_concurrency", 4}}}});
  check_outcome(Bench::call(*c, make_call(Operation::disable, "1")), Outcome::ok);
  CHECK(s.requests().at(0).header("authorization") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(s.requests()[0].header("x-tenant") == "t1");
  CHECK(c->describe().rate.per_second == 10);
  CHECK(c->describe().rate.max_concurrency == 4);
  CHECK(c->describe().of(Operation::disable).verification_lag == std::chrono::seconds(3));
}

TEST_CASE("scim: a proxy is used with its own credential, which no detail shows") {
  Bench b;
  const TestServer proxy([](const ServerRequest& r) {
    return respond(r.header("proxy-authorization") == "Basic dTpodW50ZXIy" ? 204 : 407);
  });
  json::object config{{"base_url", "http://app.invalid/scim"},
                      {"allow_http", true},
                      {"me", false},
                      {"proxy", {{"url", proxy.url()}, {"user", "u"}, {"password", "hunter2"}}}};
  check_outcome(Bench::call(*open(b, config), make_call(Operation::disable, "1")), Outcome::ok);
  CHECK(proxy.requests().at(0).target == "http://app.invalid/scim/Users/1");
  config["proxy"].as_object()["password"] = "wrong";
  const auto r = Bench::call(*open(b, config), make_call(Operation::disable, "1"));
  check_outcome(r, Outcome::not_sent);
  CHECK(r.detail.find("407") != std::string::npos);
}
