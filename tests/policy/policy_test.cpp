#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/policy/policy.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;

TEST_CASE("an empty document is the default policy", "[policy][R2]") {
  const auto p = policy::parse_policy(boost::json::object{});
  REQUIRE(p);
  CHECK(p->entitling_groups.empty());
  CHECK(p->settle == Duration(60s));
  CHECK(p->deadline == Duration(std::chrono::hours(24 * 28)));
  CHECK(p->retry.base == Duration(2s));
  CHECK(p->retry.ceiling == Duration(6h));
  CHECK(p->lane.start_concurrency == 2);
  const std::vector<Operation> both{Operation::disable, Operation::revoke_sessions};
  CHECK(p->steps_for(idp::Cause::deactivated) == both);
  CHECK(p->steps_for(idp::Cause::hard_deleted) == both);
  CHECK(p->steps_for(idp::Cause::suspended) == std::vector<Operation>{Operation::revoke_sessions});
  CHECK(p->steps_for(idp::Cause::restored).empty());
}

TEST_CASE("a policy says where it is wrong", "[policy]") {
  const auto where = [](const char* text) {
    const auto p = policy::parse_policy(boost::json::parse(text));
    REQUIRE_FALSE(p);
    CHECK(p.error().code() == Errc::invalid_argument);
    return p.error().where();
  };
  CHECK(where("[]").empty());
  CHECK(where(R"({"settle_ms":"60"})") == "/settle_ms");
  CHECK(where(R"({"settle_ms":-1})") == "/settle_ms");
  CHECK(where(R"({"causes":{"deactivated":["delete"]}})") == "/causes/deactivated/0");
  CHECK(where(R"({"retry":{"base_ms":5000,"ceiling_ms":10}})") == "/retry/ceiling_ms");
  CHECK(where(R"({"entitling_groups":[{"id":"not-a-uuid-not-a-uuid-not-a-uuid-xxxx"}]})") ==
        "/entitling_groups/0/id");
  CHECK_FALSE(policy::parse_policy(boost::json::parse(R"({"surprise":1})")));
  CHECK_FALSE(policy::parse_policy(boost::json::parse(R"({"entitling_groups":[{"id":"x","display_name":"y"}]})")));
}

TEST_CASE("what is printed is what was parsed", "[policy]") {
  const auto text = R"({"entitling_groups":[{"display_name":"App Users"},{"external_id":"g-1"}],"settle_ms":1500,
    "causes":{"deactivated":["revoke_sessions"]},"deadline_ms":60000,"objective_ms":5000,
    "retry":{"base_ms":10,"ceiling_ms":100},"breaker":{"failures":3,"open_ms":50,"open_max_ms":500},
    "lane":{"start_concurrency":4,"max_concurrency":8,"per_second":2.5,"burst":3}})";
  const auto p = policy::parse_policy(boost::json::parse(text));
  REQUIRE(p);
  const auto printed = policy::to_json(*p);
  const auto again = policy::parse_policy(printed);
  REQUIRE(again);
  CHECK(boost::json::serialize(policy::to_json(*again)) == boost::json::serialize(printed));
  CHECK(again->settle == Duration(1500ms));
  CHECK(again->steps_for(idp::Cause::deactivated) == std::vector<Operation>{Operation::revoke_sessions});
  CHECK(again->entitling_groups.size() == 2);
  CHECK(again->lane.per_second == 2.5);
}

TEST_CASE("the published schema is one that the validator understands whole", "[policy]") {
  CHECK(check_json_schema(policy::policy_schema()));
}
