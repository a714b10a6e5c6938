// RFC 7644 sections 3.4.2 and 3.9: lists, projection, index paging, .search, queries across types.
#include <boost/json/serialize.hpp>
#include <set>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

std::int64_t number(const json::value& in, std::string_view pointer) {
  const auto v = at(in, pointer);
  return v.is_number() ? v.to_number<std::int64_t>() : -1;
}

std::size_t rows(const Reply& reply) {
  const auto v = at(reply.json, "/Resources");
  return v.is_array() ? v.get_array().size() : 0;
}

/// Five users that a filter finds.
struct Five {
  std::set<std::string> ids;
  std::string filter;
};
Five five(Run& r) {
  r.needs(r.facts.supports("filter"), "filter");
  Five f;
  for (int i = 0; i < 5; ++i)
    f.ids.insert(text(
        r.user({{"userName", r.prefix() + ".page" + std::to_string(i) + "@example.com"}, {"title", "T"}}), "/id"));
  f.filter = "filter=" + escaped("userName sw \"" + r.prefix() + ".page\"");
  return f;
}

const char* const rich =
    R"({"title":"T","nickName":"N","displayName":"D","name":{"givenName":"G","familyName":"F"},
  "emails":[{"value":"w@example.com","type":"work","primary":true}],
  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","division":"V"}})";

/// GET of a rich User with this query: what is there, what is not.
void projected(Checks& to, const char* id, const char* title, const std::string& query,
               std::vector<std::string> there, std::vector<std::string> absent) {
  to.push_back({id, "7644 3.9", title, [=](Run& r) {
                  const auto made = text(r.user(J(rich).as_object()), "/id");
                  const auto seen = r.read("/Users/" + made + "?" + query);
                  for (const auto& p : there)
                    r.expect(!at(seen, p).is_null(), p + " is missing: " + json::serialize(seen));
                  for (const auto& p : absent)
                    r.expect(at(seen, p).is_null(), p + " is there: " + json::serialize(seen));
                  const auto listed = r.get("/Users?" + query + "&filter=" + escaped("id eq \"" + made + "\""));
                  r.status(listed, {200});
                  r.expect(rows(listed) == 1 && same(at(listed.json, "/Resources/0"), seen),
                           "a list shows something else: " + listed.body);
                }});
}

}  // namespace

void add_projection(Checks& to) {
  const std::string ext = "/" + enterprise_schema;
  projected(to, "attributes-one", "attributes: that one, id and schemas", "attributes=title",
            {"/title", "/id", "/schemas"}, {"/nickName", "/userName", "/emails", ext, "/meta"});
  projected(to, "attributes-several", "attributes: several", "attributes=title,nickName",
            {"/title", "/nickName", "/id"}, {"/displayName", "/emails"});
  projected(to, "attributes-sub", "attributes: a sub-attribute", "attributes=name.givenName",
            {"/name/givenName", "/id"}, {"/name/familyName", "/title"});
  projected(to, "attributes-complex", "attributes: a complex one is whole", "attributes=name",
            {"/name/givenName", "/name/familyName"}, {"/title"});
  projected(to, "attributes-multi-sub", "attributes: a sub-attribute of a multi-valued one",
            "attributes=emails.value", {"/emails/0/value"}, {"/emails/0/type", "/title"});
  projected(to, "attributes-case", "attributes: in any case", "attributes=TITLE,Name.GIVENname",
            {"/title", "/name/givenName"}, {"/nickName", "/name/familyName"});
  projected(to, "attributes-urn", "attributes: with the core URN", "attributes=" + user_schema + ":title",
            {"/title"}, {"/nickName"});
  projected(to, "attributes-extension", "attributes: an extension's attribute",
            "attributes=" + enterprise_schema + ":department", {ext + "/department"},
            {ext + "/division", "/title"});
  projected(to, "attributes-whole-extension", "attributes: an extension as a whole",
            "attributes=" + enterprise_schema, {ext + "/department", ext + "/division"}, {"/title"});
  projected(to, "attributes-unknown", "attributes: an unknown one selects nothing", "attributes=noSuchAttribute",
            {"/id", "/schemas"}, {"/title", "/userName"});
  projected(to, "attributes-spaces", "attributes: blanks around the commas", "attributes=title,%20nickName",
            {"/title", "/nickName"}, {"/displayName"});
  projected(to, "attributes-meta", "attributes: meta and its parts", "attributes=meta.resourceType",
            {"/meta/resourceType"}, {"/meta/created", "/title"});
  projected(to, "excluded-one", "excludedAttributes: that one is missing", "excludedAttributes=title",
            {"/nickName", "/userName", "/id"}, {"/title"});
  projected(to, "excluded-several", "excludedAttributes: several", "excludedAttributes=title,emails,name",
            {"/nickName"}, {"/title", "/emails", "/name"});
  projected(to, "excluded-sub", "excludedAttributes: a sub-attribute", "excludedAttributes=name.givenName",
            {"/name/familyName", "/title"}, {"/name/givenName"});
  projected(to, "excluded-multi-sub", "excludedAttributes: a sub-attribute of a multi-valued one",
            "excludedAttributes=emails.type", {"/emails/0/value"}, {"/emails/0/type"});
  projected(to, "excluded-extension", "excludedAttributes: an extension's attribute",
            "excludedAttributes=" + enterprise_schema + ":department", {ext + "/division", "/title"},
            {ext + "/department"});
  projected(to, "excluded-whole-extension", "excludedAttributes: a whole extension",
            "excludedAttributes=" + enterprise_schema, {"/title"}, {ext});
  projected(to, "excluded-always", "excludedAttributes: what is always returned stays",
            "excludedAttributes=id,schemas,title", {"/id"}, {"/title"});
  projected(to, "excluded-case", "excludedAttributes: in any case", "excludedAttributes=TITLE", {"/nickName"},
            {"/title"});
  to.push_back(
      {"attributes-on-post", "7644 3.9", "attributes on POST", [](Run& r) {
         const auto reply = r.post("/Users?attributes=title", r.user_body({{"title", "T"}, {"nickName", "N"}}));
         r.status(reply, {201});
         r.expect(text(reply.json, "/title") == "T" && !text(reply.json, "/id").empty() &&
                      at(reply.json, "/nickName").is_null(),
                  reply.body);
       }});
  to.push_back({"attributes-on-put", "7644 3.9", "excludedAttributes on PUT", [](Run& r) {
                  const auto made = r.user({{"title", "T"}});
                  auto body = made.as_object();
                  body["nickName"] = "N";
                  const auto reply = r.put("/Users/" + text(made, "/id") + "?excludedAttributes=title", body);
                  r.status(reply, {200});
                  r.expect(text(reply.json, "/nickName") == "N" && at(reply.json, "/title").is_null(), reply.body);
                }});
  to.push_back(
      {"excluded-members", "7644 3.9", "a Group without its members", [](Run& r) {
         const auto id = text(r.group({text(r.user(), "/id")}), "/id");
         r.expect(at(r.read("/Groups/" + id + "?excludedAttributes=members"), "/members").is_null(), "members");
         r.expect(!unassigned(r.read("/Groups/" + id + "?attributes=members"), "/members"), "members are missing");
         r.expect(at(r.read("/Groups/" + id + "?attributes=members.value"), "/members/0/$ref").is_null(), "$ref");
       }});
}

void add_paging(Checks& to) {
  constexpr auto s = "7644 3.4.2.4";
  to.push_back({"list-shape", "7644 3.4.2", "a query answers a ListResponse with all that match", [](Run& r) {
                  const auto f = five(r);
                  const auto reply = r.get("/Users?" + f.filter);
                  r.status(reply, {200});
                  r.list(reply);
                  r.expect(number(reply.json, "/totalResults") == 5 && rows(reply) == 5,
                           reply.body.substr(0, 200));
                  for (const auto& u : items(reply.json, "/Resources")) {
                    r.expect(f.ids.count(text(u, "/id")) == 1, "an id that was not asked for");
                    r.expect(same(u, r.read("/Users/" + text(u, "/id"))), "it differs from a GET of it");
                  }
                }});
  to.push_back({"list-unfiltered", "7644 3.4.2", "a query without a filter answers what there is", [](Run& r) {
                  const auto id = text(r.user(), "/id");
                  const auto reply = r.get("/Users?count=1");
                  r.status(reply, {200});
                  r.list(reply);
                  r.expect(number(reply.json, "/totalResults") >= 1, "totalResults");
                  (void)id;
                }});
  to.push_back({"list-empty", "7644 3.4.2", "nothing found is 200 with totalResults 0", [](Run& r) {
                  r.needs(r.facts.supports("filter"), "filter");
                  const auto reply =
                      r.get("/Users?filter=" + escaped("userName eq \"" + r.prefix() + "-nobody\""));
                  r.status(reply, {200});
                  r.expect(number(reply.json, "/totalResults") == 0 && rows(reply) == 0, reply.body);
                }});
  to.push_back({"page-count", s, "count limits the page, not totalResults", [](Run& r) {
                  const auto reply = r.get("/Users?count=2&" + five(r).filter);
                  r.expect(rows(reply) == 2 && number(reply.json, "/totalResults") == 5 &&
                               number(reply.json, "/itemsPerPage") == 2,
                           reply.body.substr(0, 200));
                }});
  to.push_back({"page-start-index", s, "startIndex is answered and counts from 1", [](Run& r) {
                  const auto f = five(r);
                  const auto reply = r.get("/Users?startIndex=4&count=10&" + f.filter);
                  r.expect(number(reply.json, "/startIndex") == 4 && rows(reply) == 2 &&
                               number(reply.json, "/totalResults") == 5,
                           reply.body.substr(0, 200));
                }});
  to.push_back({"page-all", s, "the pages together show each one once", [](Run& r) {
                  const auto f = five(r);
                  std::set<std::string> seen;
                  std::size_t total = 0;
                  for (int start = 1; start <= 5; start += 2) {
                    const auto reply =
                        r.get("/Users?startIndex=" + std::to_string(start) + "&count=2&" + f.filter);
                    r.status(reply, {200});
                    for (const auto& u : items(reply.json, "/Resources")) seen.insert(text(u, "/id"));
                    total += rows(reply);
                  }
                  r.expect(seen == f.ids && total == 5, "other ones");
                }});
  for (const auto* start : {"0", "-5"})
    to.push_back({std::string("page-start-") + (start[0] == '0' ? "zero" : "negative"), s,
                  std::string("startIndex ") + start + " means 1", [start](Run& r) {
                    const auto reply = r.get("/Users?startIndex=" + std::string(start) + "&" + five(r).filter);
                    r.status(reply, {200});
                    r.expect(rows(reply) == 5 && (number(reply.json, "/startIndex") == 1 ||
                                                  at(reply.json, "/startIndex").is_null()),
                             reply.body.substr(0, 200));
                  }});
  for (const auto* count : {"0", "-1"})
    to.push_back({std::string("page-count-") + (count[0] == '0' ? "zero" : "negative"), s,
                  std::string("count ") + count + " shows totalResults alone", [count](Run& r) {
                    const auto reply = r.get("/Users?count=" + std::string(count) + "&" + five(r).filter);
                    r.status(reply, {200});
                    r.expect(rows(reply) == 0 && number(reply.json, "/totalResults") == 5,
                             reply.body.substr(0, 200));
                  }});
  to.push_back({"page-beyond", s, "a page behind the last one is empty", [](Run& r) {
                  const auto reply = r.get("/Users?startIndex=100&" + five(r).filter);
                  r.status(reply, {200});
                  r.expect(rows(reply) == 0 && number(reply.json, "/totalResults") == 5,
                           reply.body.substr(0, 200));
                }});
  to.push_back({"page-max-results", "7643 5", "no page is larger than filter.maxResults", [](Run& r) {
                  const auto most = number(r.facts.config, "/filter/maxResults");
                  const auto reply = r.get("/Users?count=100000000");
                  r.status(reply, {200, 400});
                  if (reply.status == 200)
                    r.expect(most < 0 || static_cast<std::int64_t>(rows(reply)) <= most, "it is");
                }});
  for (const auto* query : {"count=many", "startIndex=first"})
    to.push_back(
        {std::string("page-no-number-") + query[0], s, std::string(query) + " is 400 or ignored", [query](Run& r) {
           r.status(r.get("/Users?" + std::string(query)), {200, 400});
         }});
  to.push_back({"page-groups", s, "Groups in pages", [](Run& r) {
                  (void)r.group();
                  (void)r.group();
                  const auto reply = r.get("/Groups?count=1");
                  r.status(reply, {200});
                  r.expect(rows(reply) == 1 && number(reply.json, "/totalResults") >= 2,
                           reply.body.substr(0, 200));
                }});
  to.push_back({"query-parameter-unknown", "7644 3.4.2", "an unknown parameter is ignored",
                [](Run& r) { r.status(r.get("/Users?noSuchParameter=1&count=1"), {200}); }});
}

void add_search(Checks& to) {
  constexpr auto s = "7644 3.4.3";
  const auto body = [](const std::string& filter, json::object more) {
    more["schemas"] = json::array{json::string(search_schema)};
    if (!filter.empty()) more["filter"] = filter;
    return more;
  };
  const auto finds = [](Run& r) {
    (void)five(r);
    return "userName sw \"" + r.prefix() + ".page\"";
  };
  to.push_back({"search-type", s, "POST /Users/.search answers what GET would", [=](Run& r) {
                  const auto filter = finds(r);
                  const auto reply = r.post("/Users/.search", body(filter, {}));
                  r.status(reply, {200});
                  r.list(reply);
                  r.expect(same(at(reply.json, "/Resources"),
                                at(r.get("/Users?filter=" + escaped(filter)).json, "/Resources")),
                           "something else");
                }});
  to.push_back({"search-paging", s, "startIndex and count", [=](Run& r) {
                  const auto reply = r.post("/Users/.search", body(finds(r), {{"startIndex", 2}, {"count", 3}}));
                  r.status(reply, {200});
                  r.expect(rows(reply) == 3 && number(reply.json, "/startIndex") == 2 &&
                               number(reply.json, "/totalResults") == 5,
                           reply.body.substr(0, 200));
                }});
  to.push_back(
      {"search-attributes", s, "attributes", [=](Run& r) {
         const auto reply = r.post("/Users/.search", body(finds(r), {{"attributes", json::array{"title"}}}));
         r.status(reply, {200});
         r.expect(
             text(reply.json, "/Resources/0/title") == "T" && at(reply.json, "/Resources/0/userName").is_null(),
             reply.body.substr(0, 200));
       }});
  to.push_back({"search-excluded", s, "excludedAttributes", [=](Run& r) {
                  const auto reply =
                      r.post("/Users/.search", body(finds(r), {{"excludedAttributes", json::array{"title"}}}));
                  r.status(reply, {200});
                  r.expect(at(reply.json, "/Resources/0/title").is_null() &&
                               !text(reply.json, "/Resources/0/userName").empty(),
                           reply.body.substr(0, 200));
                }});
  to.push_back({"search-root", s, "POST /.search finds resources of all types", [=](Run& r) {
                  const auto user = text(r.user(), "/id"), group = text(r.group(), "/id");
                  const auto reply =
                      r.post("/.search", body("id eq \"" + user + "\" or id eq \"" + group + "\"", {}));
                  r.status(reply, {200});
                  r.expect(number(reply.json, "/totalResults") == 2, reply.body.substr(0, 300));
                }});
  to.push_back({"search-bad-filter", s, "a bad filter is invalidFilter", [=](Run& r) {
                  r.error(r.post("/Users/.search", body("userName eq", {})), 400, {"invalidFilter"});
                }});
  to.push_back({"search-no-filter", s, "a search without a filter answers what there is", [=](Run& r) {
                  const auto reply = r.post("/Users/.search", body({}, {{"count", 1}}));
                  r.status(reply, {200});
                  r.list(reply);
                }});
  to.push_back({"search-wrong-schema", s, "a body that is no SearchRequest is 400", [=](Run& r) {
                  r.error(r.post("/Users/.search",
                                 J(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"count":1})")),
                          400);
                  r.error(r.http.send("POST", "/Users/.search", "[]"), 400);
                }});
  to.push_back({"search-get", s, "GET of .search is refused", [](Run& r) {
                  r.status(r.get("/Users/.search"), {400, 404, 405, 501});
                }});
  constexpr auto root = "7644 3.4.2.1";
  to.push_back({"root-query", root, "GET / with a filter finds resources of all types", [](Run& r) {
                  r.needs(r.facts.supports("filter"), "filter");
                  const auto user = text(r.user(), "/id"), group = text(r.group(), "/id");
                  const auto reply =
                      r.get("/?filter=" + escaped("id eq \"" + user + "\" or id eq \"" + group + "\""));
                  if (reply.status == 403 || reply.status == 501)
                    throw Skipped{"queries across types are refused"};
                  r.status(reply, {200});
                  r.list(reply);
                  r.expect(number(reply.json, "/totalResults") == 2, reply.body.substr(0, 300));
                }});
  to.push_back({"root-query-resource-type", root, "meta.resourceType tells them apart", [](Run& r) {
                  r.needs(r.facts.supports("filter"), "filter");
                  const auto user = text(r.user(), "/id"), group = text(r.group(), "/id");
                  const auto reply = r.get("/?filter=" + escaped("(id eq \"" + user + "\" or id eq \"" + group +
                                                                 "\") and meta.resourceType eq \"Group\""));
                  if (reply.status == 403 || reply.status == 501)
                    throw Skipped{"queries across types are refused"};
                  r.status(reply, {200});
                  r.expect(rows(reply) == 1 && text(reply.json, "/Resources/0/id") == group,
                           reply.body.substr(0, 300));
                }});
  to.push_back(
      {"root-query-unknown-attribute", root, "an attribute that a type lacks has no value there", [](Run& r) {
         r.needs(r.facts.supports("filter"), "filter");
         const auto made = r.user();
         (void)r.group();
         const auto reply = r.get("/?filter=" + escaped("userName eq \"" + text(made, "/userName") + "\""));
         if (reply.status == 403 || reply.status == 501) throw Skipped{"queries across types are refused"};
         r.status(reply, {200});
         r.expect(rows(reply) == 1, reply.body.substr(0, 300));
       }});
}

}  // namespace deprov::conformance
