#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/policy/preview.hpp>
#include "catch.hpp"

using namespace deprov;
using connector::Operation;
namespace json = boost::json;

namespace {

connector::Description app() {
  connector::Description d;
  for (const auto op : {Operation::find, Operation::disable, Operation::revoke_sessions, Operation::remove})
    d.of(op).supported = true;
  return d;
}

policy::RecordedState team() {
  policy::RecordedState s;
  s.users = {{"u2", "bob", true, true, false, false, {}},
             {"u1", "ann", true, true, false, false, {}},
             {"u3", "cyd", true, false, true, false, idp::Cause::lost_entitling_group},
             {"u4", "dee", false, false, true, false, idp::Cause::deactivated},
             {"u5", "eve", true, false, true, false, idp::Cause::manual}};
  s.groups = {{"g1", "", "Users", {"u1", "g2"}}, {"g2", "", "Nested", {"u3", "g1"}}};
  return s;
}

policy::Policy parsed(const char* text) {
  auto p = policy::parse_policy(json::parse(text));
  REQUIRE(p);
  return std::move(*p);
}

std::vector<std::string> changes(const json::object& preview) {
  std::vector<std::string> out;
  for (const auto& c : preview.at("changes").as_array())
    out.push_back(std::string(c.at("user_name").as_string()) + " " + std::string(c.at("change").as_string()));
  return out;
}

}  // namespace

TEST_CASE("a preview says who would lose and regain access, nested groups counted", "[policy][R1][R22]") {
  const auto p = parsed(R"({"entitling_groups":[{"display_name":"users"}]})");
  const auto shown = policy::preview(p, team(), app());
  CHECK(changes(shown) == std::vector<std::string>{"bob remove", "cyd restore"});
  CHECK(shown.at("counts").at("keep") == 1);
  CHECK(shown.at("counts").at("without") == 2);
  const auto& steps = shown.at("changes").at(0).at("steps").as_array();
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].at("step") == "disable");
  CHECK(changes(policy::preview(parsed("{}"), team(), app())) == std::vector<std::string>{"cyd restore"});
}

TEST_CASE("what was only observed would be done once it is enforced", "[policy][R22]") {
  auto state = team();
  state.users[3].observed = true;
  CHECK(changes(policy::preview(parsed("{}"), state, app())) ==
        std::vector<std::string>{"cyd restore", "dee remove"});
  CHECK(changes(policy::preview(parsed(R"({"mode":"observe"})"), state, app())) ==
        std::vector<std::string>{"cyd restore"});
}

TEST_CASE("who is protected is retained, and who is retained no longer is removed", "[policy][R9][R22]") {
  auto state = team();
  state.users[0].external_id = "e2";  // bob
  state.users[3].retained = true;     // dee
  state.users[3].external_id = "e4";
  const auto groups = std::string(R"("entitling_groups":[{"display_name":"nobody"}])");
  const auto show = [&](const std::string& more, WallTime now = {}) {
    return policy::preview(parsed(("{" + groups + more + "}").c_str()), state, app(), now);
  };
  const auto protects =
      R"(,"protection":{"subjects":[{"external_id":"e2","reason":"x"},{"external_id":"e4","reason":"x"}]})";
  CHECK(changes(show(protects)) == std::vector<std::string>{"ann remove", "bob retained", "dee retained"});
  const auto shown = show(protects);
  const auto& kept = shown.at("changes").at(1);
  CHECK(kept.at("why") == "protected");
  CHECK(kept.at("reason") == "x");
  CHECK(kept.at("rule") == "/protection/subjects/0");
  CHECK(kept.at("until").is_null());
  CHECK(kept.at("steps").as_array().empty());
  CHECK(show(protects).at("counts").at("retained") == 2);
  // The rule that kept dee is gone: setting this policy would remove her.
  CHECK(changes(show("")) == std::vector<std::string>{"ann remove", "bob remove", "dee remove"});
  const auto exempts = R"(,"exemptions":[{"external_id":"e4","reason":"x","until":"2027-01-01T00:00:00Z"}])";
  CHECK(changes(show(exempts, *parse_rfc3339("2026-12-31T00:00:00Z"))) ==
        std::vector<std::string>{"ann remove", "bob remove", "dee retained"});
  CHECK(show(exempts, *parse_rfc3339("2026-12-31T00:00:00Z")).at("changes").at(2).at("until") ==
        "2027-01-01T00:00:00.000Z");
  CHECK(changes(show(exempts, *parse_rfc3339("2027-01-02T00:00:00Z"))) ==
        std::vector<std::string>{"ann remove", "bob remove", "dee remove"});
  // A filter asks for attributes.
  const auto filters = R"(,"protection":{"subjects":[{"filter":"title eq \"Chief\"","reason":"x"}]})";
  CHECK(policy::needs_attributes(parsed(("{" + groups + filters + "}").c_str()).protection));
  CHECK_FALSE(policy::needs_attributes(parsed(("{" + groups + protects + "}").c_str()).protection));
  CHECK(changes(show(filters)).size() == 3);
  state.users[1].attributes = {{"userName", "ann"}, {"title", "Chief"}};
  CHECK(changes(show(filters)) == std::vector<std::string>{"ann retained", "bob remove", "dee remove"});
}

TEST_CASE("equal states give equal bytes, in whatever order they come", "[policy][R22]") {
  auto other = team();
  std::swap(other.users[0], other.users[4]);
  std::swap(other.groups[0], other.groups[1]);
  const auto p = parsed(R"({"entitling_groups":[{"id":"00000000-0000-7000-8000-000000000001"}]})");
  CHECK(json::serialize(policy::preview(p, team(), app())) == json::serialize(policy::preview(p, other, app())));
}

TEST_CASE("a recorded state is what it was, and a wrong one is refused by its place", "[policy][R22]") {
  const auto text = json::serialize(policy::to_json(team()));
  const auto again = policy::parse_state(json::parse(text));
  REQUIRE(again);
  CHECK(json::serialize(policy::to_json(*again)) == text);
  const auto where = [](const char* wrong) { return policy::parse_state(json::parse(wrong)).error().where(); };
  CHECK(where(R"({"users":[{}],"groups":[]})").rfind("/users/0", 0) == 0);
  CHECK(where(R"({"users":[],"groups":[{"id":"g","members":[1]}]})") == "/groups/0/members/0");
}

TEST_CASE("two previews are compared subject by subject", "[policy][R22]") {
  const auto one = policy::preview(parsed(R"({"entitling_groups":[{"display_name":"users"}]})"), team(), app());
  const auto two = policy::preview(
      parsed(
          R"({"entitling_groups":[{"display_name":"users"}],"causes":{"lost_entitling_group":["revoke_sessions"]}})"),
      team(), app());
  const auto three = policy::preview(parsed("{}"), team(), app());
  CHECK(policy::preview_diff(one, one)->at("same") == true);
  const auto steps = policy::preview_diff(one, two);
  REQUIRE(steps);
  CHECK(steps->at("same") == false);
  CHECK(steps->at("different").as_array().size() == 1);
  const auto gone = policy::preview_diff(one, three);
  CHECK(gone->at("only_before").as_array().size() == 1);
  CHECK(policy::preview_diff(json::object{}, one).error().code() == Errc::invalid_argument);
}
