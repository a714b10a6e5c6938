#include <deprov/scim/index_plan.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {

std::string terms(std::string_view text) {
  std::string out;
  for (const auto& t : index_terms(parse_filter(text).value())) {
    out += (out.empty() ? "" : ", ") + std::to_string(static_cast<int>(t.field)) + "=" + t.value;
    if (t.rest) out += " if " + to_string(*t.rest);
  }
  return out;
}

RowQuestions asked(std::string_view text) { return row_questions(parse_filter(text).value(), "members"); }

}  // namespace

TEST_CASE("which terms answer a filter together") {
  CHECK(terms(R"(userName eq "a")") == "2=a");
  CHECK(terms(R"(active eq true and userName eq "a")") == "2=a if active eq true");
  CHECK(terms(R"(userName eq "a" and id eq "b")") == R"(0=b if userName eq "a")");
  CHECK(terms(R"(userName eq "a" or emails.value eq "b")") == "2=a, 3=b");
  CHECK(terms(R"(userName eq "a" or title pr)").empty());
  CHECK(terms(R"((id eq "a" or id eq "b") and title pr)") == "0=a if title pr, 0=b if title pr");
  CHECK(terms(R"((id eq "a" or id eq "b") and displayName eq "c")") == R"(4=c if id eq "a" or id eq "b")");
  CHECK(terms(R"(id eq "a" and title pr or userName eq "b")") == "0=a if title pr, 2=b");
  CHECK(terms(R"(not (userName eq "a"))").empty());
  CHECK(terms(R"(userName ne "a")").empty());
  CHECK(terms(R"(meta.lastModified gt "2026-01-01T00:00:00Z")").empty());
  std::string many = R"(id eq "0")";
  for (int i = 0; i < 100; ++i) many += R"( or id eq "x")";
  CHECK(terms(many).empty());
}

TEST_CASE("the moments that bound a filter") {
  const auto range = [](std::string_view text) { return modified_range(parse_filter(text).value()); };
  CHECK_FALSE(range("title pr"));
  CHECK_FALSE(range(R"(meta.lastModified gt "2026-01-01T00:00:00Z" or title pr)"));
  CHECK_FALSE(range(R"(not (meta.lastModified gt "2026-01-01T00:00:00Z"))"));
  const auto moment = parse_rfc3339("2026-01-01T00:00:00Z").value();
  const auto both = range(
      R"(title pr and meta.lastModified ge "2026-01-01T00:00:00Z" and meta.lastModified lt "2026-01-02T00:00:00Z")");
  REQUIRE(both);
  // Never narrower than what was asked for; the texts have milliseconds.
  CHECK(*both->from <= moment);
  CHECK(*both->from >= moment - std::chrono::milliseconds(1));
  CHECK(*both->to >= moment + std::chrono::hours(24));
  const auto open = range(R"(meta.lastModified gt "2026-01-01T00:00:00Z")");
  REQUIRE(open);
  CHECK_FALSE(open->to);
}

TEST_CASE("what is asked of rows") {
  CHECK_FALSE(asked("displayName pr").any);
  CHECK(asked("members pr").present);
  CHECK_FALSE(asked("members pr").all);
  CHECK(asked(R"(members.value eq "a" and not (members[value eq "b"]))").named ==
        std::vector<std::string>{"a", "b"});
  CHECK_FALSE(asked(R"(members.value eq "a")").all);
  for (const auto* all : {R"(members.value ne "a")", R"(members.display pr)", R"(members[type eq "User"])",
                          R"(members.value sw "a")", R"(members[value eq "a" and type eq "User"])"})
    CHECK(asked(all).all);
}
