// What a transmitter is answered over HTTP, besides what tests/e2e/events_test.cpp has over sockets.
#include <boost/json/parse.hpp>
#include <deprov/service/event_service.hpp>
#include <optional>
#include "catch.hpp"
#include "engine/sources/receiving.hpp"

using namespace deprov;
using namespace deprov::test;
namespace json = boost::json;

TEST_CASE("a token that cannot be judged now is to come again, and nothing is said against it", "[service][set]") {
  Receiving w(1, {{"jwks_uri", "https://idp.example.com/keys"}});
  service::EventService events(*w.engine);
  const auto push = [&](const std::string& target) {
    service::Request request;
    request.method = "POST";
    request.target = target;
    request.headers = {{"Content-Type", "application/secevent+jwt"}};
    request.body = w.signer.sign(w.claims(session_revoked, Receiving::user(0)));
    std::optional<service::Response> got;
    events.handle(std::move(request), [&](service::Response r) { got = std::move(r); });
    while (!got && w.executor->run_one()) {
    }
    REQUIRE(got);
    return std::move(*got);
  };
  const auto header = [](const service::Response& r, const std::string& name) {
    for (const auto& h : r.headers)
      if (h.name == name) return h.value;
    return std::string{};
  };
  const auto later = push("/events/" + w.source.str());
  CHECK(later.status == 503);
  CHECK(header(later, "Retry-After") == "60");
  CHECK(header(later, "Content-Language") == "en");
  // The codes of RFC 8935 section 2.4 judge a token or its transmitter; here neither is at fault.
  const auto said = json::parse(later.body).as_object();
  CHECK_FALSE(said.contains("err"));
  CHECK_FALSE(said.at("description").as_string().empty());
  const auto nowhere = push("/events/00000000-0000-7000-8000-000000000000");
  CHECK(nowhere.status == 404);
  CHECK_FALSE(json::parse(nowhere.body).as_object().contains("err"));

  w.transmitter.answer = [&](const port::HttpRequest&) { return Transmitter::reply(200, w.signer.jwks()); };
  w.run(std::chrono::minutes(2));
  CHECK(push("/events/" + w.source.str()).status == 202);
}
