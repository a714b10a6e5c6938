// Replays the corpora, and each entry with many small damages, the same ones every time.
#include "replay.hpp"
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iterator>
#include "catch.hpp"
#include "targets.hpp"

using deprov::fuzz::corpus;
using deprov::fuzz::Damage;
using deprov::fuzz::Dice;

TEST_CASE("no input does harm") {
  for (const auto& target : deprov::fuzz::targets()) {
    const auto entries = corpus(target.name);
    REQUIRE(entries.size() >= 5);
    Damage damage(entries);
    for (const auto& entry : entries) {
      if (auto wrong = target.run(entry); !wrong.empty())
        FAIL_CHECK(target.name << ": " << wrong << "\nfrom " << entry);
      for (int i = 0; i < 4000; ++i) {
        const auto damaged = damage.of(entry);
        if (auto wrong = target.run(damaged); !wrong.empty())
          FAIL_CHECK(target.name << ": " << wrong << "\nfrom " << damaged);
      }
    }
  }
}

TEST_CASE("operations in any order and mixture do no harm") {
  namespace json = boost::json;
  static constexpr std::string_view ops[] = {"add", "remove", "replace", "Add", "Replace", "Remove"};
  static constexpr std::string_view paths[] = {
      "active",
      "title",
      "userName",
      "displayName",
      "name",
      "name.givenName",
      "emails",
      "emails.value",
      "emails.primary",
      "emails[type eq \"work\"]",
      "emails[type eq \"work\"].value",
      "emails[type eq \"home\"].primary",
      "emails[value pr].display",
      "phoneNumbers[type eq \"work\"].value",
      "addresses",
      "addresses[primary eq true].locality",
      "roles",
      "manager",
      "department",
      "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
      "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
      "members",
      "members[value eq \"a\"]",
      "members[type eq \"Group\"]",
      "schemas",
      "id",
      "meta",
      "externalId",
      "x509Certificates",
      "password"};
  static constexpr std::string_view values[] = {"true",
                                                "\"False\"",
                                                "\"x\"",
                                                "\"\"",
                                                "null",
                                                "[]",
                                                "{}",
                                                "7",
                                                R"({"value":"v"})",
                                                R"([{"value":"v","type":"work"}])",
                                                R"([{"value":"a","primary":true}])",
                                                R"([{"value":"a","primary":true},{"value":"b"}])",
                                                R"({"givenName":"G"})",
                                                R"({"primary":true})",
                                                R"({"type":"home","primary":"True"})",
                                                R"({"locality":"L"})",
                                                R"(["x"])",
                                                R"([null,{}])",
                                                R"([{"value":"TUlJ"}])",
                                                R"({"department":"D","manager":"m"})",
                                                R"({"active":false,"title":"t","name.givenName":"n"})",
                                                R"({"emails[type eq \"work\"].value":"w","id":"1","members":[]})",
                                                R"([{"value":"{\"value\":\"A\"}"}])"};
  Dice dice;
  const auto patch = [&] {
    std::string body = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)";
    for (auto n = 1 + dice.next(4); n > 0; --n) {
      json::object op{{"op", ops[dice.next(std::size(ops))]}};
      if (dice.next(6) != 0) op.emplace("path", paths[dice.next(std::size(paths))]);
      if (dice.next(6) != 0) op.emplace("value", json::parse(values[dice.next(std::size(values))]));
      body += json::serialize(op) + (n > 1 ? "," : "]}");
    }
    return body;
  };
  for (const auto& target : deprov::fuzz::targets()) {
    if (target.name != "patch") continue;
    for (int i = 0; i < 20000; ++i) {
      const auto body = patch();
      if (auto wrong = target.run(body); !wrong.empty()) FAIL_CHECK(wrong << "\nfrom " << body);
    }
  }
}
