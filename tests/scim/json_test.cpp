#include <deprov/scim/json.hpp>
#include <deprov/scim/repeated_key.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {
Errc code_of(std::string_view text, const Limits& limits = {}) {
  const auto r = parse_json(text, limits);
  return r ? Errc::ok : r.error().code();
}
}  // namespace

TEST_CASE("JSON is parsed into values") {
  const auto v = parse_json(R"( {"a":[1,-2,3.5,"x\u00e9\n",true,false,null,{}],"b":18446744073709551615} )");
  REQUIRE(v);
  CHECK(v->at("a").as_array().size() == 8);
  CHECK(v->at("a").at(3).as_string() == "x\xC3\xA9\n");
  CHECK(v->at("b").as_uint64() == 18446744073709551615ULL);
}

TEST_CASE("a UTF-8 byte order mark is skipped and a UTF-16 one refused") {
  CHECK(parse_json("\xEF\xBB\xBF{}"));
  const auto r = parse_json(std::string_view("\xFF\xFE{\0}\0", 6));
  REQUIRE_FALSE(r);
  CHECK(r.error().detail().find("UTF-16") != std::string::npos);
}

TEST_CASE("malformed JSON is refused with its place") {
  const auto r = parse_json("{\n  \"a\": tru }");
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::invalid_syntax);
  CHECK(r.error().where().substr(0, 6) == "line 2");
  for (const auto* bad :
       {"", "   ", "{", "[1,]", "{\"a\"}", "{'a':1}", "nul", "01", "1 2", "{} x", "\"\x01\"", "\"\xFF\"",
        "\"\\ud800\"", "[1e999]", "NaN", "// c\n1", "\"\\u0000\"", "{\"a\\u0000\":1}"}) {
    INFO(bad);
    CHECK(code_of(bad) == Errc::invalid_syntax);
  }
}

TEST_CASE("a key that is there twice is refused at any depth") {
  CHECK(code_of(R"({"active":false,"active":true})") == Errc::invalid_syntax);
  CHECK(code_of(R"([{"x":{"a":1,"b":2,"\u0061":3}}])") == Errc::invalid_syntax);
  CHECK(code_of(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})") == Errc::ok);
}

TEST_CASE("a key that is there twice is named by its JSON pointer") {
  CHECK(repeated_key(R"({"active":false,"b":[],"active":true})") == "/active");
  CHECK(repeated_key(R"([1,"x",[true,{}],{"a/b~":{"a":1,"b":2.5,"\u0061":3}}])") == "/3/a~1b~0/a");
  CHECK(repeated_key(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":null}]})") == std::nullopt);
  CHECK(repeated_key(R"({"a":)") == std::nullopt);
  const auto refused = parse_json(R"({"a":[{"b":1,"b":1}]})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().where() == "/a/0/b");
}

TEST_CASE("every bound is named in its error") {
  Limits l;
  l.max_body_bytes = 10;
  auto r = parse_json("[1,2,3,4,5,6]", l);
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::limit_exceeded);
  CHECK(r.error().detail().find("max_body_bytes (10)") != std::string::npos);

  r = parse_json(std::string(33, '[') + std::string(33, ']'));
  REQUIRE_FALSE(r);
  CHECK(r.error().code() == Errc::limit_exceeded);
  CHECK(r.error().detail().find("max_depth (32)") != std::string::npos);
  CHECK(code_of(std::string(32, '[') + std::string(32, ']')) == Errc::ok);
  CHECK(code_of(std::string(1000000, '[')) == Errc::limit_exceeded);

  l = {};
  l.max_string_bytes = 4;
  CHECK(code_of(R"(["1234"])", l) == Errc::ok);
  r = parse_json(R"(["12345"])", l);
  REQUIRE_FALSE(r);
  CHECK(r.error().detail().find("max_string_bytes (4)") != std::string::npos);
  CHECK(code_of(R"({"12345":1})", l) == Errc::limit_exceeded);
}

TEST_CASE("names compare in any case by ASCII alone") {
  CHECK(iequals("userName", "USERNAME"));
  CHECK(iequals("a-1_$", "A-1_$"));
  CHECK_FALSE(iequals("a", "ab"));
  CHECK_FALSE(iequals("[", "{"));
  CHECK_FALSE(iequals("@", "`"));
  CHECK_FALSE(iequals("\xC3\xA4", "\xC3\x84"));
  const json::object o{{"Active", 1}, {"b", 2}};
  REQUIRE(find(o, "active") != nullptr);
  CHECK(find(o, "active")->as_int64() == 1);
  CHECK(find(o, "c") == nullptr);
}
