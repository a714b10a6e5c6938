// RFC 7644 section 3.4.2.2: filters.
#include <memory>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

constexpr auto s = "7644 3.4.2.2";

/// `%p` is the beginning of all names, `%a` and so on the ids.
struct Row {
  const char* id;
  const char* title;
  const char* filter;
  const char* expected;  ///< of A, B and C
};

const Row rows[] = {
    {"filter-eq", "eq on a string", R"(title eq "%p Guide")", "A"},
    {"filter-eq-case-insensitive", "eq where caseExact is false", R"(title eq "%P GUIDE")", "A"},
    {"filter-eq-case-exact", "eq where caseExact is true", R"(externalId eq "%p-Ext-A")", "A"},
    {"filter-eq-case-exact-other-case", "eq where caseExact is true, in another case",
     R"(externalId eq "%p-EXT-A")", ""},
    {"filter-ne", "ne", R"(title ne "%p Guide" and userName sw "%p")", "BC"},
    {"filter-co", "co", R"(userName co "%p.b")", "B"},
    {"filter-sw", "sw", R"(userName sw "%p.")", "ABC"},
    {"filter-ew", "ew", R"(userName ew ".a@example.com" and userName sw "%p")", "A"},
    {"filter-pr", "pr", R"(title pr and userName sw "%p")", "AB"},
    {"filter-not-pr", "not pr", R"(not (title pr) and userName sw "%p")", "C"},
    {"filter-gt-string", "gt on a string", R"(userName gt "%p.b@example.com" and userName sw "%p")", "C"},
    {"filter-ge-string", "ge on a string", R"(userName ge "%p.b@example.com" and userName sw "%p")", "BC"},
    {"filter-lt-string", "lt on a string", R"(userName lt "%p.b@example.com" and userName sw "%p")", "A"},
    {"filter-le-string", "le on a string", R"(userName le "%p.b@example.com" and userName sw "%p")", "AB"},
    {"filter-boolean-true", "eq true", R"(active eq true and userName sw "%p")", "AC"},
    {"filter-boolean-false", "eq false", R"(active eq false and userName sw "%p")", "B"},
    {"filter-boolean-ne", "ne on a boolean", R"(active ne true and userName sw "%p")", "B"},
    {"filter-date-ge", "ge on a dateTime", R"(meta.created ge "2011-05-13T04:42:34Z" and userName sw "%p")",
     "ABC"},
    {"filter-date-lt", "lt on a dateTime", R"(meta.created lt "2011-05-13T04:42:34Z" and userName sw "%p")", ""},
    {"filter-date-gt-future", "gt on a dateTime to come",
     R"(meta.lastModified gt "2999-01-01T00:00:00Z" and userName sw "%p")", ""},
    {"filter-date-offset", "a dateTime with an offset",
     R"(meta.lastModified gt "2011-05-13T04:42:34+02:00" and userName sw "%p")", "ABC"},
    {"filter-date-le", "le on a dateTime to come",
     R"(meta.lastModified le "2999-01-01T00:00:00.000Z" and userName sw "%p")", "ABC"},
    {"filter-id", "eq on id", R"(id eq "%a")", "A"},
    {"filter-sub-attribute", "a sub-attribute", R"(name.familyName eq "%p-Adams")", "A"},
    {"filter-sub-attribute-co", "co on a sub-attribute", R"(name.familyName co "%p-b")", "B"},
    {"filter-multi-sub", "a sub-attribute of a multi-valued attribute",
     R"(emails.value eq "%p.a.work@example.com")", "A"},
    {"filter-multi-any", "any value counts", R"(emails.value ew "home@example.com" and userName sw "%p")", "A"},
    {"filter-multi-default", "a multi-valued complex attribute stands for its value", R"(emails co "%p.b")", "B"},
    {"filter-multi-pr", "pr on a multi-valued attribute", R"(emails pr and userName sw "%p")", "AB"},
    {"filter-complex-pr", "pr on a complex attribute", R"(name pr and userName sw "%p")", "AB"},
    {"filter-and", "and", R"(userName sw "%p" and active eq true and title pr)", "A"},
    {"filter-or", "or", R"(id eq "%a" or id eq "%b")", "AB"},
    {"filter-not", "not", R"(userName sw "%p" and not (active eq false))", "AC"},
    {"filter-precedence", "and binds tighter than or", R"(id eq "%a" or id eq "%b" and active eq true)", "A"},
    {"filter-precedence-left", "and so it does on the left", R"(id eq "%b" and active eq true or id eq "%a")",
     "A"},
    {"filter-parentheses", "parentheses come first", R"((id eq "%a" or id eq "%b") and active eq true)", "A"},
    {"filter-nested-parentheses", "parentheses in parentheses",
     R"(((id eq "%a") or ((id eq "%b" or id eq "%c") and (active eq true))))", "AC"},
    {"filter-not-precedence", "not binds tighter than and", R"(not (id eq "%a") and (id eq "%a" or id eq "%b"))",
     "B"},
    {"filter-not-group", "not of a disjunction", R"(userName sw "%p" and not (id eq "%a" or id eq "%b"))", "C"},
    {"filter-value-path", "a value path", R"(emails[type eq "work" and value co "%p"])", "AB"},
    {"filter-value-path-same-value", "a value path speaks of one value",
     R"(emails[type eq "home" and value co "work"] and userName sw "%p")", ""},
    {"filter-value-path-or", "or in a value path",
     R"(emails[type eq "home" or value co "%p.b"] and userName sw "%p")", "AB"},
    {"filter-value-path-not", "not in a value path", R"(emails[not (type eq "work")] and userName sw "%p")", "A"},
    {"filter-value-path-and", "value paths joined",
     R"(emails[type eq "work"] and emails[type eq "home"] and userName sw "%p")", "A"},
    {"filter-extension", "an extension's attribute by URN",
     R"(urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "%p-Sales")", "A"},
    {"filter-extension-sub", "a sub-attribute of an extension's attribute",
     R"(urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "%p-boss")", "B"},
    {"filter-extension-pr", "pr on an extension's attribute",
     R"(urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department pr and userName sw "%p")", "AB"},
    {"filter-core-urn", "a core attribute by URN",
     R"(urn:ietf:params:scim:schemas:core:2.0:User:userName eq "%p.a@example.com")", "A"},
    {"filter-urn-case", "a URN in another case",
     R"(URN:IETF:params:scim:SCHEMAS:core:2.0:user:userName eq "%p.a@example.com")", "A"},
    {"filter-schemas", "schemas",
     R"(schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User" and userName sw "%p")", "AB"},
    {"filter-resource-type", "meta.resourceType", R"(meta.resourceType eq "User" and userName sw "%p")", "ABC"},
    {"filter-name-case", "attribute names in any case",
     R"(USERNAME eq "%p.a@example.com" or Name.FAMILYname eq "%p-Brown")", "AB"},
    {"filter-operator-case", "operators in any case",
     R"(userName EQ "%p.a@example.com" OR userName Sw "%p.b" AND NOT (title PR))", "A"},
    {"filter-escaped-quote", "an escaped quote in a string", R"(nickName eq "%p \"quoted\" \\ name")", "C"},
    {"filter-unicode-escape", "a \\u escape in a string", R"(displayName eq "%p J\u00fcrgen")", "C"},
    {"filter-utf8", "UTF-8 in a string", "displayName eq \"%p J\xC3\xBCrgen\"", "C"},
    {"filter-empty-result", "a filter that nothing matches answers 200", R"(userName eq "%p.nobody@example.com")",
     ""},
    {"filter-groups", "groups.value", R"(groups.value eq "%g")", "A"},
    {"filter-null", "eq null means unassigned", R"(title eq null and userName sw "%p")", "C"},
    {"filter-many-terms", "a filter of many terms",
     R"(id eq "%a" or id eq "1" or id eq "2" or id eq "3" or id eq "4" or id eq "5" or id eq "6" or id eq "7" or id eq "8" or id eq "9" or id eq "%c")",
     "AC"},
};

struct People {
  std::string a, b, c, group;
};

People people(Run& r) {
  r.needs(r.facts.supports("filter"), "filter");
  r.needs(r.facts.schemas.count(enterprise_schema) != 0, "the enterprise extension");
  const auto& p = r.prefix();
  const auto mail = [&](const std::string& who, const std::string& type) {
    return json::object{{"value", p + "." + who + "." + type + "@example.com"}, {"type", type}};
  };
  People out;
  out.a = text(r.user({{"userName", p + ".a@example.com"},
                       {"externalId", p + "-Ext-A"},
                       {"title", p + " Guide"},
                       {"active", true},
                       {"name", json::object{{"familyName", p + "-Adams"}, {"givenName", "Anna"}}},
                       {"emails", json::array{mail("a", "work"), mail("a", "home")}},
                       {enterprise_schema, json::object{{"department", p + "-Sales"}}}}),
               "/id");
  out.b = text(r.user({{"userName", p + ".b@example.com"},
                       {"title", p + " Manager"},
                       {"active", false},
                       {"name", json::object{{"familyName", p + "-Brown"}}},
                       {"emails", json::array{mail("b", "work")}},
                       {enterprise_schema, json::object{{"department", "Other"},
                                                        {"manager", json::object{{"value", p + "-boss"}}}}}}),
               "/id");
  out.c = text(r.user({{"userName", p + ".c@example.com"},
                       {"active", true},
                       {"nickName", p + " \"quoted\" \\ name"},
                       {"displayName", p + " J\xC3\xBCrgen"}}),
               "/id");
  out.group = text(r.group({out.a}), "/id");
  return out;
}

std::string filled(std::string filter, const People& who, const std::string& prefix) {
  const auto put = [&](const std::string& mark, const std::string& value) {
    for (auto i = filter.find(mark); i != std::string::npos; i = filter.find(mark, i + value.size()))
      filter.replace(i, mark.size(), value);
  };
  auto upper = prefix;
  for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  put("%p", prefix);
  put("%P", upper);
  put("%a", who.a);
  put("%b", who.b);
  put("%c", who.c);
  put("%g", who.group);
  return filter;
}

struct Bad {
  const char* id;
  const char* filter;
};
const Bad bad[] = {{"filter-bad-operator", R"(userName equals "x")"},
                   {"filter-bad-no-value", "userName eq"},
                   {"filter-bad-no-operator", "userName"},
                   {"filter-bad-quote", R"(userName eq "x)"},
                   {"filter-bad-parenthesis", R"((userName eq "x")"},
                   {"filter-bad-parenthesis-closing", R"(userName eq "x"))"},
                   {"filter-bad-trailing", R"(userName eq "x" "y")"},
                   {"filter-bad-dangling-and", R"(userName eq "x" and)"},
                   {"filter-bad-leading-or", R"(or userName eq "x")"},
                   {"filter-bad-bracket", R"(emails[type eq "work")"},
                   {"filter-bad-empty-bracket", "emails[]"},
                   {"filter-bad-not", "not"},
                   {"filter-bad-pr-value", R"(userName pr "x" )"},
                   {"filter-bad-order-of-boolean", "active gt true"},
                   {"filter-bad-order-of-binary", R"(x509Certificates.value gt "MIID")"}};

}  // namespace

void add_filters(Checks& to) {
  for (const auto& row : rows)
    to.push_back({row.id, s, row.title, [&row](Run& r) {
                    const auto who = people(r);
                    const auto filter = filled(row.filter, who, r.prefix());
                    const auto found = r.found("/Users", filter, {who.a, who.b, who.c});
                    std::string letters;
                    if (found.count(who.a) != 0) letters += 'A';
                    if (found.count(who.b) != 0) letters += 'B';
                    if (found.count(who.c) != 0) letters += 'C';
                    r.expect(letters == row.expected,
                             filter + " finds \"" + letters + "\", not \"" + row.expected + "\"");
                  }});
  for (const auto& b : bad)
    to.push_back({b.id, s, std::string("400 invalidFilter: ") + b.filter, [&b](Run& r) {
                    r.needs(r.facts.supports("filter"), "filter");
                    r.error(r.get("/Users?filter=" + escaped(b.filter)), 400, {"invalidFilter"});
                  }});
  to.push_back(
      {"filter-groups-by-name", s, "Groups by displayName", [](Run& r) {
         r.needs(r.facts.supports("filter"), "filter");
         const auto made = r.group();
         const auto id = text(made, "/id");
         r.expect(r.found("/Groups", "displayName eq \"" + text(made, "/displayName") + "\"", {id}).size() == 1,
                  "not found");
       }});
  to.push_back({"filter-groups-by-member", s, "Groups by members.value and by a value path", [](Run& r) {
                  r.needs(r.facts.supports("filter"), "filter");
                  const auto user = text(r.user(), "/id");
                  const auto id = text(r.group({user}), "/id"), other = text(r.group(), "/id");
                  const std::set<std::string> expected{id};
                  r.expect(r.found("/Groups", "members.value eq \"" + user + "\"", {id, other}) == expected,
                           "members.value");
                  r.expect(r.found("/Groups", "members[value eq \"" + user + "\"]", {id, other}) == expected,
                           "members[...]");
                  r.expect(r.found("/Groups", "members eq \"" + user + "\"", {id, other}) == expected, "members");
                }});
  to.push_back({"filter-plus", "7644 3.4.2.2", "a space in a query as +", [](Run& r) {
                  r.needs(r.facts.supports("filter"), "filter");
                  const auto made = r.user();
                  const auto reply =
                      r.get("/Users?filter=userName+eq+%22" + escaped(text(made, "/userName")) + "%22");
                  r.status(reply, {200});
                  r.expect(at(reply.json, "/totalResults") == json::value(1), reply.body);
                }});
  to.push_back({"filter-on-read", s, "nothing answers 5xx to a filter on one resource", [](Run& r) {
                  r.expect(
                      r.get("/Users/" + text(r.user(), "/id") + "?filter=" + escaped("userName pr")).status < 500,
                      "5xx");
                }});
}

}  // namespace deprov::conformance
