#include "faults/scim_app.hpp"
#include <boost/json/serialize.hpp>
#include <stdexcept>
#include <utility>
#include "catch.hpp"

namespace deprov::test {

namespace {
const char* const host = "https://app.example.com";

port::HttpResult failed(port::HttpFailure::Kind kind, bool sent) {
  port::HttpResult r;
  r.failure.kind = kind;
  r.failure.sent = sent;
  r.failure.detail = "as the test wants it";
  return r;
}
port::HttpResult answered(int status, std::string body, std::vector<port::HttpHeader> headers = {}) {
  port::HttpResult r;
  r.response = port::HttpResponse{status, std::move(headers), std::move(body)};
  return r;
}
}  // namespace

void ScimApp::set(Fault fault) {
  fault_ = fault;
  exchanges_ = 0;
}

std::string ScimApp::config() const {
  return json::serialize(json::object{{"base_url", host + app_.client.base},
                                      {"auth", {{"type", "bearer"}, {"token", app_.client.token}}}});
}

AppView ScimApp::view() {
  AppView v;
  v.add = [this](const std::string& name) {
    (void)app_.add("/Users", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name +
                                 R"(","externalId":"ext-)" + name + R"(","active":true})");
  };
  v.active = [this](const std::string& name) {
    const auto found = app_.get("/Users?filter=userName%20eq%20%22" + name + "%22");
    REQUIRE(found.at("/totalResults").to_number<int>() == 1);
    return found.at("/Resources/0/active").as_bool();
  };
  return v;
}

port::HttpResult ScimApp::carry_out(const port::HttpRequest& request) {
  service::Request inner;
  inner.method = request.method;
  inner.target = request.url.substr(std::string(host).size());
  inner.headers = request.headers;
  inner.headers.push_back({"Host", "app.example.com"});
  inner.body = request.body;
  inner.peer = "192.0.2.2";
  const auto reply = app_.raw(std::move(inner));
  return answered(reply.status, reply.text, reply.headers);
}

port::HttpCallId ScimApp::send(port::HttpRequest request, port::UniqueFunction<void(port::HttpResult)> done) {
  using Failure = port::HttpFailure::Kind;
  if (++exchanges_ > 20'000) throw std::runtime_error("the engine asks the app without end");
  const bool now = fault_.at != 0 && (exchanges_ == fault_.at || (fault_.lasts && exchanges_ > fault_.at));
  switch (now ? fault_.kind : Kind::none) {
    case Kind::none: done(carry_out(request)); break;
    case Kind::not_sent: done(failed(Failure::connect, false)); break;
    case Kind::request_lost: done(failed(Failure::timeout, true)); break;
    case Kind::answer_lost:
      (void)carry_out(request);
      done(failed(Failure::broken, true));
      break;
    case Kind::broken_answer:
      (void)carry_out(request);
      done(answered(200, "<html>"));
      break;
    case Kind::unavailable: done(answered(503, "")); break;
    case Kind::throttled: done(answered(429, "", {{"Retry-After", "2"}})); break;
    case Kind::unauthorized: done(answered(401, "")); break;
    case Kind::error:
      (void)carry_out(request);
      done(answered(500, ""));
      break;
  }
  return 0;
}

}  // namespace deprov::test
