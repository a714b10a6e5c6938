#include <boost/json/parse.hpp>
#include <deprov/json_schema.hpp>
#include "catch.hpp"

using deprov::check_json_schema;
using deprov::Errc;
using deprov::validate_json;

namespace {

boost::json::value parse(const char* text) { return boost::json::parse(text); }

std::string where_of(const char* schema, const char* instance) {
  const auto s = parse(schema);
  REQUIRE(check_json_schema(s));
  const auto r = validate_json(s, parse(instance));
  if (r) return "fits";
  REQUIRE(r.error().code() == Errc::invalid_argument);
  return r.error().where() + ": " + r.error().detail();
}

bool fits(const char* schema, const char* instance) { return where_of(schema, instance) == "fits"; }

constexpr auto connection = R"({
  "type": "object",
  "required": ["base_url", "auth"],
  "additionalProperties": false,
  "properties": {
    "base_url": {"type": "string", "format": "uri", "maxLength": 40},
    "page_size": {"type": "integer", "minimum": 1, "maximum": 1000},
    "auth": {"oneOf": [
      {"type": "object", "required": ["type", "token"], "additionalProperties": false,
       "properties": {"type": {"const": "bearer"}, "token": {"type": "string", "minLength": 1}}},
      {"type": "object", "required": ["type", "user", "password"], "additionalProperties": false,
       "properties": {"type": {"const": "basic"}, "user": {"type": "string"}, "password": {"type": "string"}}}
    ]},
    "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": true}
  }})";

}  // namespace

TEST_CASE("a fitting configuration passes") {
  CHECK(fits(connection, R"({"base_url":"https://a/b","page_size":10.0,"auth":{"type":"bearer","token":"x"}})"));
  CHECK(fits(connection,
             R"({"base_url":"https://a/b","auth":{"type":"basic","user":"u","password":""},"tags":["a"]})"));
}

TEST_CASE("an error names the member by its JSON pointer") {
  CHECK(where_of(connection, R"([])") == ": has to be object, and is array");
  CHECK(where_of(connection, R"({"base_url":"https://a"})") == ": the member \"auth\" is missing");
  CHECK(where_of(connection, R"({"base_url":7,"auth":{"type":"bearer","token":"x"}})") ==
        "/base_url: has to be string, and is integer");
  CHECK(where_of(connection, R"({"base_url":"a b","auth":{"type":"bearer","token":"x"}})") ==
        "/base_url: has to be an absolute URI");
  CHECK(where_of(connection, R"({"base_url":"https://a","page_size":0,"auth":{"type":"bearer","token":"x"}})") ==
        "/page_size: has to be at least 1, and is 0");
  CHECK(
      where_of(connection, R"({"base_url":"https://a","page_size":1001,"auth":{"type":"bearer","token":"x"}})") ==
      "/page_size: has to be at most 1000, and is 1001");
  CHECK(where_of(connection, R"({"base_url":"https://a","a/b~c":1,"auth":{"type":"bearer","token":"x"}})") ==
        "/a~1b~0c: is not a member that is known here");
  CHECK(where_of(connection, R"({"base_url":"https://a","auth":{"type":"bearer","token":"x"},"tags":["a",3]})") ==
        "/tags/1: has to be string, and is integer");
  CHECK(
      where_of(connection, R"({"base_url":"https://a","auth":{"type":"bearer","token":"x"},"tags":["a","a"]})") ==
      "/tags/1: is there twice");
  CHECK(where_of(connection,
                 R"({"base_url":"https://a","auth":{"type":"bearer","token":"x"},"tags":["a","b","c"]})") ==
        "/tags: has to have at most 2 items, and has 3");
}

TEST_CASE("the error of a oneOf is that of the alternative that was meant") {
  CHECK(where_of(connection, R"({"base_url":"https://a","auth":{"type":"basic","user":"u"}})") ==
        "/auth: the member \"password\" is missing");
  CHECK(where_of(connection, R"({"base_url":"https://a","auth":{"type":"bearer","token":""}})") ==
        "/auth/token: must not be empty");
  CHECK(where_of(connection, R"({"base_url":"https://a","auth":{"type":"basic","user":"u","password":7}})") ==
        "/auth/password: has to be string, and is integer");
}

TEST_CASE("what was found is not repeated where it is a string") {
  const auto s = parse(connection);
  const auto r = validate_json(s, parse(R"({"base_url":"hunter2 hunter2","auth":{"type":"hunter2"}})"));
  REQUIRE(!r);
  CHECK(r.error().message().find("hunter2") == std::string::npos);
}

TEST_CASE("alternatives") {
  CHECK(fits(R"({"anyOf":[{"type":"string"},{"type":"null"}]})", "null"));
  CHECK_FALSE(fits(R"({"anyOf":[{"type":"string"},{"type":"null"}]})", "1"));
  CHECK(fits(R"({"anyOf":[{"type":"integer"},{"type":"number"}]})", "1"));
  CHECK(where_of(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "1") ==
        ": fits 2 of the alternatives of which it has to fit one");
  CHECK_FALSE(fits(R"({"allOf":[{"minimum":3},{"maximum":5}]})", "6"));
  CHECK(fits(R"({"allOf":[{"minimum":3},{"maximum":5}]})", "4"));
}

TEST_CASE("numbers, lengths and values") {
  CHECK(fits(R"({"type":"integer"})", "3.0"));
  CHECK_FALSE(fits(R"({"type":"integer"})", "3.5"));
  CHECK(fits(R"({"type":"number"})", "18446744073709551615"));
  CHECK(fits(R"({"const":1})", "1.0"));
  CHECK_FALSE(fits(R"({"maximum":9223372036854775806})", "9223372036854775807"));
  CHECK_FALSE(fits(R"({"exclusiveMinimum":0})", "0"));
  CHECK(fits(R"({"exclusiveMinimum":0,"exclusiveMaximum":1})", "0.5"));
  CHECK_FALSE(fits(R"({"exclusiveMaximum":1})", "1"));
  CHECK(fits(R"({"maxLength":2})", "\"\u00e4\u00f6\""));
  CHECK_FALSE(fits(R"({"maxLength":2})", "\"abc\""));
  CHECK(where_of(R"({"enum":["a",1]})", "\"b\"") == ": has to be one of \"a\", 1");
  CHECK(fits(R"({"type":["string","null"]})", "null"));
  CHECK_FALSE(fits(R"({"type":["string","null"]})", "true"));
  CHECK_FALSE(fits(R"({"minProperties":1})", "{}"));
  CHECK_FALSE(fits(R"({"maxProperties":1})", R"({"a":1,"b":2})"));
  CHECK(where_of(R"({"additionalProperties":{"type":"integer"}})", R"({"a":1,"b":"x"})") ==
        "/b: has to be integer, and is string");
  CHECK_FALSE(fits("false", "1"));
  CHECK(fits("true", "1"));
}

TEST_CASE("a schema that says more than is understood is refused") {
  const auto bad = [](const char* schema) {
    const auto r = check_json_schema(parse(schema));
    return r ? std::string("good") : r.error().where();
  };
  CHECK(bad(R"({"type":"string","pattern":"^a"})") == "/pattern");
  CHECK(bad(R"({"properties":{"a":{"type":"strin"}}})") == "/properties/a/type");
  CHECK(bad(R"({"anyOf":[{},{"minLength":-1}]})") == "/anyOf/1/minLength");
  CHECK(bad(R"({"required":[1]})") == "/required");
  CHECK(bad(R"({"enum":[]})") == "/enum");
  CHECK(bad(R"({"items":7})") == "/items");
  CHECK(bad(R"({"title":"t","description":"d","default":1,"x-order":1,"$schema":"s"})") == "good");
}

TEST_CASE("depth is bounded") {
  boost::json::value schema = boost::json::object{{"type", "integer"}};
  for (int i = 0; i < 100; ++i) schema = boost::json::object{{"items", std::move(schema)}};
  const auto r = check_json_schema(schema);
  REQUIRE(!r);
  CHECK(r.error().code() == Errc::limit_exceeded);
}
