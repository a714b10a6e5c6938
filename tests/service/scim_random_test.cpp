// Requests by chance to the endpoint on both stores: every answer is the same to the byte.
#include <boost/json/serialize.hpp>
#include <random>
#include "catch.hpp"
#include "support/scim_world.hpp"

using namespace deprov;
using deprov::test::ScimReply;
using deprov::test::ScimWorld;

namespace {

namespace json = boost::json;

class Sender {
 public:
  Sender(std::uint32_t seed, const std::string& idp)
      : memory_(idp), sqlite_(idp, {}, {}, {}, true), engine_(seed) {}

  void step() {
    switch (below(12)) {
      case 0:
      case 1: return add_user();
      case 2: return add_group();
      case 3:
      case 4: return patch_user();
      case 5:
      case 6: return patch_group();
      case 7: return put_user();
      case 8: return remove();
      case 9: return read();
      default: return list();
    }
  }
  /// Both have recorded the same.
  void compare_ends() {
    CHECK(memory_.activity().size() == sqlite_.activity().size());
    for (const auto& path : {"/Users", "/Groups", "/"}) (void)send("GET", path, {}, {});
  }
  int created = 0, refused = 0;

 private:
  std::size_t below(std::size_t n) { return engine_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class T>
  T of(const std::vector<T>& all, const T& otherwise) {
    return all.empty() || one_in(12) ? otherwise : all[below(all.size())];
  }
  std::string name() { return "u" + std::to_string(below(40)) + (one_in(2) ? "@x.org" : "@X.ORG"); }
  std::string some_user() { return of(users_, std::string("01234567-89ab-7def-8123-456789abcdef")); }
  /// Or somebody who is no resource here, which one dialect keeps and the others refuse.
  std::string some_member() { return one_in(9) ? "n" + std::to_string(below(4)) : some_user(); }
  std::string some_group() { return of(groups_, std::string("01234567-89ab-7def-8123-456789abcdef")); }

  ScimReply send(const std::string& method, const std::string& path, const json::value& body,
                 const std::vector<service::Header>& headers) {
    memory_.clock.advance(std::chrono::milliseconds(7));
    sqlite_.clock.advance(std::chrono::milliseconds(7));
    const auto text = body.is_null() ? std::string() : json::serialize(body);
    const auto a = memory_.send(method, path, text, headers);
    const auto b = sqlite_.send(method, path, text, headers);
    INFO(method << " " << path << " " << text);
    CHECK(a.status == b.status);
    CHECK(a.text == b.text);
    CHECK(a.header("etag") == b.header("etag"));
    CHECK(a.header("location") == b.header("location"));
    CHECK(a.status < 500);
    if (a.status >= 400) ++refused;
    return a;
  }
  std::vector<service::Header> condition() {
    if (!one_in(5)) return {};
    return {{"If-Match", "W/\"" + std::to_string(1 + below(4)) + "\""}};
  }
  json::object user() {
    json::object o{{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}}, {"userName", name()}};
    if (one_in(2)) o["externalId"] = "e" + std::to_string(below(40));
    if (one_in(2)) o["displayName"] = "D" + std::to_string(below(5));
    if (one_in(2)) o["active"] = !one_in(3);
    if (one_in(2)) o["title"] = "T" + std::to_string(below(3));
    if (one_in(2))
      o["emails"] =
          json::array{json::object{{"value", name()}, {"type", one_in(2) ? "work" : "home"}, {"primary", true}}};
    if (one_in(3))
      o["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] =
          json::object{{"department", "P" + std::to_string(below(3))}};
    return o;
  }
  json::array members() {
    json::array out;
    for (auto n = below(5); n > 0; --n)
      out.push_back(json::object{{"value", some_member()}, {"display", "D" + std::to_string(below(5))}});
    if (!groups_.empty() && one_in(6)) out.push_back(json::object{{"value", some_group()}, {"type", "Group"}});
    return out;
  }
  void add_user() {
    const auto reply = send("POST", "/Users", user(), {});
    if (reply.status == 201) users_.push_back(reply.id());
    created += reply.status == 201 ? 1 : 0;
  }
  void add_group() {
    json::object o{{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:Group"}},
                   {"displayName", "G" + std::to_string(below(9))}};
    if (one_in(2)) o["members"] = members();
    const auto reply = send("POST", "/Groups", o, {});
    if (reply.status == 201) groups_.push_back(reply.id());
  }
  void patch(const std::string& path, json::array operations) {
    (void)send("PATCH", path,
               json::object{{"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
                            {"Operations", std::move(operations)}},
               condition());
  }
  void patch_user() {
    static const std::vector<std::string> ops = {"add", "replace", "remove"};
    json::array operations;
    for (auto n = 1 + below(3); n > 0; --n) {
      const auto op = ops[below(3)];
      const auto from = user();
      const auto& pick = *std::next(from.begin(), static_cast<std::ptrdiff_t>(1 + below(from.size() - 1)));
      json::object o{{"op", op}, {"path", pick.key()}};
      if (op != "remove") o["value"] = pick.value();
      operations.push_back(o);
    }
    patch("/Users/" + some_user(), operations);
  }
  void patch_group() {
    const auto path = "/Groups/" + some_group();
    switch (below(6)) {
      case 0:
        return patch(path,
                     {json::object{{"op", "remove"}, {"path", "members[value eq \"" + some_member() + "\"]"}}});
      case 1: return patch(path, {json::object{{"op", "replace"}, {"path", "members"}, {"value", members()}}});
      case 2:
        return patch(path,
                     {json::object{{"op", "replace"},
                                   {"value", json::object{{"displayName", "R" + std::to_string(below(9))}}}}});
      case 3:
        return patch(path, {json::object{{"op", "remove"},
                                         {"path", "members[display eq \"D" + std::to_string(below(5)) + "\"]"}}});
      default: return patch(path, {json::object{{"op", "add"}, {"path", "members"}, {"value", members()}}});
    }
  }
  void put_user() { (void)send("PUT", "/Users/" + some_user(), user(), condition()); }
  void remove() {
    const bool group = one_in(2);
    (void)send("DELETE", (group ? "/Groups/" + some_group() : "/Users/" + some_user()), nullptr, condition());
  }
  void read() {
    const std::string queries[] = {"", "?attributes=userName", "?excludedAttributes=emails,members",
                                   "?attributes=groups"};
    (void)send("GET", (one_in(2) ? "/Groups/" + some_group() : "/Users/" + some_user()) + queries[below(4)],
               nullptr, {});
  }
  void list() {
    const auto user = some_user(), group = some_group();
    const std::vector<std::string> filters = {"userName%20eq%20%22" + name() + "%22",
                                              "externalId%20eq%20%22e" + std::to_string(below(40)) + "%22",
                                              "active%20eq%20false",
                                              "emails.value%20co%20%22u1%22",
                                              "groups.value%20eq%20%22" + group + "%22",
                                              "id%20eq%20%22" + user + "%22",
                                              "title%20pr%20and%20active%20eq%20true",
                                              "meta.lastModified%20gt%20%222020-01-01T00:00:00Z%22",
                                              "not%20(displayName%20pr)",
                                              "emails%5Btype%20eq%20%22work%22%5D",
                                              "displayName%20eq%20%22D1%22%20or%20title%20eq%20%22T1%22"};
    std::string query = "?startIndex=" + std::to_string(below(8)) + "&count=" + std::to_string(below(7));
    if (!one_in(3)) query += "&filter=" + filters[below(filters.size())];
    if (one_in(3)) query += "&sortBy=userName&sortOrder=" + std::string(one_in(2) ? "descending" : "ascending");
    if (one_in(4))
      return (void)send("GET", "/Groups?filter=members.value%20eq%20%22" + some_member() + "%22", nullptr, {});
    if (one_in(6))
      return (void)send("GET", "/Groups?sortBy=displayName&filter=members.display%20eq%20%22D1%22", nullptr, {});
    if (one_in(6)) return (void)send("GET", "/" + query, nullptr, {});
    (void)send("GET", "/Users" + query, nullptr, {});
  }

  ScimWorld memory_;
  ScimWorld sqlite_;
  std::mt19937 engine_;
  std::vector<std::string> users_, groups_;
};

}  // namespace

TEST_CASE("requests by chance are answered the same on both stores") {
  for (const std::uint32_t seed : {1U, 2U, 3U}) {
    CAPTURE(seed);
    Sender sender(seed, seed == 2 ? "entra" : seed == 1 ? "okta" : "generic");
    for (int i = 0; i < 500; ++i) sender.step();
    sender.compare_ends();
    CHECK(sender.created > 15);
    CHECK(sender.refused > 15);
  }
}
