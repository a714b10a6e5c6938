// Replays the corpora, and each entry with many small damages, the same ones every time.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>
#include "catch.hpp"
#include "paths.hpp"
#include "targets.hpp"

namespace {

std::vector<std::string> corpus(std::string_view name) {
  std::vector<std::filesystem::path> files;
  for (const auto& f : std::filesystem::directory_iterator(std::filesystem::path(deprov::test::source_dir()) /
                                                           "tests/fuzz/corpus" / std::string(name)))
    files.push_back(f.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> out;
  for (const auto& f : files) {
    std::ifstream in(f, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    while (!out.back().empty() && out.back().back() == '\n') out.back().pop_back();
  }
  return out;
}

class Dice {
 public:
  std::size_t next(std::size_t bound) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return static_cast<std::size_t>(state_ % bound);
  }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15ULL;
};

class Damage {
 public:
  explicit Damage(const std::vector<std::string>& corpus) : corpus_(corpus) {}
  std::string of(std::string s) {
    for (auto n = 1 + next(4); n > 0; --n) once(s);
    return s;
  }

 private:
  std::size_t next(std::size_t bound) { return dice_.next(bound); }
  void once(std::string& s) {
    static constexpr std::string_view bits[] = {
        "\"",      "[",       "]",    "{", "}",  "(",   ")",        ",",    ":",    ".",    " ",     "\\",
        "null",    "true",    "\"\"", "0", "-1", "1e9", "and",      "or",   "not",  "eq",   "pr",    "value",
        "members", "primary", "type", "%", "&",  "=",   "\xC3\x84", "\xFF", "$ref", "urn:", "remove"};
    const auto at = next(s.size() + 1);
    switch (next(6)) {
      case 0: s.insert(at, bits[next(std::size(bits))]); break;
      case 1: s.erase(at, next(8)); break;
      case 2:
        if (!s.empty()) s[at % s.size()] = static_cast<char>(next(256));
        break;
      case 3: s.insert(at, s.substr(next(s.size() + 1), next(24))); break;
      case 4: {  // a token in place of another one
        const auto& other = corpus_[next(corpus_.size())];
        s.replace(at, next(12), other.substr(next(other.size() + 1), next(24)));
        break;
      }
      default: {
        const auto quote = s.find('"', at);
        if (quote == std::string::npos) break;
        const auto end = s.find('"', quote + 1);
        if (end != std::string::npos) s.replace(quote, end - quote + 1, bits[next(std::size(bits))]);
      }
    }
  }
  const std::vector<std::string>& corpus_;
  Dice dice_;
};

}  // namespace

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
