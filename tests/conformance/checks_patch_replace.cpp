// RFC 7644 sections 3.5.2.2 and 3.5.2.3: `remove` and `replace`; and PATCH of Groups.
#include <boost/json/serialize.hpp>
#include <set>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

constexpr auto sr = "7644 3.5.2.2";
constexpr auto sp = "7644 3.5.2.3";

const char* const person =
    R"({"title":"Old","displayName":"D","active":true,"name":{"givenName":"G","familyName":"F"},
  "emails":[{"value":"w@example.com","type":"work","primary":true},{"value":"h@example.com","type":"home"}]})";

std::string fresh(Run& r, bool extended = false) {
  r.needs(r.facts.supports("patch"), "patch");
  auto body = J(person).as_object();
  if (extended) {
    r.needs(r.facts.schemas.count(enterprise_schema) != 0, "the enterprise extension");
    body[enterprise_schema] = J(R"({"department":"D","division":"V"})");
  }
  return "/Users/" + text(r.user(body), "/id");
}

/// `gone`: pointers that are unassigned afterwards.
void shows(Checks& to, const char* id, const char* section, const char* title, const char* operations,
           const char* afterwards, std::vector<std::string> gone = {}, bool extended = false) {
  to.push_back({id, section, title, [operations, afterwards, gone, extended](Run& r) {
                  const auto now = r.patched(fresh(r, extended), J(operations));
                  r.expect(holds(now, J(afterwards)), json::serialize(now));
                  for (const auto& p : gone)
                    r.expect(unassigned(now, p), p + " is still there: " + json::serialize(now));
                }});
}

void refused(Checks& to, const char* id, const char* section, const char* title, const char* operations,
             std::string_view type, std::string_view other = {}) {
  to.push_back({id, section, title, [operations, type, other](Run& r) {
                  r.patch_refused(fresh(r), J(operations), {type, other.empty() ? type : other});
                }});
}

/// The values of `emails`, exactly.
void emails(Checks& to, const char* id, const char* section, const char* title, const char* operations,
            std::set<std::string> left) {
  to.push_back({id, section, title, [operations, left](Run& r) {
                  const auto now = r.patched(fresh(r), J(operations));
                  std::set<std::string> values;
                  if (const auto all = at(now, "/emails"); all.is_array())
                    for (const auto& e : all.get_array()) values.insert(text(e, "/value"));
                  r.expect(values == left, json::serialize(at(now, "/emails")));
                }});
}

void add_remove(Checks& to) {
  shows(to, "patch-remove-single", sr, "remove of a single-valued attribute unassigns it",
        R"([{"op":"remove","path":"title"}])", R"({"displayName":"D"})", {"/title"});
  shows(to, "patch-remove-sub", sr, "remove of a sub-attribute leaves the others",
        R"([{"op":"remove","path":"name.givenName"}])", R"({"name":{"familyName":"F"}})", {"/name/givenName"});
  shows(to, "patch-remove-complex", sr, "remove of a complex attribute takes it whole",
        R"([{"op":"remove","path":"name"}])", "{}", {"/name"});
  emails(to, "patch-remove-all-values", sr, "remove of a multi-valued attribute takes all values",
         R"([{"op":"remove","path":"emails"}])", {});
  emails(to, "patch-remove-by-filter", sr, "remove by filter takes the values that match",
         R"([{"op":"remove","path":"emails[type eq \"home\"]"}])", {"w@example.com"});
  emails(to, "patch-remove-by-compound-filter", sr, "remove by a filter with and",
         R"([{"op":"remove","path":"emails[type eq \"work\" and value ew \"example.com\"]"}])", {"h@example.com"});
  emails(to, "patch-remove-by-negated-filter", sr, "remove by a filter with not",
         R"([{"op":"remove","path":"emails[not (type eq \"work\")]"}])", {"w@example.com"});
  emails(to, "patch-remove-last-by-filter", sr, "the attribute is unassigned when the last value goes",
         R"([{"op":"remove","path":"emails[value pr]"}])", {});
  to.push_back(
      {"patch-remove-sub-by-filter", sr, "remove of a sub-attribute of the values that match", [](Run& r) {
         const auto now = r.patched(fresh(r), J(R"([{"op":"remove","path":"emails[type eq \"work\"].primary"}])"));
         for (const auto& e : items(now, "/emails"))
           r.expect(at(e, "/primary") != json::value(true), json::serialize(e));
         r.expect(at(now, "/emails").as_array().size() == 2, "a value is gone");
       }});
  shows(to, "patch-remove-absent", sr, "remove of an attribute without a value succeeds",
        R"([{"op":"remove","path":"nickName"}])", R"({"title":"Old"})");
  shows(to, "patch-remove-extension-attribute", sr, "remove of an extension's attribute by URN",
        R"([{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division"}])",
        R"({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"}})",
        {"/" + enterprise_schema + "/division"}, true);
  shows(to, "patch-remove-extension", sr, "remove of a whole extension",
        R"([{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"}])", "{}",
        {"/" + enterprise_schema}, true);
  refused(to, "patch-remove-no-path", sr, "remove without a path is noTarget", R"([{"op":"remove"}])", "noTarget");
  refused(to, "patch-remove-required", sr, "remove of a required attribute is mutability",
          R"([{"op":"remove","path":"userName"}])", "mutability", "invalidValue");
  refused(to, "patch-remove-id", sr, "remove of id is mutability", R"([{"op":"remove","path":"id"}])",
          "mutability");
  refused(to, "patch-remove-meta", sr, "remove of meta is mutability", R"([{"op":"remove","path":"meta"}])",
          "mutability");
  refused(to, "patch-remove-unknown", sr, "remove of an attribute that there is not",
          R"([{"op":"remove","path":"noSuchAttribute"}])", "invalidPath", "noTarget");
}

void add_replace(Checks& to) {
  shows(to, "patch-replace-single", sp, "replace of a single-valued attribute",
        R"([{"op":"replace","path":"title","value":"New"}])", R"({"title":"New","displayName":"D"})");
  shows(to, "patch-replace-boolean", sp, "replace of a boolean",
        R"([{"op":"replace","path":"active","value":false}])", R"({"active":false})");
  shows(to, "patch-replace-absent", sp, "replace of an attribute without a value adds it",
        R"([{"op":"replace","path":"nickName","value":"N"}])", R"({"nickName":"N"})");
  shows(to, "patch-replace-without-path", sp, "replace without a path replaces each attribute of the value",
        R"([{"op":"replace","value":{"title":"New","nickName":"N"}}])",
        R"({"title":"New","nickName":"N","displayName":"D"})");
  emails(to, "patch-replace-values", sp, "replace of a multi-valued attribute replaces all values",
         R"([{"op":"replace","path":"emails","value":[{"value":"o@example.com"}]}])", {"o@example.com"});
  emails(to, "patch-replace-values-without-path", sp, "and so it does without a path",
         R"([{"op":"replace","value":{"emails":[{"value":"o@example.com"},{"value":"p@example.com"}]}}])",
         {"o@example.com", "p@example.com"});
  shows(to, "patch-replace-complex", sp, "replace of a complex attribute sets the given sub-attributes",
        R"([{"op":"replace","path":"name","value":{"givenName":"New"}}])",
        R"({"name":{"givenName":"New","familyName":"F"}})");
  shows(to, "patch-replace-sub", sp, "replace of a sub-attribute leaves the others",
        R"([{"op":"replace","path":"name.givenName","value":"New"}])",
        R"({"name":{"givenName":"New","familyName":"F"}})");
  emails(to, "patch-replace-by-filter", sp, "replace of the values that a filter selects",
         R"([{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"o@example.com","type":"work"}}])",
         {"o@example.com", "h@example.com"});
  emails(to, "patch-replace-sub-by-filter", sp, "replace of a sub-attribute of those values",
         R"([{"op":"replace","path":"emails[type eq \"work\"].value","value":"o@example.com"}])",
         {"o@example.com", "h@example.com"});
  shows(
      to, "patch-replace-extension", sp, "replace of an extension's attribute",
      R"([{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"E"}])",
      R"({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"E","division":"V"}})", {},
      true);
  shows(
      to, "patch-replace-extension-key", sp, "a URN with the attribute as a key of the value",
      R"([{"op":"replace","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"E"}}}])",
      R"({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"E"}})", {}, true);
  to.push_back({"patch-replace-primary", "7644 3.5.2", "primary moves to the value that is set to it", [](Run& r) {
                  const auto now = r.patched(
                      fresh(r), J(R"([{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}])"));
                  for (const auto& e : items(now, "/emails"))
                    r.expect((at(e, "/primary") == json::value(true)) == (text(e, "/type") == "home"),
                             json::serialize(at(now, "/emails")));
                }});
  to.push_back({"patch-replace-same", sp, "replace by the same value does not change lastModified", [](Run& r) {
                  const auto path = fresh(r);
                  const auto before = r.read(path);
                  const auto now = r.patched(path, J(R"([{"op":"replace","path":"title","value":"Old"}])"));
                  r.expect(text(now, "/meta/lastModified") == text(before, "/meta/lastModified"), "it did");
                }});
  refused(to, "patch-replace-no-match", sp, "replace by a filter that selects nothing is noTarget",
          R"([{"op":"replace","path":"emails[type eq \"other\"]","value":{"value":"x@example.com"}}])",
          "noTarget");
  refused(to, "patch-replace-read-only", sp, "replace of a readOnly attribute is mutability",
          R"([{"op":"replace","path":"id","value":"x"}])", "mutability");
  refused(to, "patch-replace-meta", sp, "replace of meta is mutability",
          R"([{"op":"replace","path":"meta.resourceType","value":"Group"}])", "mutability");
  refused(to, "patch-replace-wrong-type", sp, "replace by a value of another type",
          R"([{"op":"replace","path":"active","value":[1]}])", "invalidValue", "invalidSyntax");
  refused(to, "patch-replace-unknown", sp, "replace of an attribute that there is not",
          R"([{"op":"replace","path":"noSuchAttribute","value":"x"}])", "invalidPath", "noTarget");
}

std::set<std::string> members(Run& r, const std::string& path) {
  std::set<std::string> out;
  if (const auto all = at(r.read(path), "/members"); all.is_array())
    for (const auto& m : all.get_array()) out.insert(text(m, "/value"));
  return out;
}

json::value member_op(const char* op, const std::vector<std::string>& ids) {
  json::array values;
  for (const auto& id : ids) values.push_back(json::object{{"value", id}});
  return json::array{json::object{{"op", op}, {"path", "members"}, {"value", values}}};
}

}  // namespace

void add_patch_remove_replace(Checks& to) {
  add_remove(to);
  add_replace(to);
}

void add_group_patch(Checks& to) {
  /// A group of a and b, and c beside it.
  struct World {
    std::string a, b, c, path;
  };
  const auto world = [](Run& r) {
    r.needs(r.facts.supports("patch"), "patch");
    World w{text(r.user(), "/id"), text(r.user(), "/id"), text(r.user(), "/id"), {}};
    w.path = "/Groups/" + text(r.group({w.a, w.b}), "/id");
    return w;
  };
  const auto check = [&](const char* id, const char* section, const char* title,
                         const std::function<json::value(const World&)>& operations,
                         const std::function<std::set<std::string>(const World&)>& left) {
    to.push_back({id, section, title, [=](Run& r) {
                    const auto w = world(r);
                    r.patched(w.path, operations(w));
                    r.expect(members(r, w.path) == left(w), "other members than expected");
                  }});
  };
  using Ids = std::set<std::string>;
  check(
      "patch-group-add", "7644 3.5.2.1", "add of a member", [](const World& w) { return member_op("add", {w.c}); },
      [](const World& w) {
        return Ids{w.a, w.b, w.c};
      });
  check(
      "patch-group-add-again", "7644 3.5.2.1", "add of a member that is there changes nothing",
      [](const World& w) {
        return member_op("add", {w.a, w.c});
      },
      [](const World& w) {
        return Ids{w.a, w.b, w.c};
      });
  check(
      "patch-group-add-without-path", "7644 3.5.2.1", "add of members without a path",
      [](const World& w) {
        return json::array{json::object{
            {"op", "add"}, {"value", json::object{{"members", json::array{json::object{{"value", w.c}}}}}}}};
      },
      [](const World& w) {
        return Ids{w.a, w.b, w.c};
      });
  check(
      "patch-group-remove-by-filter", "7644 3.5.2.2", "remove of one member by filter",
      [](const World& w) {
        return json::array{json::object{{"op", "remove"}, {"path", "members[value eq \"" + w.a + "\"]"}}};
      },
      [](const World& w) { return Ids{w.b}; });
  check(
      "patch-group-remove-all", "7644 3.5.2.2", "remove of all members",
      [](const World&) { return J(R"([{"op":"remove","path":"members"}])"); }, [](const World&) { return Ids{}; });
  check(
      "patch-group-replace", "7644 3.5.2.3", "replace of all members",
      [](const World& w) { return member_op("replace", {w.c}); }, [](const World& w) { return Ids{w.c}; });
  check(
      "patch-group-replace-empty", "7644 3.5.2.3", "replace by an empty list",
      [](const World&) { return member_op("replace", {}); }, [](const World&) { return Ids{}; });
  check(
      "patch-group-rename", "7644 3.5.2.3", "a rename leaves the members",
      [](const World&) { return J(R"([{"op":"replace","path":"displayName","value":"Renamed"}])"); },
      [](const World& w) {
        return Ids{w.a, w.b};
      });
  check(
      "patch-group-rename-without-path", "7644 3.5.2.3", "and so it does without a path",
      [](const World&) { return J(R"([{"op":"replace","value":{"displayName":"Renamed"}}])"); },
      [](const World& w) {
        return Ids{w.a, w.b};
      });
  check(
      "patch-group-mixture", "7644 3.5.2", "the RFC's example: one member away, another in",
      [](const World& w) {
        return json::array{
            json::object{{"op", "remove"}, {"path", "members[value eq \"" + w.a + "\"]"}},
            json::object{
                {"op", "add"}, {"path", "members"}, {"value", json::array{json::object{{"value", w.c}}}}}};
      },
      [](const World& w) {
        return Ids{w.b, w.c};
      });
  to.push_back({"patch-group-shows-on-user", "7643 4.1.2", "groups of a User follows a PATCH of the Group",
                [world](Run& r) {
                  const auto w = world(r);
                  r.patched(w.path, member_op("add", {w.c}));
                  r.expect(holds(r.read("/Users/" + w.c),
                                 json::object{{"groups", json::array{json::object{{"value", w.path.substr(8)}}}}}),
                           "not there");
                  r.patched(w.path, J(R"([{"op":"remove","path":"members"}])"));
                  r.expect(unassigned(r.read("/Users/" + w.c), "/groups"), "still there");
                }});
  to.push_back(
      {"patch-group-required", "7644 3.5.2.2", "remove of a Group's displayName is refused", [world](Run& r) {
         r.patch_refused(world(r).path, J(R"([{"op":"remove","path":"displayName"}])"),
                         {"mutability", "invalidValue"});
       }});
  to.push_back({"patch-group-many", "7644 3.5.2.1", "many members at once", [world](Run& r) {
                  const auto w = world(r);
                  std::vector<std::string> ids;
                  for (int i = 0; i < 120; ++i) ids.push_back(text(r.user(), "/id"));
                  r.patched(w.path, member_op("add", ids));
                  r.expect(members(r, w.path).size() == ids.size() + 2, "some are missing");
                }});
}

}  // namespace deprov::conformance
