#include <deprov/policy/plan.hpp>
#include "catch.hpp"

using namespace deprov;
using connector::Operation;
using policy::StepKind;
using policy::StepState;

namespace {
connector::Description app_with(std::initializer_list<Operation> ops) {
  connector::Description d;
  for (const auto op : ops) d.of(op).supported = true;
  return d;
}
}  // namespace

TEST_CASE("a removal finds, acts in order, and reads back", "[policy][R3]") {
  const auto app = app_with({Operation::find, Operation::disable, Operation::revoke_sessions, Operation::read});
  const auto plan = policy::plan_removal({}, idp::Cause::deactivated, app);
  REQUIRE(plan.steps.size() == 4);
  CHECK(plan.steps[0].kind == StepKind::find);
  CHECK(plan.steps[1].operation == Operation::disable);
  CHECK(plan.steps[2].operation == Operation::revoke_sessions);
  CHECK(plan.steps[3].kind == StepKind::verify);
  CHECK(plan.next() == 0U);
  CHECK_FALSE(plan.acted());
}

TEST_CASE("what the app does not offer is not planned, and its order is kept", "[policy][R3]") {
  auto app = app_with({Operation::find, Operation::disable, Operation::read});
  CHECK(policy::plan_removal({}, idp::Cause::deactivated, app).steps.size() == 3);
  app = app_with({Operation::disable, Operation::revoke_sessions});
  app.revoke_before_disable = true;
  const auto plan = policy::plan_removal({}, idp::Cause::deactivated, app);
  CHECK(plan.steps[1].operation == Operation::revoke_sessions);
  CHECK(plan.steps[2].operation == Operation::disable);
}

TEST_CASE("a plan that only revokes sessions does not wait to see the account disabled", "[policy][R2]") {
  const auto app = app_with({Operation::find, Operation::revoke_sessions, Operation::read});
  const auto plan = policy::plan_removal({}, idp::Cause::suspended, app);
  REQUIRE(plan.steps.size() == 2);
  CHECK(plan.steps[1].operation == Operation::revoke_sessions);
}

TEST_CASE("what cannot be undone comes after the end of access was seen, each after its grace",
          "[policy][R2][R3]") {
  auto app = app_with({Operation::disable, Operation::revoke_sessions, Operation::remove, Operation::read});
  app.of(Operation::remove).verification = connector::Verification::read;
  policy::Policy p;
  p.steps[idp::Cause::deactivated] = {Operation::disable,
                                      Operation::revoke_sessions,
                                      Operation::transfer,
                                      {Operation::remove, std::chrono::hours(1)},
                                      {Operation::remove, std::chrono::hours(2), true}};
  p.approvals.push_back({{}, {"delete"}, "owner", std::chrono::hours(3)});
  const auto plan = policy::plan_removal(p, idp::Cause::deactivated, app);
  REQUIRE(plan.steps.size() == 7);  // the app has no transfer
  CHECK(plan.steps[3].kind == StepKind::verify);
  CHECK(plan.steps[4].operation == Operation::remove);
  CHECK_FALSE(plan.steps[4].delete_account);
  CHECK(plan.steps[4].grace == std::chrono::hours(1));
  CHECK(plan.steps[4].approval.empty());
  CHECK(policy::step_name(plan.steps[5]) == "delete");
  CHECK(plan.steps[5].approval == "owner");
  CHECK(plan.steps[5].approval_expires == std::chrono::hours(3));
  CHECK(plan.steps[6].kind == StepKind::verify);
  CHECK(plan.is_final());
  CHECK_FALSE(policy::plan_removal({}, idp::Cause::deactivated, app).is_final());
  CHECK(policy::plan_removal({}, idp::Cause::hard_deleted, app).is_final());
}

TEST_CASE("a plan survives being stored", "[policy]") {
  const auto app = app_with({Operation::disable, Operation::revoke_sessions, Operation::read});
  auto plan = policy::plan_removal({}, idp::Cause::deactivated, app);
  plan.steps[0].state = StepState::done;
  plan.steps[1].state = StepState::sent;
  plan.steps[1].attempts = 3;
  plan.steps[1].outcome = connector::Outcome::unknown_outcome;
  plan.steps[1].detail = "no answer \"in time\"";
  plan.steps[2].state = StepState::accepted;
  plan.steps[2].handle = "op/7";
  plan.steps[2].grace = std::chrono::hours(5);
  plan.steps[2].delete_account = true;
  plan.steps[2].not_before = {1'700'000'000'123'000};
  plan.steps[2].approval = "owner";
  plan.steps[2].approval_expires = std::chrono::hours(1);
  plan.steps[2].approved_until = {1'700'000'000'456'000};
  plan.secured = {1'700'000'000'789'000};
  const auto text = policy::to_text(plan);
  const auto again = policy::parse_plan(text);
  REQUIRE(again);
  CHECK(policy::to_text(*again) == text);
  CHECK(again->next() == 1U);
  CHECK(again->acted());
  CHECK(again->steps[1].outcome == connector::Outcome::unknown_outcome);
  CHECK(again->steps[2].handle == "op/7");
  CHECK(again->steps[2].not_before == plan.steps[2].not_before);
  CHECK(again->steps[2].approved_until == plan.steps[2].approved_until);
  CHECK(again->secured == plan.secured);
}

TEST_CASE("a damaged plan is refused", "[policy]") {
  for (const char* text : {"", "[]", "{}", R"({"steps":1})", R"({"steps":[1]})", R"({"steps":[{"kind":"find"}]})",
                           R"({"steps":[{"kind":"find","state":"pending","operation":"fly"}]})"}) {
    const auto plan = policy::parse_plan(text);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code() == Errc::store_corrupt);
  }
}
