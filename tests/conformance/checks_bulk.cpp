// RFC 7644 section 3.7: Bulk.
#include <boost/json/serialize.hpp>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

const std::string bulk_request = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const std::string bulk_response = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

Reply bulk(Run& r, json::array operations, json::object more = {}) {
  r.needs(r.facts.supports("bulk"), "bulk");
  more["schemas"] = json::array{json::string(bulk_request)};
  more["Operations"] = std::move(operations);
  auto reply = r.post("/Bulk", more);
  if (const auto done = at(reply.json, "/Operations"); done.is_array())
    for (const auto& o : done.get_array()) {
      const auto where = text(o, "/location");
      if (text(o, "/status") == "201" && where.rfind(r.http.base(), 0) == 0)
        r.made(where.substr(r.http.base().size()));
    }
  return reply;
}

json::object creates(Run& r, const std::string& bulk_id, json::object more = {}) {
  return {{"method", "POST"}, {"path", "/Users"}, {"bulkId", bulk_id}, {"data", r.user_body(std::move(more))}};
}

json::object makes_group(Run& r, const std::string& bulk_id, const std::vector<std::string>& refs) {
  json::array members;
  for (const auto& ref : refs) members.push_back(json::object{{"value", ref}});
  return {{"method", "POST"},
          {"path", "/Groups"},
          {"bulkId", bulk_id},
          {"data", r.group_body({{"members", members}})}};
}

/// What the answer says about that operation.
json::value result(Run& r, const Reply& reply, const std::string& bulk_id) {
  for (const auto& o : items(reply.json, "/Operations"))
    if (text(o, "/bulkId") == bulk_id) return o;
  r.expect(false, "no result for " + bulk_id + ": " + reply.body.substr(0, 400));
  return nullptr;
}

std::string path_of(Run& r, const json::value& of) {
  const auto where = text(of, "/location");
  r.expect(where.rfind(r.http.base(), 0) == 0, "location " + json::serialize(of));
  return where.substr(r.http.base().size());
}

}  // namespace

void add_bulk(Checks& to) {
  constexpr auto s = "7644 3.7";
  to.push_back({"bulk-shape", s, "Bulk answers 200 with a BulkResponse", [](Run& r) {
                  const auto reply = bulk(r, {creates(r, "a"), creates(r, "b")});
                  r.status(reply, {200});
                  r.expect(holds(reply.json, json::object{{"schemas", json::array{json::string(bulk_response)}}}),
                           reply.body.substr(0, 200));
                  for (const auto* id : {"a", "b"}) {
                    const auto o = result(r, reply, id);
                    r.expect(text(o, "/status") == "201" && text(o, "/method") == "POST", json::serialize(o));
                    r.status(r.get(path_of(r, o)), {200});
                  }
                }});
  to.push_back(
      {"bulk-all-methods", s, "POST, PUT, PATCH and DELETE", [](Run& r) {
         const auto a = r.user(), b = r.user(), c = r.user();
         auto body = a.as_object();
         body["title"] = "put";
         const auto reply = bulk(
             r,
             {creates(r, "new"),
              json::object{{"method", "PUT"}, {"path", "/Users/" + text(a, "/id")}, {"data", body}},
              json::object{
                  {"method", "PATCH"},
                  {"path", "/Users/" + text(b, "/id")},
                  {"data", json::object{{"schemas", json::array{json::string(patch_schema)}},
                                        {"Operations", J(R"([{"op":"add","path":"title","value":"patched"}])")}}}},
              json::object{{"method", "DELETE"}, {"path", "/Users/" + text(c, "/id")}}});
         r.status(reply, {200});
         std::vector<std::string> codes;
         for (const auto& o : items(reply.json, "/Operations")) codes.push_back(text(o, "/status"));
         r.expect(codes.size() == 4 && codes[0] == "201" && codes[1] == "200" &&
                      (codes[2] == "200" || codes[2] == "204") && codes[3] == "204",
                  reply.body.substr(0, 600));
         r.expect(text(r.read("/Users/" + text(a, "/id")), "/title") == "put" &&
                      text(r.read("/Users/" + text(b, "/id")), "/title") == "patched",
                  "not done");
         r.status(r.get("/Users/" + text(c, "/id")), {404});
       }});
  to.push_back({"bulk-location-version", "7644 3.7.3",
                "each result has its location, and its version where there are versions", [](Run& r) {
                  const auto reply = bulk(r, {creates(r, "a")});
                  const auto o = result(r, reply, "a");
                  const auto now = r.read(path_of(r, o));
                  if (r.facts.supports("etag"))
                    r.expect(text(o, "/version") == text(now, "/meta/version"), json::serialize(o));
                }});
  to.push_back({"bulk-reference", "7644 3.7.2", "bulkId: refers to what the request creates", [](Run& r) {
                  const auto reply = bulk(r, {creates(r, "u"), makes_group(r, "g", {"bulkId:u"})});
                  r.status(reply, {200});
                  const auto group = r.read(path_of(r, result(r, reply, "g")));
                  r.expect("/Users/" + text(group, "/members/0/value") == path_of(r, result(r, reply, "u")),
                           json::serialize(group));
                }});
  to.push_back({"bulk-forward-reference", "7644 3.7.2", "and to what it creates later", [](Run& r) {
                  const auto reply = bulk(r, {makes_group(r, "g", {"bulkId:u"}), creates(r, "u")});
                  r.status(reply, {200});
                  const auto group = r.read(path_of(r, result(r, reply, "g")));
                  r.expect("/Users/" + text(group, "/members/0/value") == path_of(r, result(r, reply, "u")),
                           json::serialize(group));
                }});
  to.push_back(
      {"bulk-cycle", "7644 3.7.1", "references in a circle are resolved", [](Run& r) {
         const auto reply = bulk(r, {makes_group(r, "a", {"bulkId:b"}), makes_group(r, "b", {"bulkId:a"})});
         r.status(reply, {200, 409});
         if (reply.status == 409) return;  // "the service provider MUST try", and may give up
         const auto a = result(r, reply, "a"), b = result(r, reply, "b");
         if (text(a, "/status") == "409" || text(b, "/status") == "409") return;
         r.expect("/Groups/" + text(r.read(path_of(r, a)), "/members/0/value") == path_of(r, b), "a");
         r.expect("/Groups/" + text(r.read(path_of(r, b)), "/members/0/value") == path_of(r, a), "b");
       }});
  to.push_back({"bulk-manager-reference", "7644 3.7.2", "bulkId: in an extension", [](Run& r) {
                  r.needs(r.facts.schemas.count(enterprise_schema) != 0, "the enterprise extension");
                  const auto reply = bulk(
                      r, {creates(r, "boss"),
                          creates(r, "u", {{enterprise_schema, J(R"({"manager":{"value":"bulkId:boss"}})")}})});
                  const auto user = r.read(path_of(r, result(r, reply, "u")));
                  r.expect("/Users/" + text(at(user, "/" + enterprise_schema), "/manager/value") ==
                               path_of(r, result(r, reply, "boss")),
                           json::serialize(user));
                }});
  to.push_back({"bulk-unknown-reference", "7644 3.7.2", "a bulkId that nothing has is an error of that operation",
                [](Run& r) {
                  const auto reply = bulk(r, {makes_group(r, "g", {"bulkId:nobody"})});
                  r.status(reply, {200, 400, 409});
                  if (reply.status == 200)
                    r.expect(text(result(r, reply, "g"), "/status")[0] == '4', reply.body.substr(0, 300));
                }});
  to.push_back(
      {"bulk-failure", "7644 3.7.3", "a failed operation carries its error, the others are done", [](Run& r) {
         const auto taken = text(r.user(), "/userName");
         const auto reply = bulk(r, {creates(r, "a", {{"userName", taken}}), creates(r, "b")});
         r.status(reply, {200});
         const auto a = result(r, reply, "a");
         r.expect(text(a, "/status") == "409" && text(a, "/response/scimType") == "uniqueness" &&
                      text(a, "/response/status") == "409",
                  json::serialize(a));
         r.expect(text(result(r, reply, "b"), "/status") == "201", "b");
       }});
  to.push_back({"bulk-fail-on-errors", "7644 3.7.3", "failOnErrors stops after so many errors", [](Run& r) {
                  const auto taken = text(r.user(), "/userName");
                  const auto reply =
                      bulk(r, {creates(r, "a", {{"userName", taken}}), creates(r, "b")}, {{"failOnErrors", 1}});
                  r.status(reply, {200, 409});
                  r.expect(at(reply.json, "/Operations").as_array().size() == 1, reply.body.substr(0, 400));
                }});
  to.push_back({"bulk-fail-on-errors-two", "7644 3.7.3", "and not before", [](Run& r) {
                  const auto taken = text(r.user(), "/userName");
                  const auto reply = bulk(r,
                                          {creates(r, "a", {{"userName", taken}}), creates(r, "b"),
                                           creates(r, "c", {{"userName", taken}}), creates(r, "d")},
                                          {{"failOnErrors", 2}});
                  r.expect(at(reply.json, "/Operations").as_array().size() == 3 &&
                               text(result(r, reply, "b"), "/status") == "201",
                           reply.body.substr(0, 600));
                }});
  to.push_back({"bulk-etag", "7644 3.7", "version is a precondition", [](Run& r) {
                  r.needs(r.facts.supports("etag"), "etag");
                  const auto user = r.user();
                  const auto reply = bulk(r, {json::object{{"method", "DELETE"},
                                                           {"path", "/Users/" + text(user, "/id")},
                                                           {"version", "W/\"other\""}}});
                  r.expect(text(reply.json, "/Operations/0/status") == "412", reply.body.substr(0, 300));
                  r.status(r.get("/Users/" + text(user, "/id")), {200});
                }});
  to.push_back({"bulk-too-many", "7644 3.7.4", "more than maxOperations is 413 and nothing is done", [](Run& r) {
                  r.needs(r.facts.supports("bulk"), "bulk");
                  const auto most = at(r.facts.config, "/bulk/maxOperations").as_int64();
                  if (most > 20'000) throw Skipped{"maxOperations is " + std::to_string(most)};
                  json::array all;
                  for (std::int64_t i = 0; i <= most; ++i)
                    all.push_back(json::object{{"method", "DELETE"}, {"path", "/Users/x"}});
                  r.error(bulk(r, std::move(all)), 413);
                }});
  to.push_back(
      {"bulk-too-large", "7644 3.7.4", "more than maxPayloadSize is 413", [](Run& r) {
         r.needs(r.facts.supports("bulk"), "bulk");
         const auto most = at(r.facts.config, "/bulk/maxPayloadSize").as_int64();
         if (most > 32 * 1024 * 1024) throw Skipped{"maxPayloadSize is " + std::to_string(most)};
         r.status(bulk(r, {creates(r, "a", {{"displayName", std::string(static_cast<std::size_t>(most), 'x')}})}),
                  {413});
       }});
  to.push_back({"bulk-no-bulk-id", "7644 3.7", "a POST without bulkId is refused", [](Run& r) {
                  auto o = creates(r, "a");
                  o.erase("bulkId");
                  const auto reply = bulk(r, {o});
                  r.status(reply, {200, 400});
                  if (reply.status == 200)
                    r.expect(text(reply.json, "/Operations/0/status") == "400", reply.body.substr(0, 300));
                }});
  for (const auto& [id, operation] :
       {std::pair("bulk-bad-method", R"({"method":"GET","path":"/Users/x"})"),
        std::pair("bulk-bad-path", R"({"method":"DELETE","path":"/NoSuchThings/x"})"),
        std::pair("bulk-no-path", R"({"method":"DELETE"})")})
    to.push_back({id, s, std::string("refused: ") + operation, [operation = operation](Run& r) {
                    const auto reply = bulk(r, {J(operation)});
                    r.status(reply, {200, 400});
                    if (reply.status == 200)
                      r.expect(text(reply.json, "/Operations/0/status").substr(0, 1) == "4",
                               reply.body.substr(0, 300));
                  }});
  to.push_back({"bulk-not-a-request", s, "a body that is no BulkRequest is 400", [](Run& r) {
                  r.needs(r.facts.supports("bulk"), "bulk");
                  r.error(r.http.send("POST", "/Bulk",
                                      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]})"),
                          400);
                  r.error(r.http.send("POST", "/Bulk", "[]"), 400);
                }});
  to.push_back({"bulk-not-offered", "7644 3.12", "without bulk, POST /Bulk is 501, 404 or 403", [](Run& r) {
                  if (r.facts.supports("bulk")) throw Skipped{"bulk is offered"};
                  r.status(r.http.send("POST", "/Bulk", "{}"), {403, 404, 405, 501});
                }});
}

}  // namespace deprov::conformance
