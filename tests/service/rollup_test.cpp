// The one word that an integration is shown with.
#include "catch.hpp"
#include "service/admin_json.hpp"
#include "support/fake_app.hpp"

using namespace deprov;
using namespace std::chrono_literals;
using connector::Operation;
using connector::Outcome;
using engine::MemberStep;
using port::JobKind;
using port::JobState;

namespace {

const char* const roles = R"({"settle_ms":1000,"roles":[
  {"group":{"display_name":"Admins"},"entitlement":"app-admin","rank":20},
  {"group":{"display_name":"Editors"},"entitlement":"app-editor","rank":10}]})";

std::string status(test::World& w, const engine::Context& c) {
  std::string word;
  w.read([&](port::Reader& r) {
    const auto found = service::status_json(r, c->row.scope);
    REQUIRE(found);
    word = std::string(found->at("status").as_string());
  });
  return word;
}

}  // namespace

TEST_CASE("a role that could not be changed is not completed, until a newer change is or access ends",
          "[service][R1]") {
  const bool ends = GENERATE(false, true);
  CAPTURE(ends);
  test::World w;
  w.app->offer({Operation::list_entitlements, Operation::revoke_entitlement, Operation::grant_entitlement});
  w.app->add("a1", "ext-ann", "ann").groups = {"app-admin"};
  const auto c = w.integrate("entra", roles);
  const auto ann = w.add_user(c, "ann");
  const auto admins = w.add_group(c, "Admins", {ann});
  (void)w.add_group(c, "Editors", {ann});
  w.run(1s);
  CHECK(status(w, c) == "completed");
  w.app->answer(Operation::revoke_entitlement, Outcome::invalid_request);
  REQUIRE(w.members(c, admins, MemberStep::Kind::remove, {ann}));
  w.run(1min);
  REQUIRE(w.job(c, ann, JobKind::change_role).state == JobState::failed);
  CHECK(status(w, c) == "not_completed");
  if (ends) {
    REQUIRE(w.set_active(c, ann, false));
  } else {
    REQUIRE(w.members(c, admins, MemberStep::Kind::add, {ann}));
    w.run(1min);
    REQUIRE(w.members(c, admins, MemberStep::Kind::remove, {ann}));
  }
  w.run(1min);
  CHECK(status(w, c) == "completed");
}
