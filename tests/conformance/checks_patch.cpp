// RFC 7644 section 3.5.2 and 3.5.2.1: PATCH as a whole, and `add`.
#include <boost/json/serialize.hpp>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

constexpr auto s = "7644 3.5.2";
constexpr auto sa = "7644 3.5.2.1";

const char* const person = R"({"title":"Old","displayName":"D","name":{"givenName":"G","familyName":"F"},
  "emails":[{"value":"w@example.com","type":"work","primary":true},{"value":"h@example.com","type":"home"}]})";

std::string fresh(Run& r) {
  r.needs(r.facts.supports("patch"), "patch");
  return "/Users/" + text(r.user(J(person).as_object()), "/id");
}

/// A PATCH of a `person`, and what it has to hold afterwards.
void shows(Checks& to, const char* id, const char* section, const char* title, const char* operations,
           const char* afterwards) {
  to.push_back({id, section, title, [operations, afterwards](Run& r) {
                  const auto now = r.patched(fresh(r), J(operations));
                  r.expect(holds(now, J(afterwards)), json::serialize(now));
                }});
}

void refused(Checks& to, const char* id, const char* section, const char* title, const char* operations,
             std::initializer_list<std::string_view> types) {
  const std::vector<std::string_view> all(types);
  to.push_back({id, section, title, [operations, all](Run& r) {
                  const auto path = fresh(r);
                  if (all.size() == 1)
                    r.patch_refused(path, J(operations), {all[0]});
                  else if (all.size() == 2)
                    r.patch_refused(path, J(operations), {all[0], all[1]});
                  else
                    r.patch_refused(path, J(operations), {});
                }});
}

std::size_t size_of(const json::value& in, std::string_view pointer) {
  const auto v = at(in, pointer);
  return v.is_array() ? v.get_array().size() : 0;
}

void add_whole(Checks& to) {
  to.push_back({"patch-answer", s, "PATCH answers 200 with the resource, or 204 without a body", [](Run& r) {
                  const auto path = fresh(r);
                  const auto reply = r.patch(path, J(R"([{"op":"replace","path":"title","value":"New"}])"));
                  r.status(reply, {200, 204});
                  if (reply.status == 204) r.expect(reply.body.empty(), "204 with a body");
                  if (reply.status == 200)
                    r.expect(same(reply.json, r.read(path)), "the body is not the resource");
                }});
  to.push_back(
      {"patch-attributes-parameter", s, "with `attributes` PATCH answers 200 and those attributes", [](Run& r) {
         const auto reply =
             r.patch(fresh(r) + "?attributes=title", J(R"([{"op":"replace","path":"title","value":"New"}])"));
         r.status(reply, {200});
         r.expect(text(reply.json, "/title") == "New" && at(reply.json, "/displayName").is_null(), reply.body);
       }});
  to.push_back({"patch-unknown-resource", s, "PATCH of an unknown id is 404", [](Run& r) {
                  r.error(r.patch("/Users/" + r.name(), J(R"([{"op":"replace","path":"title","value":"x"}])")),
                          404);
                }});
  to.push_back({"patch-last-modified", s,
                "a PATCH that changes something moves lastModified on, and leaves created", [](Run& r) {
                  const auto path = fresh(r);
                  const auto before = r.read(path);
                  const auto now = r.patched(path, J(R"([{"op":"replace","path":"title","value":"New"}])"));
                  r.expect(text(now, "/meta/created") == text(before, "/meta/created") &&
                               text(now, "/meta/lastModified") >= text(before, "/meta/lastModified"),
                           json::serialize(at(now, "/meta")));
                }});
  to.push_back(
      {"patch-no-change-no-timestamp", sa, "adding what is there does not change lastModified", [](Run& r) {
         const auto path = fresh(r);
         const auto before = r.read(path);
         const auto now = r.patched(path, J(R"([{"op":"add","path":"title","value":"Old"},
                                           {"op":"add","path":"emails","value":[{"value":"h@example.com","type":"home"}]}])"));
         r.expect(text(now, "/meta/lastModified") == text(before, "/meta/lastModified"), "lastModified moved");
       }});
  to.push_back({"patch-atomic", s, "if one operation fails none is carried out", [](Run& r) {
                  r.patch_refused(fresh(r),
                                  J(R"([{"op":"replace","path":"title","value":"New"},{"op":"remove"}])"),
                                  {"noTarget"});
                }});
  shows(to, "patch-in-order", s, "each operation sees what the one before it did",
        R"([{"op":"add","path":"nickName","value":"A"},{"op":"replace","path":"nickName","value":"B"},
            {"op":"remove","path":"title"},{"op":"add","path":"title","value":"After"}])",
        R"({"nickName":"B","title":"After"})");
  shows(to, "patch-op-case", s, "op in any case",
        R"([{"op":"Replace","path":"title","value":"New"},{"op":"ADD","path":"nickName","value":"N"}])",
        R"({"title":"New","nickName":"N"})");
  shows(to, "patch-path-case", "7643 2.1", "attribute names in a path in any case",
        R"([{"op":"replace","path":"TITLE","value":"New"},{"op":"replace","path":"Name.GivenName","value":"N"}])",
        R"({"title":"New","name":{"givenName":"N"}})");
  shows(to, "patch-path-with-urn", "7644 3.10", "a path with the schema's URN",
        R"([{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:title","value":"New"},
            {"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:name.givenName","value":"N"}])",
        R"({"title":"New","name":{"givenName":"N"}})");
  shows(to, "patch-path-with-urn-in-any-case", "7644 3.10", "a path with the schema's URN in another case",
        R"([{"op":"replace","path":"URN:ietf:params:scim:schemas:CORE:2.0:user:title","value":"New"}])",
        R"({"title":"New"})");
  refused(to, "patch-no-operations", s, "a PATCH without operations", "[]", {"invalidSyntax", "invalidValue"});
  refused(to, "patch-unknown-op", s, "an op that the RFC does not know",
          R"([{"op":"move","path":"title","value":"x"}])", {"invalidSyntax", "invalidValue"});
  refused(to, "patch-no-op", s, "an operation without op", R"([{"path":"title","value":"x"}])",
          {"invalidSyntax", "invalidValue"});
  refused(to, "patch-broken-path", s, "a path that cannot be parsed",
          R"([{"op":"replace","path":"emails[type eq","value":"x"}])", {"invalidPath", "invalidFilter"});
  refused(to, "patch-broken-filter", s, "a filter in a path that cannot be parsed",
          R"([{"op":"replace","path":"emails[type foo \"x\"].value","value":"x"}])",
          {"invalidPath", "invalidFilter"});
  refused(to, "patch-operations-not-array", s, "Operations that is no array",
          R"({"op":"replace","path":"title","value":"x"})", {"invalidSyntax", "invalidValue"});
  to.push_back({"patch-no-body", s, "PATCH without a body is 400", [](Run& r) {
                  r.error(r.http.send("PATCH", fresh(r), "", {{"Content-Type", "application/scim+json"}}), 400);
                }});
}

void add_add(Checks& to) {
  shows(to, "patch-add-new", sa, "add sets an attribute that has no value",
        R"([{"op":"add","path":"nickName","value":"N"}])", R"({"nickName":"N","title":"Old"})");
  shows(to, "patch-add-existing", sa, "add replaces the value of a single-valued attribute",
        R"([{"op":"add","path":"title","value":"New"}])", R"({"title":"New"})");
  shows(
      to, "patch-add-without-path", sa, "add without a path adds each attribute of the value",
      R"([{"op":"add","value":{"nickName":"N","title":"New","emails":[{"value":"o@example.com","type":"other"}]}}])",
      R"({"nickName":"N","title":"New","emails":[{"value":"w@example.com"},{"value":"h@example.com"},{"value":"o@example.com"}]})");
  shows(to, "patch-add-complex", sa, "add to a complex attribute sets the given sub-attributes",
        R"([{"op":"add","path":"name","value":{"givenName":"New","middleName":"M"}}])",
        R"({"name":{"givenName":"New","middleName":"M","familyName":"F"}})");
  shows(to, "patch-add-sub-attribute", sa, "add to one sub-attribute",
        R"([{"op":"add","path":"name.middleName","value":"M"}])",
        R"({"name":{"givenName":"G","middleName":"M","familyName":"F"}})");
  shows(to, "patch-add-complex-without-path", sa, "a complex attribute without a path is merged",
        R"([{"op":"add","value":{"name":{"middleName":"M"}}}])",
        R"({"name":{"givenName":"G","middleName":"M","familyName":"F"}})");
  shows(
      to, "patch-add-values", sa, "add appends to a multi-valued attribute",
      R"([{"op":"add","path":"emails","value":[{"value":"o@example.com","type":"other"},{"value":"p@example.com"}]}])",
      R"({"emails":[{"value":"w@example.com"},{"value":"h@example.com"},{"value":"o@example.com","type":"other"},{"value":"p@example.com"}]})");
  shows(to, "patch-add-one-value", sa, "add of a single object appends it",
        R"([{"op":"add","path":"emails","value":{"value":"o@example.com"}}])",
        R"({"emails":[{"value":"w@example.com"},{"value":"h@example.com"},{"value":"o@example.com"}]})");
  to.push_back({"patch-add-value-twice", sa, "a value that is there is not added again", [](Run& r) {
                  const auto now = r.patched(
                      fresh(r),
                      J(R"([{"op":"add","path":"emails","value":[{"value":"h@example.com","type":"home"}]}])"));
                  r.expect(size_of(now, "/emails") == 2, json::serialize(at(now, "/emails")));
                }});
  to.push_back(
      {"patch-add-primary", "7644 3.5.2", "a new primary value takes primary from the others", [](Run& r) {
         const auto now = r.patched(
             fresh(r), J(R"([{"op":"add","path":"emails","value":[{"value":"p@example.com","primary":true}]}])"));
         int primaries = 0;
         for (const auto& e : items(now, "/emails"))
           if (at(e, "/primary") == json::value(true)) {
             ++primaries;
             r.expect(text(e, "/value") == "p@example.com", "another one is primary");
           }
         r.expect(primaries == 1, std::to_string(primaries) + " are primary");
       }});
  shows(to, "patch-add-by-filter", sa, "add to a sub-attribute of the values that a filter selects",
        R"([{"op":"add","path":"emails[type eq \"work\"].display","value":"Office"}])",
        R"({"emails":[{"value":"w@example.com","display":"Office"},{"value":"h@example.com"}]})");
  to.push_back({"patch-add-by-filter-elsewhere", sa, "and leaves the others", [](Run& r) {
                  const auto now = r.patched(
                      fresh(r), J(R"([{"op":"add","path":"emails[type eq \"work\"].display","value":"Office"}])"));
                  for (const auto& e : items(now, "/emails"))
                    if (text(e, "/type") == "home")
                      r.expect(at(e, "/display").is_null(), "the home address has it too");
                }});
  to.push_back(
      {"patch-add-multi-empty", sa, "add to a multi-valued attribute without values creates it", [](Run& r) {
         r.needs(r.facts.supports("patch"), "patch");
         const auto now = r.patched(
             "/Users/" + text(r.user(), "/id"),
             J(R"([{"op":"add","path":"phoneNumbers","value":[{"value":"+1-201-555-0123","type":"work"}]}])"));
         r.expect(size_of(now, "/phoneNumbers") == 1, json::serialize(now));
       }});
  const auto extended = [&](const char* id, const char* title, const char* operations, const char* afterwards) {
    to.push_back({id, "7644 3.10", title, [operations, afterwards](Run& r) {
                    r.needs(r.facts.schemas.count(enterprise_schema) != 0, "the enterprise extension");
                    const auto now = r.patched(fresh(r), J(operations));
                    r.expect(holds(at(now, "/" + enterprise_schema), J(afterwards)), json::serialize(now));
                    r.expect(holds(now, json::object{{"schemas", json::array{json::string(enterprise_schema)}}}),
                             "schemas does not name the extension");
                  }});
  };
  extended(
      "patch-add-extension", "add to an attribute of an extension by its URN",
      R"([{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"D"}])",
      R"({"department":"D"})");
  extended(
      "patch-add-extension-sub", "add to a sub-attribute of an extension's attribute",
      R"([{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value","value":"26118915"}])",
      R"({"manager":{"value":"26118915"}})");
  extended(
      "patch-add-extension-without-path", "add of an extension's object without a path",
      R"([{"op":"add","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","costCenter":"1"}}}])",
      R"({"department":"D","costCenter":"1"})");
  extended(
      "patch-add-extension-whole", "add with the extension's URN as the path",
      R"([{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","value":{"department":"D"}}])",
      R"({"department":"D"})");
  extended("patch-add-extension-with-schemas", "the value of an extension may carry schemas",
           R"([{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                "value":{"schemas":["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"department":"D"}}])",
           R"({"department":"D"})");
  refused(to, "patch-add-read-only", s, "add to a readOnly attribute",
          R"([{"op":"add","path":"meta.created","value":"2001-01-01T00:00:00Z"}])", {"mutability"});
  refused(to, "patch-add-groups", s, "add to the readOnly groups of a User",
          R"([{"op":"add","path":"groups","value":[{"value":"x"}]}])", {"mutability"});
  refused(to, "patch-add-unknown", s, "add to an attribute that there is not",
          R"([{"op":"add","path":"noSuchAttribute","value":"x"}])", {"invalidPath", "noTarget"});
  refused(to, "patch-add-unknown-sub", s, "add to a sub-attribute that there is not",
          R"([{"op":"add","path":"name.noSuchName","value":"x"}])", {"invalidPath", "noTarget"});
  refused(to, "patch-add-wrong-type", s, "add of a value of another type",
          R"([{"op":"add","path":"title","value":{"x":1}}])", {"invalidValue", "invalidSyntax"});
  refused(to, "patch-add-no-value", sa, "add without a value", R"([{"op":"add","path":"title"}])",
          {"invalidValue", "invalidSyntax"});
  refused(to, "patch-add-no-path-no-object", sa, "add without a path of a value that is no object",
          R"([{"op":"add","value":"x"}])", {"invalidValue", "invalidSyntax"});
}

}  // namespace

void add_patch(Checks& to) {
  add_whole(to);
  add_add(to);
}

}  // namespace deprov::conformance
