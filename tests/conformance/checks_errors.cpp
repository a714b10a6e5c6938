// RFC 7644 sections 2 and 3.12: errors.
#include <boost/json/serialize.hpp>
#include "suite.hpp"

namespace deprov::conformance {

void add_errors(Checks& to) {
  constexpr auto s = "7644 3.12";
  to.push_back(
      {"error-no-token", "7644 2", "a request without credentials is 401 with WWW-Authenticate", [](Run& r) {
         const auto reply = r.get("/Users", {{"Authorization", ""}});
         r.status(reply, {401});
         r.expect(!reply.header("www-authenticate").empty(), "no WWW-Authenticate");
       }});
  to.push_back({"error-bad-token", "7644 2", "a wrong token is 401", [](Run& r) {
                  r.status(r.get("/Users", {{"Authorization", "Bearer wrong"}}), {401});
                }});
  to.push_back({"error-unknown-endpoint", s, "an unknown endpoint is 404",
                [](Run& r) { r.error(r.get("/NoSuchThings"), 404); }});
  to.push_back({"error-bad-json", s, "a body that is no JSON is 400 invalidSyntax", [](Run& r) {
                  r.error(r.http.send("POST", "/Users", R"({"userName": )"), 400, {"invalidSyntax"});
                }});
  to.push_back({"error-empty-body", s, "an empty body is 400", [](Run& r) {
                  r.error(r.http.send("POST", "/Users", "", {{"Content-Type", "application/scim+json"}}), 400);
                }});
  to.push_back({"error-not-an-object", s, "a body that is no object is 400 invalidSyntax",
                [](Run& r) { r.error(r.http.send("POST", "/Users", R"(["x"])"), 400, {"invalidSyntax"}); }});
  to.push_back({"error-missing-user-name", s, "a User without userName is 400 invalidValue", [](Run& r) {
                  r.error(r.post("/Users", json::object{{"schemas", json::array{json::string(user_schema)}},
                                                        {"displayName", "x"}}),
                          400, {"invalidValue"});
                }});
  to.push_back({"error-missing-display-name", s, "a Group without displayName is 400 invalidValue", [](Run& r) {
                  r.error(r.post("/Groups", json::object{{"schemas", json::array{json::string(group_schema)}}}),
                          400, {"invalidValue"});
                }});
  to.push_back(
      {"error-wrong-type", s, "a value of another type is 400 invalidValue", [](Run& r) {
         r.error(r.post("/Users", r.user_body({{"title", json::array{1, 2}}})), 400,
                 {"invalidValue", "invalidSyntax"});
         r.error(r.post("/Users", r.user_body({{"name", "Ann"}})), 400, {"invalidValue", "invalidSyntax"});
       }});
  to.push_back(
      {"error-uniqueness-post", "7644 3.3", "POST of a userName that is taken is 409 uniqueness", [](Run& r) {
         const auto made = r.user();
         r.error(r.post("/Users", r.user_body({{"userName", text(made, "/userName")}})), 409, {"uniqueness"});
       }});
  to.push_back({"error-uniqueness-case", "7643 4.1.1", "userName is unique in any case", [](Run& r) {
                  const auto made = r.user({{"userName", r.prefix() + "-case@example.com"}});
                  auto upper = text(made, "/userName");
                  for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
                  r.error(r.post("/Users", r.user_body({{"userName", upper}})), 409, {"uniqueness"});
                }});
  to.push_back(
      {"error-uniqueness-put", "7644 3.5.1", "PUT of a userName that is taken is 409 uniqueness", [](Run& r) {
         const auto a = r.user(), b = r.user();
         auto body = b.as_object();
         body["userName"] = at(a, "/userName");
         r.error(r.put("/Users/" + text(b, "/id"), body), 409, {"uniqueness"});
       }});
  to.push_back(
      {"error-uniqueness-patch", "7644 3.5.2", "PATCH to a userName that is taken is 409 uniqueness", [](Run& r) {
         const auto a = r.user(), b = r.user();
         r.error(r.patch("/Users/" + text(b, "/id"),
                         json::array{json::object{
                             {"op", "replace"}, {"path", "userName"}, {"value", at(a, "/userName")}}}),
                 409, {"uniqueness"});
         r.expect(text(r.read("/Users/" + text(b, "/id")), "/userName") == text(b, "/userName"), "it was renamed");
       }});
  to.push_back({"error-status-is-string", s, "status of an error is a string", [](Run& r) {
                  const auto reply = r.get("/Users/" + r.name());
                  r.expect(at(reply.json, "/status").is_string(), reply.body);
                }});
  to.push_back({"error-detail", s, "an error tells a person what is wrong", [](Run& r) {
                  r.expect(!text(r.http.send("POST", "/Users", "{").json, "/detail").empty(), "no detail");
                }});
  to.push_back({"error-media-type", "7644 3.8", "a body of another media type is 415 or 400", [](Run& r) {
                  r.status(r.http.send("POST", "/Users", "userName=x",
                                       {{"Content-Type", "application/x-www-form-urlencoded"}}),
                           {400, 415});
                }});
  to.push_back(
      {"error-method", "7644 3.2", "a method that an endpoint lacks is refused with 405, 404 or 501", [](Run& r) {
         r.status(r.put("/Users", r.user_body()), {404, 405, 501});
         r.status(r.post("/Users/" + text(r.user(), "/id"), r.user_body()), {404, 405, 501});
       }});
  to.push_back({"error-no-secrets", "7644 7.5.2", "no error echoes a password", [](Run& r) {
                  const auto reply =
                      r.post("/Users", json::object{{"schemas", json::array{json::string(user_schema)}},
                                                    {"password", "sehr-geheim-4711"}});
                  r.expect(reply.body.find("sehr-geheim-4711") == std::string::npos, "it does");
                }});
  to.push_back({"error-password-never", "7643 4.1.1", "password is in no answer", [](Run& r) {
                  const auto reply = r.post("/Users", r.user_body({{"password", "sehr-geheim-4711"}}));
                  r.status(reply, {201});
                  const auto path = "/Users/" + text(reply.json, "/id");
                  for (const auto& q : {std::string(), std::string("?attributes=password"),
                                        std::string("?attributes=userName,password&x=1"),
                                        std::string("?attributes=" + user_schema + ":password")}) {
                    const auto seen = r.get(path + q);
                    r.expect(seen.body.find("sehr-geheim-4711") == std::string::npos &&
                                 at(seen.json, "/password").is_null(),
                             "GET" + q + " shows it");
                  }
                  r.expect(reply.body.find("sehr-geheim-4711") == std::string::npos, "POST shows it");
                  const auto patched =
                      r.patch(path, J(R"([{"op":"replace","path":"password","value":"neu-geheim-4712"}])"));
                  r.status(patched, {200, 204});
                  r.expect(patched.body.find("neu-geheim-4712") == std::string::npos, "PATCH shows it");
                }});
  to.push_back({"error-two-schemas-missing", "7643 3",
                "a POST without schemas is refused, or taken for the endpoint's schema", [](Run& r) {
                  const auto reply = r.post("/Users", json::object{{"userName", r.name()}});
                  r.status(reply, {201, 400});
                  if (reply.status == 201)
                    r.expect(holds(reply.json, json::object{{"schemas", json::array{json::string(user_schema)}}}),
                             "schemas");
                }});
}

}  // namespace deprov::conformance
