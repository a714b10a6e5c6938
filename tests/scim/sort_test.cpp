#include <boost/json/parse.hpp>
#include <deprov/scim/sort.hpp>
#include <vector>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {

const TypeDef& user() { return *SchemaRegistry::builtin().type("User"); }

SortKey key(std::string_view attribute, const char* resource) {
  return sort_key(json::parse(resource).as_object(), user().resolve(attribute).value());
}

}  // namespace

TEST_CASE("keys keep the order of what they were made of") {
  const std::vector<SortKey> ascending{key("title", R"({"title":"A"})"), key("title", R"({"title":"b"})"),
                                       key("title", R"({"title":"C"})"), key("title", "{}")};
  for (std::size_t i = 0; i < ascending.size(); ++i)
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      INFO(i << " " << j);
      const int order = compare(ascending[i], ascending[j]);
      CHECK((i < j ? order < 0 : i > j ? order > 0 : order == 0));
    }
}

TEST_CASE("what a key is made of") {
  CHECK(key("userName", R"({"userName":"ANN"})").text == "ann");
  CHECK(key("id", R"({"id":"Ab"})").text == "Ab");
  CHECK(key("emails", R"({"emails":[{"value":"z@x"},{"value":"A@x","primary":true}]})").text == "a@x");
  CHECK(key("emails.type", R"({"emails":[{"type":"work"},{"type":"home"}]})").text == "work");
  CHECK(key("title", R"({"title":""})").kind == SortKey::Kind::absent);
  CHECK(key("title", R"({"title":null})").kind == SortKey::Kind::absent);
  CHECK(key("emails", R"({"emails":[]})").kind == SortKey::Kind::absent);
  CHECK(key("active", R"({"active":true})").kind == SortKey::Kind::boolean);
  const auto early = key("meta.created", R"({"meta":{"created":"2011-01-01T00:30:00+01:00"}})");
  const auto late = key("meta.created", R"({"meta":{"created":"2011-01-01T00:00:00Z"}})");
  CHECK(early.kind == SortKey::Kind::time);
  CHECK(compare(early, late) < 0);
  const auto* urn = R"({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Ops"}})";
  CHECK(key("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", urn).text == "ops");
}

TEST_CASE("numbers of 64 bits keep their order") {
  SchemaRegistry r;
  REQUIRE(r.load_schemas(json::parse(R"({"id":"urn:x:T","attributes":[{"name":"n","type":"integer"}]})")));
  REQUIRE(r.load_resource_types(json::parse(R"({"name":"T","endpoint":"/T","schema":"urn:x:T"})")));
  const auto n = [&](const char* text) {
    return sort_key(json::parse(text).as_object(), r.type("T")->resolve("n").value());
  };
  CHECK(compare(n(R"({"n":9007199254740992})"), n(R"({"n":9007199254740993})")) < 0);
  CHECK(compare(n(R"({"n":-1})"), n(R"({"n":0})")) < 0);
}

TEST_CASE("what cannot be sorted by is told") {
  const auto check = [](std::string_view name) { return check_sortable(user().resolve(name).value(), name); };
  CHECK(check("userName"));
  CHECK(check("emails"));
  CHECK(check("name.familyName"));
  CHECK(check("name").error().code() == Errc::invalid_value);
  CHECK(check("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User").error().code() == Errc::invalid_value);
}
