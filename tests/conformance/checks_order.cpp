// RFC 7644 section 3.4.2.3 (sorting), RFC 9865 (cursors), RFC 7644 section 3.14 (versions).
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

std::vector<std::string> names(Run& r, const Reply& reply, const char* pointer = "/nickName") {
  r.status(reply, {200});
  std::vector<std::string> out;
  if (const auto all = at(reply.json, "/Resources"); all.is_array())
    for (const auto& u : all.get_array()) out.push_back(text(u, pointer));
  return out;
}

std::string joined(const std::vector<std::string>& v) {
  std::string out;
  for (const auto& s : v) out += (out.empty() ? "" : " ") + s;
  return out;
}

/// Four users; titles b, A, c, none.
std::string four(Run& r) {
  r.needs(r.facts.supports("filter"), "filter");
  const auto add = [&](const char* nick, json::object more) {
    more["nickName"] = nick;
    more["userName"] = r.prefix() + ".sort" + nick + "@example.com";
    (void)r.user(more);
  };
  add("two",
      J(R"({"title":"b","name":{"familyName":"Young"},"active":true,"emails":[{"value":"1@example.com"},{"value":"9@example.com","primary":true}]})")
          .as_object());
  add("one",
      J(R"({"title":"A","name":{"familyName":"adams"},"active":false,"emails":[{"value":"5@example.com","primary":true}]})")
          .as_object());
  add("three",
      J(R"({"title":"c","name":{"familyName":"Miller"},"active":true,"emails":[{"value":"3@example.com"}]})")
          .as_object());
  add("none", {});
  return "filter=" + escaped("userName sw \"" + r.prefix() + ".sort\"");
}

void sorted(Checks& to, const char* id, const char* title, const char* query, const char* expected) {
  to.push_back({id, "7644 3.4.2.3", title, [query, expected](Run& r) {
                  r.needs(r.facts.supports("sort"), "sort");
                  const auto order = joined(names(r, r.get("/Users?" + four(r) + "&" + query)));
                  r.expect(order == expected, "the order is " + order + ", not " + expected);
                }});
}

struct Pages {
  std::vector<std::string> seen;
  std::size_t pages = 0;
};
/// Follows nextCursor to the end.
Pages follow(Run& r, const std::string& query) {
  Pages out;
  std::string cursor;
  for (; out.pages < 50; ++out.pages) {
    const auto reply = r.get("/Users?" + query + "&cursor=" + cursor);
    r.status(reply, {200}, "a page by cursor");
    r.list(reply);
    if (const auto all = at(reply.json, "/Resources"); all.is_array())
      for (const auto& u : all.get_array()) out.seen.push_back(text(u, "/id"));
    if (out.pages == 0)
      r.expect(at(reply.json, "/previousCursor").is_null(), "the first page has a previousCursor");
    cursor = text(reply.json, "/nextCursor");
    if (cursor.empty()) {
      ++out.pages;
      break;
    }
    r.expect(cursor == escaped(cursor), "the cursor has other characters than the unreserved ones: " + cursor);
  }
  return out;
}

std::string seven(Run& r, std::set<std::string>& ids) {
  r.needs(r.facts.pages_by_cursor(), "paging by cursor");
  for (int i = 0; i < 7; ++i)
    ids.insert(text(r.user({{"userName", r.prefix() + ".cursor" + std::to_string(i) + "@example.com"}}), "/id"));
  return "filter=" + escaped("userName sw \"" + r.prefix() + ".cursor\"");
}

}  // namespace

void add_sort(Checks& to) {
  sorted(to, "sort-default-ascending", "sortBy alone is ascending, without a value last", "sortBy=title",
         "one two three none");
  sorted(to, "sort-ascending", "sortOrder=ascending", "sortBy=title&sortOrder=ascending", "one two three none");
  sorted(to, "sort-descending", "sortOrder=descending, without a value first", "sortBy=title&sortOrder=descending",
         "none three two one");
  sorted(to, "sort-sub-attribute", "by a sub-attribute, in any case of letters", "sortBy=name.familyName",
         "one three two none");
  sorted(to, "sort-multi-valued", "a multi-valued one by its primary value, else the first", "sortBy=emails",
         "three one two none");
  sorted(to, "sort-multi-valued-sub", "and by its sub-attribute", "sortBy=emails.value", "three one two none");
  sorted(to, "sort-urn", "by an attribute with its URN", "sortBy=urn:ietf:params:scim:schemas:core:2.0:User:title",
         "one two three none");
  sorted(to, "sort-name-case", "by a name in another case", "sortBy=TITLE", "one two three none");
  sorted(to, "sort-page", "a sorted page", "sortBy=title&startIndex=2&count=2", "two three");
  to.push_back({"sort-user-name", "7644 3.4.2.3", "by userName", [](Run& r) {
                  r.needs(r.facts.supports("sort"), "sort");
                  const auto order = joined(names(r, r.get("/Users?" + four(r) + "&sortBy=userName")));
                  r.expect(order == "none one three two", order);
                }});
  to.push_back({"sort-created", "7644 3.4.2.3", "by a dateTime", [](Run& r) {
                  r.needs(r.facts.supports("sort"), "sort");
                  const auto reply = r.get("/Users?" + four(r) + "&sortBy=meta.created&sortOrder=descending");
                  const auto all = names(r, reply, "/meta/created");
                  r.expect(all.size() == 4 && std::is_sorted(all.rbegin(), all.rend()), joined(all));
                }});
  to.push_back({"sort-search", "7644 3.4.3", "sortBy and sortOrder in a SearchRequest", [](Run& r) {
                  r.needs(r.facts.supports("sort"), "sort");
                  (void)four(r);
                  const auto reply =
                      r.post("/Users/.search", json::object{{"schemas", json::array{json::string(search_schema)}},
                                                            {"filter", "userName sw \"" + r.prefix() + ".sort\""},
                                                            {"sortBy", "title"},
                                                            {"sortOrder", "descending"}});
                  r.expect(joined(names(r, reply)) == "none three two one", joined(names(r, reply)));
                }});
  to.push_back({"sort-unknown-order", "7644 3.4.2.3", "an unknown sortOrder is 400 or ignored", [](Run& r) {
                  r.status(r.get("/Users?sortBy=userName&count=1&sortOrder=sideways"), {200, 400});
                }});
}

void add_cursor(Checks& to) {
  to.push_back(
      {"cursor-all", "9865 2", "the pages together show each one once; nextCursor until the last", [](Run& r) {
         std::set<std::string> ids;
         const auto query = seven(r, ids);
         const auto pages = follow(r, query + "&count=3");
         r.expect(std::set<std::string>(pages.seen.begin(), pages.seen.end()) == ids && pages.seen.size() == 7,
                  std::to_string(pages.seen.size()) + " rows");
         r.expect(pages.pages == 3, std::to_string(pages.pages) + " pages");
       }});
  to.push_back({"cursor-last-page", "9865 2", "a last page that is full has no nextCursor", [](Run& r) {
                  std::set<std::string> ids;
                  const auto query = seven(r, ids);
                  const auto reply = r.get("/Users?" + query + "&count=7&cursor");
                  r.status(reply, {200});
                  r.expect(at(reply.json, "/nextCursor").is_null(), reply.body.substr(0, 200));
                }});
  to.push_back({"cursor-bare", "9865 2", "`cursor` without a value asks for the first page", [](Run& r) {
                  std::set<std::string> ids;
                  const auto query = seven(r, ids);
                  const auto reply = r.get("/Users?" + query + "&count=2&cursor");
                  r.status(reply, {200});
                  r.expect(!text(reply.json, "/nextCursor").empty() &&
                               at(reply.json, "/Resources").as_array().size() == 2,
                           reply.body.substr(0, 200));
                }});
  to.push_back({"cursor-total", "9865 2", "totalResults, where there is one, counts all pages", [](Run& r) {
                  std::set<std::string> ids;
                  const auto query = seven(r, ids);
                  const auto total = at(r.get("/Users?" + query + "&count=2&cursor=").json, "/totalResults");
                  r.expect(total.is_null() || total == json::value(7), json::serialize(total));
                }});
  to.push_back({"cursor-count-zero", "9865 2", "count=0 shows no resource", [](Run& r) {
                  std::set<std::string> ids;
                  const auto query = seven(r, ids);
                  for (const auto* count : {"0", "-3"}) {
                    const auto reply = r.get("/Users?" + query + "&cursor=&count=" + count);
                    r.status(reply, {200});
                    r.expect(unassigned(reply.json, "/Resources"), reply.body.substr(0, 200));
                  }
                }});
  to.push_back({"cursor-invalid", "9865 2.1", "a cursor that nobody gave out is 400 invalidCursor", [](Run& r) {
                  std::set<std::string> ids;
                  r.error(r.get("/Users?" + seven(r, ids) + "&count=2&cursor=forged"), 400, {"invalidCursor"});
                }});
  to.push_back({"cursor-tampered", "9865 5.2", "a cursor that was changed is 400 invalidCursor", [](Run& r) {
                  std::set<std::string> ids;
                  const auto query = seven(r, ids);
                  auto cursor = text(r.get("/Users?" + query + "&count=2&cursor=").json, "/nextCursor");
                  r.expect(cursor.size() > 4, "no cursor");
                  auto& c = cursor[cursor.size() / 2];
                  c = c == 'A' ? 'B' : 'A';
                  r.error(r.get("/Users?" + query + "&count=2&cursor=" + cursor), 400, {"invalidCursor"});
                }});
  to.push_back({"cursor-other-query", "9865 2", "a cursor of another query is refused", [](Run& r) {
                  std::set<std::string> ids;
                  const auto query = seven(r, ids);
                  const auto cursor = text(r.get("/Users?" + query + "&count=2&cursor=").json, "/nextCursor");
                  r.error(r.get("/Users?filter=" + escaped("userName pr") + "&count=2&cursor=" + cursor), 400,
                          {"invalidCursor"});
                }});
  to.push_back({"cursor-other-count", "9865 2.1",
                "another count than the first is invalidCount, or served within it", [](Run& r) {
                  std::set<std::string> ids;
                  const auto query = seven(r, ids);
                  const auto cursor = text(r.get("/Users?" + query + "&count=2&cursor=").json, "/nextCursor");
                  const auto reply = r.get("/Users?" + query + "&count=3&cursor=" + cursor);
                  r.status(reply, {200, 400});
                  if (reply.status == 400) r.error(reply, 400, {"invalidCount"});
                  if (reply.status == 200)
                    r.expect(at(reply.json, "/Resources").as_array().size() <= 3, "more than count");
                }});
  to.push_back({"cursor-previous", "9865 2", "previousCursor, where there is one, leads back", [](Run& r) {
                  std::set<std::string> ids;
                  const auto query = seven(r, ids) + "&count=2&cursor=";
                  const auto first = r.get("/Users?" + query);
                  const auto second = r.get("/Users?" + query + text(first.json, "/nextCursor"));
                  const auto back = text(second.json, "/previousCursor");
                  if (back.empty()) throw Skipped{"there is no previousCursor"};
                  r.expect(
                      same(at(r.get("/Users?" + query + back).json, "/Resources"), at(first.json, "/Resources")),
                      "another page");
                }});
  to.push_back({"cursor-search", "9865 3", "cursor in a SearchRequest", [](Run& r) {
                  std::set<std::string> ids;
                  (void)seven(r, ids);
                  json::object body{{"schemas", json::array{json::string(search_schema)}},
                                    {"filter", "userName sw \"" + r.prefix() + ".cursor\""},
                                    {"count", 4},
                                    {"cursor", ""}};
                  std::set<std::string> seen;
                  for (int page = 0; page < 2; ++page) {
                    const auto reply = r.post("/Users/.search", body);
                    r.status(reply, {200});
                    for (const auto& u : items(reply.json, "/Resources")) seen.insert(text(u, "/id"));
                    body["cursor"] = at(reply.json, "/nextCursor");
                    r.expect((page == 0) == at(reply.json, "/nextCursor").is_string(), reply.body.substr(0, 200));
                  }
                  r.expect(seen == ids, "other ones");
                }});
  to.push_back({"cursor-sorted", "9865 2.2", "pages by cursor are sorted where sorting was asked for", [](Run& r) {
                  std::set<std::string> ids;
                  const auto query = seven(r, ids);
                  r.needs(r.facts.supports("sort"), "sort");
                  const auto pages = follow(r, query + "&count=3&sortBy=userName&sortOrder=descending");
                  std::vector<std::string> order;
                  for (const auto& u : items(
                           r.get("/Users?" + query + "&sortBy=userName&sortOrder=descending").json, "/Resources"))
                    order.push_back(text(u, "/id"));
                  r.expect(pages.seen == order, "another order");
                }});
  to.push_back(
      {"cursor-index-default", "9865 2.4", "without cursor and startIndex the default method answers", [](Run& r) {
         r.needs(r.facts.pages_by_cursor(), "paging by cursor");
         if (text(r.facts.config, "/pagination/defaultPaginationMethod") != "index")
           throw Skipped{"the default is not index"};
         (void)r.user();
         (void)r.user();
         r.expect(at(r.get("/Users?count=1").json, "/nextCursor").is_null(), "a nextCursor without asking for it");
       }});
}

void add_etags(Checks& to) {
  constexpr auto s = "7644 3.14";
  const auto made = [](Run& r) {
    r.needs(r.facts.supports("etag"), "etag");
    return r.user({{"title", "T"}});
  };
  const auto path = [](const json::value& user) { return "/Users/" + text(user, "/id"); };
  const json::value change = J(R"([{"op":"replace","path":"title","value":"New"}])");
  to.push_back({"etag-shown", s, "ETag is meta.version", [=](Run& r) {
                  const auto user = made(r);
                  const auto reply = r.get(path(user));
                  r.expect(
                      !reply.header("etag").empty() && reply.header("etag") == text(reply.json, "/meta/version"),
                      reply.header("etag") + " and " + text(reply.json, "/meta/version"));
                  const auto posted = r.post("/Users", r.user_body());
                  r.expect(posted.header("etag") == text(posted.json, "/meta/version"), "of POST");
                }});
  to.push_back({"etag-changes", s, "the version changes with the resource", [=](Run& r) {
                  const auto user = made(r);
                  r.expect(text(r.patched(path(user), change), "/meta/version") != text(user, "/meta/version"),
                           "it does not");
                }});
  to.push_back({"etag-groups", s, "the version of a User that shows its groups changes with them", [=](Run& r) {
                  const auto user = made(r);
                  const auto before = text(r.read(path(user)), "/meta/version");
                  r.group({text(user, "/id")});
                  const auto now = r.read(path(user));
                  r.needs(!unassigned(now, "/groups"), "groups of Users");
                  r.expect(text(now, "/meta/version") != before, "it is the same");
                  r.status(r.get(path(user), {{"If-None-Match", before}}), {200});
                }});
  to.push_back({"etag-stays", s, "the version stays while the resource does", [=](Run& r) {
                  const auto user = made(r);
                  r.expect(text(r.read(path(user)), "/meta/version") == text(user, "/meta/version"), "it changed");
                }});
  to.push_back({"etag-304", s, "If-None-Match with the version is 304 without a body", [=](Run& r) {
                  const auto user = made(r);
                  const auto reply = r.get(path(user), {{"If-None-Match", text(user, "/meta/version")}});
                  r.status(reply, {304});
                  r.expect(reply.body.empty(), "with a body");
                  r.status(r.get(path(user), {{"If-None-Match", "W/\"other\", " + text(user, "/meta/version")}}),
                           {304}, "in a list");
                  r.status(r.get(path(user), {{"If-None-Match", "*"}}), {304}, "*");
                }});
  to.push_back({"etag-none-match-other", s, "If-None-Match with another version is 200", [=](Run& r) {
                  r.status(r.get(path(made(r)), {{"If-None-Match", "W/\"other\""}}), {200});
                }});
  to.push_back({"etag-match", s, "If-Match with the version lets PUT, PATCH and DELETE through", [=](Run& r) {
                  auto user = made(r);
                  auto version = text(user, "/meta/version");
                  r.status(r.patch(path(user), change, {{"If-Match", version}}), {200, 204}, "PATCH");
                  version = text(r.read(path(user)), "/meta/version");
                  r.status(r.put(path(user), user, {{"If-Match", version}}), {200}, "PUT");
                  version = text(r.read(path(user)), "/meta/version");
                  r.status(r.del(path(user), {{"If-Match", version}}), {204}, "DELETE");
                }});
  to.push_back({"etag-412-patch", s, "If-Match with an old version: PATCH is 412 and does nothing", [=](Run& r) {
                  const auto user = made(r);
                  r.error(r.patch(path(user), change, {{"If-Match", "W/\"other\""}}), 412);
                  r.expect(text(r.read(path(user)), "/title") == "T", "it was done");
                }});
  to.push_back({"etag-412-put", s, "If-Match with an old version: PUT is 412 and does nothing", [=](Run& r) {
                  const auto user = made(r);
                  auto body = user.as_object();
                  body["title"] = "New";
                  r.error(r.put(path(user), body, {{"If-Match", "W/\"other\""}}), 412);
                  r.expect(text(r.read(path(user)), "/title") == "T", "it was done");
                }});
  to.push_back({"etag-412-delete", s, "If-Match with an old version: DELETE is 412 and does nothing", [=](Run& r) {
                  const auto user = made(r);
                  r.error(r.del(path(user), {{"If-Match", "W/\"other\""}}), 412);
                  r.status(r.get(path(user)), {200});
                }});
  to.push_back({"etag-match-any", s, "If-Match: * lets pass what exists", [=](Run& r) {
                  r.status(r.patch(path(made(r)), change, {{"If-Match", "*"}}), {200, 204});
                }});
  to.push_back({"etag-in-list", s, "resources of a list have their version", [=](Run& r) {
                  const auto user = made(r);
                  const auto reply = r.get("/Users?filter=" + escaped("id eq \"" + text(user, "/id") + "\""));
                  r.expect(text(reply.json, "/Resources/0/meta/version") == text(user, "/meta/version"),
                           reply.body.substr(0, 200));
                }});
  to.push_back({"etag-group", s, "a Group's version changes with its members", [=](Run& r) {
                  const auto user = made(r);
                  const auto group = r.group();
                  const auto now = r.patched(
                      "/Groups/" + text(group, "/id"),
                      json::array{json::object{{"op", "add"},
                                               {"path", "members"},
                                               {"value", json::array{json::object{{"value", at(user, "/id")}}}}}});
                  r.expect(text(now, "/meta/version") != text(group, "/meta/version"), "it does not");
                }});
}

}  // namespace deprov::conformance
