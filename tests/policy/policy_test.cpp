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
  using Steps = std::vector<policy::StepRule>;
  const Steps both{Operation::disable, Operation::revoke_sessions};
  for (const auto cause : {idp::Cause::deactivated, idp::Cause::unassigned, idp::Cause::soft_deleted,
                           idp::Cause::lost_entitling_group, idp::Cause::group_deleted, idp::Cause::manual})
    CHECK(p->steps_for(cause) == both);
  auto deleted = both;
  deleted.push_back({Operation::remove, std::chrono::hours(24 * 30)});
  CHECK(p->steps_for(idp::Cause::hard_deleted) == deleted);
  for (const auto cause : {idp::Cause::suspended, idp::Cause::sessions_revoked})
    CHECK(p->steps_for(cause) == Steps{Operation::revoke_sessions});
  for (const auto& [cause, steps] : policy::default_steps())  // deleting is always opt-in
    for (const auto& s : steps) CHECK_FALSE(s.delete_account);
  CHECK(p->approvals.empty());
  CHECK_FALSE(p->observe);
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
  CHECK(where(R"({"causes":{"deactivated":["fly"]}})") == "/causes/deactivated/0");
  CHECK(where(R"({"causes":{"deactivated":["disable",{"step":"fly"}]}})") == "/causes/deactivated/1/step");
  CHECK(where(R"({"causes":{"deactivated":["disable","disable"]}})") == "/causes/deactivated/1");
  CHECK(where(R"({"causes":{"deactivated":["remove","disable"]}})") == "/causes/deactivated/1");
  CHECK(where(R"({"causes":{"deactivated":["delete","transfer"]}})") == "/causes/deactivated/1");
  CHECK(where(R"({"causes":{"deactivated":[{"step":"disable","after_ms":1}]}})") ==
        "/causes/deactivated/0/after_ms");
  CHECK(where(R"({"causes":{"nonsense":[]}})") == "/causes/nonsense");
  CHECK(where(R"({"approvals":[{"role":"member"}]})") == "/approvals/0/role");
  CHECK(where(R"({"approvals":[{"causes":["bored"]}]})") == "/approvals/0/causes/0");
  CHECK(where(R"({"mode":"wish"})") == "/mode");
  CHECK(where(R"({"roles":[{"group":{"display_name":"A"},"entitlement":"a"}]})") == "/roles/0");
  CHECK(where(R"({"roles":[{"group":{"display_name":"A"},"entitlement":"a","rank":1},
    {"group":{"display_name":"B"},"entitlement":"b","rank":1}]})") == "/roles/1/rank");
  CHECK(where(R"({"roles":[{"group":{"display_name":"A"},"entitlement":"a","rank":1},
    {"group":{"display_name":"B"},"entitlement":"a","rank":2}]})") == "/roles/1/rank");
  CHECK(where(R"({"retry":{"base_ms":5000,"ceiling_ms":10}})") == "/retry/ceiling_ms");
  CHECK(where(R"({"entitling_groups":[{"id":"not-a-uuid-not-a-uuid-not-a-uuid-xxxx"}]})") ==
        "/entitling_groups/0/id");
  CHECK_FALSE(policy::parse_policy(boost::json::parse(R"({"surprise":1})")));
  CHECK_FALSE(policy::parse_policy(boost::json::parse(R"({"entitling_groups":[{"id":"x","display_name":"y"}]})")));
}

TEST_CASE("what is printed is what was parsed", "[policy]") {
  const auto text = R"({"entitling_groups":[{"display_name":"App Users"},{"external_id":"g-1"}],"settle_ms":1500,
    "causes":{"deactivated":["revoke_sessions"],"hard_deleted":["disable",{"step":"delete","after_ms":5000}]},
    "approvals":[{"causes":["manual"],"steps":["delete","remove"],"role":"owner","expires_ms":60000}],"mode":"observe",
    "roles":[{"group":{"display_name":"Admins"},"entitlement":"app-admin","rank":20},
      {"group":{"external_id":"e"},"entitlement":"app-editor","rank":10}],"deadline_ms":60000,"objective_ms":5000,
    "retry":{"base_ms":10,"ceiling_ms":100},"breaker":{"failures":3,"open_ms":50,"open_max_ms":500},
    "lane":{"start_concurrency":4,"max_concurrency":8,"per_second":2.5,"burst":3}})";
  const auto p = policy::parse_policy(boost::json::parse(text));
  REQUIRE(p);
  const auto printed = policy::to_json(*p);
  const auto again = policy::parse_policy(printed);
  REQUIRE(again);
  CHECK(boost::json::serialize(policy::to_json(*again)) == boost::json::serialize(printed));
  CHECK(again->settle == Duration(1500ms));
  using Steps = std::vector<policy::StepRule>;
  CHECK(again->steps_for(idp::Cause::deactivated) == Steps{Operation::revoke_sessions});
  CHECK(again->steps_for(idp::Cause::hard_deleted) == Steps{Operation::disable, {Operation::remove, 5s, true}});
  CHECK(again->observe);
  REQUIRE(again->roles.size() == 2);
  CHECK(again->roles[0].rank == 20);
  CHECK(again->roles[1].group.external_id == "e");
  REQUIRE(again->approvals.size() == 1);
  CHECK(policy::approval_for(again->approvals, idp::Cause::manual, "delete") == again->approvals.data());
  CHECK(policy::approval_for(again->approvals, idp::Cause::manual, "disable") == nullptr);
  CHECK(policy::approval_for(again->approvals, idp::Cause::deactivated, "delete") == nullptr);
  CHECK(again->entitling_groups.size() == 2);
  CHECK(again->lane.per_second == 2.5);
}

TEST_CASE("the published schema is one that the validator understands whole", "[policy]") {
  CHECK(check_json_schema(policy::policy_schema()));
}
