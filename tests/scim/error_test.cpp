#include <deprov/scim/error.hpp>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

TEST_CASE("failures have the RFC's status and scimType") {
  const struct {
    Errc code;
    unsigned status;
    std::string_view scim_type;
  } table[] = {
      {Errc::invalid_syntax, 400, "invalidSyntax"},
      {Errc::invalid_filter, 400, "invalidFilter"},
      {Errc::invalid_path, 400, "invalidPath"},
      {Errc::no_target, 400, "noTarget"},
      {Errc::invalid_value, 400, "invalidValue"},
      {Errc::mutability, 400, "mutability"},
      {Errc::uniqueness, 409, "uniqueness"},
      {Errc::too_many, 400, "tooMany"},
      {Errc::invalid_version, 400, "invalidVers"},
      {Errc::sensitive, 403, "sensitive"},
      {Errc::limit_exceeded, 413, ""},
      {Errc::unauthorized, 401, ""},
      {Errc::forbidden, 403, ""},
      {Errc::not_found, 404, ""},
      {Errc::precondition_failed, 412, ""},
      {Errc::unsupported, 501, ""},
      {Errc::unsupported_media_type, 415, ""},
      {Errc::busy, 503, ""},
      {Errc::rate_limited, 429, ""},
      {Errc::internal, 500, ""},
  };
  for (const auto& row : table) {
    INFO(to_string(row.code));
    CHECK(error_answer(row.code).status == row.status);
    CHECK(error_answer(row.code).scim_type == row.scim_type);
  }
}

TEST_CASE("an error body is the RFC's, its status a string") {
  const auto body = error_body(Error(Errc::no_target, "no value matches", "Operations[2].path", "add it first"));
  CHECK(json::serialize(body) ==
        R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"noTarget",)"
        R"("detail":"Operations[2].path: no value matches; add it first"})");
}

TEST_CASE("faults of ours do not tell what is inside") {
  const auto body = json::serialize(error_body(Error(Errc::io, "disk /var/secret failed")));
  CHECK(body.find("secret") == std::string::npos);
  CHECK(body.find("\"500\"") != std::string::npos);
}

TEST_CASE("a body that quotes what was no UTF-8 is UTF-8") {
  CHECK(error_body(404, {}, "no User with the id \"\xE4nn\"").at("detail") ==
        "no User with the id \"\xEF\xBF\xBDnn\"");
  CHECK(error_body(Error(Errc::invalid_value, "is \xFF", "a\xC3")).at("detail") ==
        "a\xEF\xBF\xBD: is \xEF\xBF\xBD");
}
