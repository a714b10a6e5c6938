#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/policy/policy.hpp>
#include "catch.hpp"

using namespace deprov;
namespace json = boost::json;
using policy::Retention;

namespace {
policy::Policy protecting(const char* text) {
  auto p = policy::parse_policy(json::parse(text));
  if (!p) FAIL(p.error().message() << " at " << p.error().where());
  return std::move(*p);
}
const ResourceId ann = *ResourceId::parse("01900000-0000-7000-8000-000000000001");
const WallTime now = *parse_rfc3339("2026-11-24T12:00:00Z");

std::optional<Retention> ask(const policy::Policy& p, const char* document, std::string_view external = "e1") {
  const auto value = json::parse(document);
  return policy::retained(p.protection, {ann, external, &value.get_object()}, now);
}
}  // namespace

TEST_CASE("subjects are protected by id, external id, role and filter", "[policy][R9]") {
  const char* user = R"({"userName":"ann","title":"CEO","roles":[{"value":"Break-Glass"}]})";
  CHECK_FALSE(ask(protecting("{}"), user));
  const auto by_id = protecting(
      R"({"protection":{"subjects":[{"id":"01900000-0000-7000-8000-000000000001","reason":"board","review":"2027-01-01T00:00:00Z"}]}})");
  const auto r = ask(by_id, user);
  REQUIRE(r);
  CHECK(r->kind == Retention::Kind::protected_subject);
  CHECK(r->reason == "board");
  CHECK(r->rule == "/protection/subjects/0");
  REQUIRE(r->until);
  CHECK(to_rfc3339(*r->until) == "2027-01-01T00:00:00.000Z");
  CHECK(ask(protecting(R"({"protection":{"subjects":[{"external_id":"e1","reason":"x"}]}})"), user));
  CHECK_FALSE(ask(protecting(R"({"protection":{"subjects":[{"external_id":"E1","reason":"x"}]}})"), user));
  CHECK(ask(protecting(R"({"protection":{"subjects":[{"role":"break-glass","reason":"x"}]}})"), user));
  CHECK_FALSE(ask(protecting(R"({"protection":{"subjects":[{"role":"glass","reason":"x"}]}})"), user));
  const auto by_filter = protecting(R"({"protection":{"subjects":[{"filter":"title eq \"ceo\"","reason":"x"}]}})");
  CHECK(ask(by_filter, user));
  CHECK_FALSE(ask(by_filter, R"({"userName":"ann"})"));
  // A review date is a reminder: the protection goes on.
  CHECK(ask(
      protecting(
          R"({"protection":{"subjects":[{"role":"break-glass","reason":"x","review":"2020-01-01T00:00:00Z"}]}})"),
      user));
}

TEST_CASE("an exemption ends by its date", "[policy][R9]") {
  const char* user = R"({"userName":"ann"})";
  const auto open =
      ask(protecting(
              R"({"exemptions":[{"external_id":"e1","reason":"handover","until":"2026-11-24T12:00:00.001Z"}]})"),
          user);
  REQUIRE(open);
  CHECK(open->kind == Retention::Kind::exempt);
  CHECK(open->rule == "/exemptions/0");
  CHECK_FALSE(ask(
      protecting(R"({"exemptions":[{"external_id":"e1","reason":"handover","until":"2026-11-24T12:00:00Z"}]})"),
      user));
}

TEST_CASE("protection and exemptions say where they are wrong", "[policy][R9]") {
  const auto where = [](const char* text) {
    const auto p = policy::parse_policy(json::parse(text));
    REQUIRE_FALSE(p);
    CHECK(p.error().code() == Errc::invalid_argument);
    return p.error().where();
  };
  CHECK(where(R"({"protection":{"subjects":[{"reason":"x"}]}})") == "/protection/subjects/0");
  CHECK(where(R"({"protection":{"subjects":[{"role":"a","external_id":"b","reason":"x"}]}})") ==
        "/protection/subjects/0");
  CHECK(where(R"({"protection":{"subjects":[{"role":"a"}]}})") == "/protection/subjects/0");
  CHECK(where(R"({"protection":{"subjects":[{"filter":"title eq","reason":"x"}]}})") ==
        "/protection/subjects/0/filter");
  CHECK(where(R"({"protection":{"subjects":[{"filter":"titel eq \"x\"","reason":"x"}]}})") ==
        "/protection/subjects/0/filter");
  CHECK(where(R"({"protection":{"subjects":[{"role":"a","reason":"x","review":"soon"}]}})") ==
        "/protection/subjects/0/review");
  CHECK(where(R"({"exemptions":[{"role":"a","reason":"x"}]})") == "/exemptions/0");
  CHECK(where(R"({"exemptions":[{"role":"a","reason":"x","until":"2027-13-01T00:00:00Z"}]})") ==
        "/exemptions/0/until");
  CHECK(where(R"({"protection":{"accounts":[{"id":"svc"}]}})") == "/protection/accounts/0");
}

TEST_CASE("a protection comes back as it was, and so does what it retained", "[policy][R9]") {
  const auto p =
      protecting(R"({"protection":{"subjects":[{"role":"a","reason":"x","review":"2027-01-01T00:00:00Z"},
      {"filter":"title pr","reason":"y"}],"accounts":[{"id":"svc","reason":"ours"}],"owner_group":"owners"},
      "exemptions":[{"external_id":"e","reason":"z","until":"2027-02-01T00:00:00Z"}]})");
  const auto document = policy::to_json(p);
  const auto again = policy::parse_policy(document);
  REQUIRE(again);
  CHECK(policy::to_json(*again) == document);
  for (const auto kind :
       {Retention::Kind::protected_subject, Retention::Kind::exempt, Retention::Kind::kept_by_decision}) {
    const Retention r{kind, "why", "/x/0", now, "principal:1"};
    const auto back = policy::parse_retention(json::serialize(policy::to_json(r)));
    REQUIRE(back);
    CHECK(back->kind == kind);
    CHECK(back->reason == "why");
    CHECK(back->rule == "/x/0");
    CHECK(back->by == "principal:1");
    REQUIRE(back->until);
    CHECK(*back->until == now);
  }
  CHECK_FALSE(policy::parse_retention("{}"));
}
