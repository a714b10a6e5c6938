// What is told of a job that ended.
#include <boost/json/parse.hpp>
#include "catch.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using port::JobState;

namespace {

/// As the end of the removal says it; 0: nothing says it.
double hours_to_deprovision(test::World& w, const engine::Context& c) {
  for (const auto& row : w.activity(c))
    if (row.event == "removal.verified")
      return boost::json::parse(row.detail.value()).at("time_to_deprovision_ms").to_number<double>() / 3'600'000.0;
  return 0;
}

}  // namespace

TEST_CASE("the clock runs from the first evidence, through settling, holding, pausing and retrying",
          "[jobs][R20]") {
  const auto how = GENERATE(as<std::string>(), "settling", "held", "paused", "retrying", "approval");
  CAPTURE(how);
  test::World w;
  const std::string policy =
      how == "settling" ? R"({"settle_ms":7200000,"entitling_groups":[{"display_name":"staff"}]})"
      : how == "held"   ? R"({"guard":{"percent":0,"small":{"below":100,"percent":0,"least":0}}})"
      : how == "approval"
          ? R"({"guard":{"enabled":false},"approvals":[{"role":"owner","steps":["disable"],"expires_ms":86400000}]})"
          : R"({"guard":{"enabled":false}})";
  w.app->add("a1", "ext-ann", "ann");
  const auto c = w.integrate("okta", policy);
  const auto ann = w.add_user(c, "ann");
  const auto staff = w.add_group(c, "staff", {ann});
  w.run(1min);
  const engine::Principal owner{w.workspace, {}, "tester", port::Role::owner};
  const auto id = c->row.scope.integration;
  const auto set = [&](port::IntegrationState state) {
    w.engine->set_integration_state(owner, id, state, [](auto r) { CHECK(r); });
    w.run(1s);
  };
  if (how == "paused") set(port::IntegrationState::paused);
  if (how == "retrying")
    for (int i = 0; i < 12; ++i) w.app->answer(Operation::disable, Outcome::unavailable);
  if (how == "settling") {
    REQUIRE(w.members(c, staff, engine::MemberStep::Kind::remove, {ann}));
  } else {
    REQUIRE(w.set_active(c, ann, false));
  }
  w.run(2h);
  const auto job = [&] { return w.job(c, ann); };
  if (how == "paused") set(port::IntegrationState::active);
  if (how == "approval") {
    REQUIRE(job().state == JobState::awaiting_approval);
    w.engine->approve_job(owner, id, job().id, "seen", [](auto r) { CHECK(r); });
  }
  if (how == "held") {
    REQUIRE(job().state == JobState::held);
    engine::HoldDecision what;
    what.subject = ann;
    what.reason = "seen";
    std::optional<port::HoldRow> hold;
    w.read([&](port::Reader& r) { hold = r.open_hold(c->row.scope).value(); });
    REQUIRE(hold);
    w.engine->decide_hold(owner, id, hold->id, what, [](auto r) { CHECK(r); });
  }
  w.run(12h);
  REQUIRE(job().state == JobState::succeeded_verified);
  const auto took = hours_to_deprovision(w, c);
  CHECK(took >= (how == "retrying" ? 0.5 : 2.0));
  CHECK(took < (how == "retrying" ? 12 : 2.1));
}
