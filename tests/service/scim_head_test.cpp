// HEAD, on each endpoint.
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
using deprov::test::ScimWorld;

TEST_CASE("HEAD is answered as GET is (RFC 9110 section 9.3.2)") {
  ScimWorld w;
  const auto id = w.add_user("ann");
  for (const auto* path :
       {"/Users", "/Users?count=1", "/ServiceProviderConfig", "/Schemas", "/Users/none", "/nothing"}) {
    INFO(path);
    const auto get = w.get(path);
    const auto head = w.send("HEAD", path);
    CHECK(head.status == get.status);
    CHECK(head.text.size() == get.text.size());  // whoever has the transport leaves it away
    CHECK(head.header("content-type") == get.header("content-type"));
  }
  const auto head = w.send("HEAD", "/Users/" + id);
  CHECK(head.status == 200);
  CHECK(head.header("etag") == "W/\"1\"");
  CHECK(w.send("HEAD", "/Users/" + id, {}, {{"If-None-Match", "W/\"1\""}}).status == 304);
  CHECK(w.send("HEAD", "/Bulk").status == 405);
  CHECK(w.send("DELETE", "/Users").header("allow") == "GET, HEAD, POST");
}
