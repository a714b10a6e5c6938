#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/connector/json.hpp>
#include <deprov/json_schema.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::connector;

TEST_CASE("a description says what it does not leave to the defaults") {
  CHECK(check_json_schema(description_schema()));
  const auto d = parse_description(std::string_view(
      R"({"id":"wiki","rate":{"per_second":2.5},"operations":{"read":{},"disable":{"reversible":true,
          "idempotency":"by_key","asynchrony":"poll","verification":"read","verification_lag_ms":1500,"dangers":["x"]}}})"));
  REQUIRE(d);
  CHECK(d->name == "wiki");
  CHECK(d->rate.per_second == 2.5);
  CHECK(d->rate.max_concurrency == 16);
  CHECK(d->of(Operation::read).supported);
  CHECK_FALSE(d->of(Operation::enable).supported);
  const auto& disable = d->of(Operation::disable);
  CHECK(disable.idempotency == Idempotency::by_key);
  CHECK(disable.asynchrony == Asynchrony::poll);
  CHECK(disable.verification_lag == std::chrono::milliseconds(1500));
  CHECK(disable.dangers == std::vector<std::string>{"x"});
  for (const auto* wrong :
       {"{", "[]", R"({"id":"wiki"})", R"({"id":"Wiki","operations":{"read":{}}})",
        R"({"id":"wiki","operations":{"fly":{}}})", R"({"id":"wiki","operations":{"read":{"x":1}}})"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_description(std::string_view(wrong)));
  }
}

TEST_CASE("a secret is a member that a config can have, or it would be kept in clear") {
  const auto with = [](const std::string& schema, const std::string& secret) {
    return parse_description(std::string_view(R"({"id":"wiki","operations":{"read":{}},"config_schema":)" +
                                              schema + R"(,"secrets":["token",")" + secret + "\"]}"));
  };
  const std::string closed =
      R"({"type":"object","additionalProperties":false,"properties":{"token":{"type":"string"},
          "auth":{"type":"object","properties":{"key":{"type":"string"}},"additionalProperties":false},
          "more":{"type":"object","additionalProperties":{"type":"string"}},"any":{"type":"object"}}})";
  for (const auto* there : {"auth", "auth.key", "more.x", "any.x.y"}) {
    CAPTURE(there);
    CHECK(with(closed, there));
  }
  CHECK(with(R"({"type":"object"})", "apikey"));
  for (const auto* missing : {"apikey", "auth.kye", "Token"}) {
    CAPTURE(missing);
    const auto refused = with(closed, missing);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().where() == "description/secrets/1");
  }
}

TEST_CASE("accounts survive the way there and back") {
  const auto text =
      R"([{"id":"1","external_id":"x","user_name":"ann","emails":["a@b"],"active":false,"groups":["g"]},
                        {"id":"2"}])";
  const auto accounts = parse_accounts(text, "reply");
  REQUIRE(accounts);
  REQUIRE(accounts->size() == 2);
  CHECK(accounts->at(0).active == false);
  CHECK_FALSE(accounts->at(1).active);
  const auto again = parse_accounts(json::serialize(accounts_json(*accounts)), "reply");
  REQUIRE(again);
  CHECK(accounts_json(*again) == accounts_json(*accounts));
  CHECK(parse_accounts("", "reply")->empty());
  CHECK(parse_accounts(R"([{"id":""}])", "reply").error().where().rfind("reply", 0) == 0);
}

TEST_CASE("a detail is cut between characters") {
  CHECK(cut_detail("short") == "short");
  CHECK(cut_detail(std::string(2000, 'x')).size() == max_detail_bytes);
  CHECK(cut_detail("ab\xC3\xA4", 3) == "ab");
  CHECK(cut_detail("caf\xE9 closed") == "caf\xEF\xBF\xBD closed");
  CHECK(cut_detail("ab\xC3", 4) == "ab");
}
