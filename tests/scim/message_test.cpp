#include <deprov/scim/message.hpp>
#include "catch.hpp"

using namespace deprov::scim;
namespace json = boost::json;

TEST_CASE("a list names its counts, and Resources also when there are none") {
  CHECK(json::serialize(list_response({}, 0)) ==
        R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"startIndex":1,)"
        R"("itemsPerPage":0,"Resources":[]})");
  json::array page;
  page.emplace_back(json::object{{"id", "1"}});
  const auto o = list_response(std::move(page), 12, 11);
  CHECK(o.at("totalResults").as_int64() == 12);
  CHECK(o.at("startIndex").as_int64() == 11);
  CHECK(o.at("itemsPerPage").as_int64() == 1);
  CHECK(o.at("Resources").at(0).at("id").as_string() == "1");
}

TEST_CASE("the service provider's configuration is complete") {
  ServiceProviderConfig c;
  c.filter_max_results = 200;
  c.sort = true;
  const auto o = to_json(c, "https://x/v2");
  for (const auto* name : {"patch", "bulk", "filter", "changePassword", "sort", "etag"}) {
    INFO(name);
    CHECK(o.at(name).at("supported").is_bool());
  }
  CHECK(o.at("bulk").at("maxOperations").as_int64() == 0);
  CHECK(o.at("bulk").at("maxPayloadSize").as_int64() == 0);
  CHECK(o.at("filter").at("maxResults").as_int64() == 200);
  CHECK(o.at("sort").at("supported").as_bool());
  CHECK(o.at("authenticationSchemes").at(0).at("type").as_string() == "oauthbearertoken");
  CHECK(o.at("meta").at("location").as_string() == "https://x/v2/ServiceProviderConfig");
  CHECK_FALSE(o.contains("documentationUri"));
  CHECK_FALSE(to_json(c).at("meta").as_object().contains("location"));
}
