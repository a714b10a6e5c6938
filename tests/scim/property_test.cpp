// What has to hold for any filter, any PATCH and any projection, by chance and with a seed.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/scim/match.hpp>
#include <deprov/scim/patch.hpp>
#include <deprov/scim/projection.hpp>
#include <deprov/scim/resource.hpp>
#include <random>
#include "catch.hpp"

using namespace deprov;
using namespace deprov::scim;

namespace {

const TypeDef& user() { return *SchemaRegistry::builtin().type("User"); }
const std::string enterprise(enterprise_user_urn);

class Chance {
 public:
  explicit Chance(std::uint32_t seed) : engine_(seed) {}
  std::size_t below(std::size_t bound) { return engine_() % bound; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

 private:
  std::mt19937 engine_;
};

const std::vector<std::string> texts = {"a", "A", "b", "Bb", "ab", "aB", "c d", "q\"q", "back\\slash", "x@y.z"};
const std::vector<std::string> moments = {"2011-05-13T04:42:34Z", "2011-05-13T06:42:34+02:00",
                                          "2012-01-01T00:00:00.5Z", "1999-12-31T23:59:59-01:00"};
const std::vector<std::string> kinds = {"work", "home", "other"};

/// A stored User: of few values, so that filters find something.
json::object resource(Chance& c) {
  json::object o{{"schemas", json::array{json::string(user_urn)}},
                 {"id", "id" + std::to_string(c.below(4))},
                 {"userName", c.of(texts)}};
  for (const auto* name : {"title", "nickName", "displayName", "externalId"})
    if (!c.one_in(3)) o[name] = c.of(texts);
  if (!c.one_in(4)) o["active"] = c.one_in(2);
  if (!c.one_in(3)) {
    json::object name;
    if (!c.one_in(3)) name["givenName"] = c.of(texts);
    name["familyName"] = c.of(texts);
    o["name"] = name;
  }
  if (!c.one_in(3)) {
    json::array emails;
    for (auto n = 1 + c.below(3); n > 0; --n) {
      json::object e{{"value", c.of(texts)}};
      if (!c.one_in(3)) e["type"] = c.of(kinds);
      if (n == 1 && c.one_in(2)) e["primary"] = true;
      const auto same = [&](const json::value& x, const char* name) {  // no pair of both is stored twice
        const auto* a = x.get_object().if_contains(name);
        const auto* b = e.if_contains(name);
        return a != nullptr && b != nullptr ? iequals(a->get_string(), b->get_string()) : a == b;
      };
      if (std::none_of(emails.begin(), emails.end(),
                       [&](const auto& x) { return same(x, "value") && same(x, "type"); }))
        emails.push_back(e);
    }
    o["emails"] = emails;
  }
  if (!c.one_in(3)) {
    o[enterprise] = json::object{{"department", c.of(texts)}};
    if (c.one_in(2)) o[enterprise].as_object()["manager"] = json::object{{"value", c.of(texts)}};
    o["schemas"].as_array().emplace_back(enterprise);
  }
  o["meta"] = json::object{{"created", c.of(moments)}, {"lastModified", c.of(moments)}};
  return o;
}

// ---- An evaluator that knows nothing of ours: its own tree, its own table, its own order of moments.

enum class Type { text, exact, boolean, moment };
struct Place {
  std::string container;  ///< the extension's URN, "emails", "name", "meta", or nothing
  std::string name;
  Type type = Type::text;
  [[nodiscard]] std::string path() const {
    return container.empty() ? name : container + (container.find(':') != std::string::npos ? ":" : ".") + name;
  }
};
const std::vector<Place> places = {{"", "title", Type::text},
                                   {"", "nickName", Type::text},
                                   {"", "userName", Type::text},
                                   {"", "externalId", Type::exact},
                                   {"", "id", Type::exact},
                                   {"", "active", Type::boolean},
                                   {"name", "givenName", Type::text},
                                   {"name", "familyName", Type::text},
                                   {"emails", "value", Type::text},
                                   {"emails", "type", Type::text},
                                   {"meta", "created", Type::moment},
                                   {"meta", "lastModified", Type::moment},
                                   {enterprise, "department", Type::text}};
const std::vector<Place> email_places = {
    {"", "value", Type::text}, {"", "type", Type::text}, {"", "primary", Type::boolean}};

struct Expr {
  enum class Kind { compare, present, both, either, no, within } kind = Kind::present;
  Place place;
  std::string op;
  json::value literal;
  std::vector<Expr> parts;
};

std::string print(const Expr& e, Chance& c) {
  const auto in = [&](const Expr& part) {
    return part.kind == Expr::Kind::both || part.kind == Expr::Kind::either ? "(" + print(part, c) + ")"
                                                                            : print(part, c);
  };
  switch (e.kind) {
    case Expr::Kind::compare: return e.place.path() + " " + e.op + " " + json::serialize(e.literal);
    case Expr::Kind::present: return e.place.path() + (c.one_in(2) ? " pr" : " PR");
    case Expr::Kind::both: return in(e.parts[0]) + " and " + in(e.parts[1]);
    // `and` binds tighter, so that its parentheses may be left out.
    case Expr::Kind::either:
      return (e.parts[0].kind == Expr::Kind::both ? print(e.parts[0], c) : in(e.parts[0])) + " or " +
             in(e.parts[1]);
    case Expr::Kind::no: return "not (" + print(e.parts[0], c) + ")";
    case Expr::Kind::within: return "emails[" + print(e.parts[0], c) + "]";
  }
  return {};
}

Expr any_expr(Chance& c, const std::vector<Place>& from, int depth) {
  Expr e;
  const auto dice = depth == 0 ? c.below(4) : c.below(10);
  if (dice < 4) {
    e.place = c.of(from);
    if (dice == 0) return e;
    e.kind = Expr::Kind::compare;
    static const std::vector<std::string> ops = {"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"};
    static const std::vector<std::string> order = {"eq", "ne", "gt", "ge", "lt", "le"};
    switch (e.place.type) {
      case Type::boolean:
        e.op = c.one_in(2) ? "eq" : "ne";
        e.literal = c.one_in(2);
        break;
      case Type::moment:
        e.op = c.of(order);
        e.literal = json::string(c.of(moments));
        break;
      default:
        e.op = c.of(ops);
        e.literal = json::string(c.one_in(8) ? "id" + std::to_string(c.below(4)) : c.of(texts));
    }
    return e;
  }
  if (dice < 6 || (dice == 9 && &from == &email_places)) {
    e.kind = dice == 4 ? Expr::Kind::either : Expr::Kind::both;
    e.parts = {any_expr(c, from, depth - 1), any_expr(c, from, depth - 1)};
  } else if (dice < 7) {
    e.kind = Expr::Kind::either;
    e.parts = {any_expr(c, from, depth - 1), any_expr(c, from, depth - 1)};
  } else if (dice < 9) {
    e.kind = Expr::Kind::no;
    e.parts = {any_expr(c, from, depth - 1)};
  } else {
    e.kind = Expr::Kind::within;
    e.parts = {any_expr(c, email_places, depth - 1)};
  }
  return e;
}

std::string lower(std::string s) {
  for (auto& ch : s) ch = static_cast<char>(std::tolower(static_cast<unsigned char>(ch)));
  return s;
}

/// The four moments, in half seconds from one of them, worked out by hand.
long order_of(const std::string& moment) {
  if (moment == moments[0] || moment == moments[1]) return 0;
  return moment == moments[2] ? 1 : -1;
}

bool compare(const Expr& e, const json::value& v) {
  if (e.place.type == Type::boolean) return (v == e.literal) == (e.op == "eq");
  std::string a(v.as_string()), b(e.literal.as_string());
  if (e.place.type == Type::text) {
    a = lower(a);
    b = lower(b);
  }
  if (e.op == "co") return a.find(b) != std::string::npos;
  if (e.op == "sw") return a.rfind(b, 0) == 0;
  if (e.op == "ew") return a.size() >= b.size() && a.substr(a.size() - b.size()) == b;
  const long way = e.place.type == Type::moment ? order_of(a) - order_of(b) : a.compare(b);
  if (e.op == "eq") return way == 0;
  if (e.op == "ne") return way != 0;
  if (e.op == "gt") return way > 0;
  if (e.op == "ge") return way >= 0;
  return e.op == "lt" ? way < 0 : way <= 0;
}

bool naive(const Expr& e, const json::object& in) {
  switch (e.kind) {
    case Expr::Kind::both: return naive(e.parts[0], in) && naive(e.parts[1], in);
    case Expr::Kind::either: return naive(e.parts[0], in) || naive(e.parts[1], in);
    case Expr::Kind::no: return !naive(e.parts[0], in);
    case Expr::Kind::within: {
      if (!in.contains("emails")) return false;
      for (const auto& m : in.at("emails").as_array())
        if (naive(e.parts[0], m.as_object())) return true;
      return false;
    }
    default: break;
  }
  std::vector<json::value> values;
  const auto take = [&](const json::object& o) {
    if (o.contains(e.place.name)) values.push_back(o.at(e.place.name));
  };
  if (e.place.container.empty()) {
    take(in);
  } else if (in.contains(e.place.container)) {
    const auto& held = in.at(e.place.container);
    if (held.is_object()) take(held.as_object());
    if (held.is_array())
      for (const auto& m : held.as_array()) take(m.as_object());
  }
  if (e.kind == Expr::Kind::present) return !values.empty();
  if (values.empty()) return e.op == "ne";
  return std::any_of(values.begin(), values.end(), [&](const auto& v) { return compare(e, v); });
}

// ---- PATCH

json::value patch_of(json::array operations) {
  return json::object{{"schemas", json::array{json::string(patch_op_urn)}}, {"Operations", std::move(operations)}};
}

json::object any_operation(Chance& c) {
  static const std::vector<std::string> ops = {"add", "replace", "remove"};
  static const std::vector<std::string> paths = {"title",
                                                 "nickName",
                                                 "userName",
                                                 "active",
                                                 "name",
                                                 "name.givenName",
                                                 "emails",
                                                 "emails[type eq \"work\"]",
                                                 "emails[type eq \"work\"].value",
                                                 "emails[value pr].type",
                                                 "emails[not (type pr)]",
                                                 enterprise,
                                                 enterprise + ":department",
                                                 enterprise + ":manager",
                                                 enterprise + ":manager.value",
                                                 "externalId"};
  const auto path = c.of(paths);
  json::object o{{"op", c.of(ops)}, {"path", path}};
  if (o["op"] == json::value("remove")) return o;
  const json::object email{{"value", c.of(texts)}, {"type", c.of(kinds)}};
  json::value value = json::string(c.of(texts));
  if (path == "active") value = c.one_in(2);
  if (path == "name") value = json::object{{"givenName", c.of(texts)}, {"middleName", c.of(texts)}};
  if (path == "emails") value = json::array{email, json::object{{"value", c.of(texts)}, {"primary", true}}};
  if (path.back() == ']') value = email;
  if (path == enterprise) value = json::object{{"department", c.of(texts)}, {"costCenter", c.of(texts)}};
  if (path == enterprise + ":manager") value = json::object{{"value", c.of(texts)}};
  o["value"] = value;
  if (c.one_in(5) && path.find('[') == std::string::npos && path.find('.') == std::string::npos) {
    o["value"] = json::object{{path, o["value"]}};
    o.erase("path");
  }
  return o;
}

/// What leads from `after` back to `before`.
json::array inverse(const json::object& before, const json::object& after,
                    const std::vector<std::string>& changes) {
  json::array back;
  for (const auto& name : changes) {
    if (name == "schemas") continue;  // follows
    const bool keep = name == "userName";
    if (after.contains(name) && !keep) back.push_back(json::object{{"op", "remove"}, {"path", name}});
    if (before.contains(name))
      back.push_back(json::object{{"op", keep ? "replace" : "add"}, {"path", name}, {"value", before.at(name)}});
  }
  return back;
}

}  // namespace

TEST_CASE("filters agree with a naive evaluator, and print to what parses the same") {
  Chance c(20261124);
  int hits = 0;
  for (int i = 0; i < 6000; ++i) {
    const auto e = any_expr(c, places, 4);
    const auto text = print(e, c);
    INFO(text);
    const auto filter = parse_filter(text);
    REQUIRE(filter);
    const auto again = parse_filter(to_string(*filter));
    REQUIRE(again);
    CHECK(*again == *filter);
    const auto matcher = Matcher::compile(*filter, user());
    REQUIRE(matcher);
    for (int k = 0; k < 8; ++k) {
      const auto r = resource(c);
      const bool expected = naive(e, r);
      hits += expected ? 1 : 0;
      if ((*matcher)(r) != expected) FAIL_CHECK("expected " << expected << " for " << json::serialize(r));
    }
  }
  CHECK(hits > 10000);
  CHECK(hits < 38000);
}

TEST_CASE("a PATCH and its inverse leave the original") {
  Chance c(7);
  int changed = 0;
  for (int i = 0; i < 8000; ++i) {
    const auto before = resource(c);
    json::array operations;
    for (auto n = 1 + c.below(3); n > 0; --n) operations.push_back(any_operation(c));
    INFO(json::serialize(before));
    INFO(json::serialize(operations));
    auto there = parse_patch(patch_of(operations));
    REQUIRE(there);
    auto document = before;
    const auto result = apply(std::move(*there), document, user());
    if (!result) {
      CHECK(document == before);
      continue;
    }
    if (!result->changed) {
      CHECK(document == before);
      continue;
    }
    ++changed;
    CHECK(json::value(document) != json::value(before));
    auto back = parse_patch(patch_of(inverse(before, document, result->changes)));
    REQUIRE(back);
    INFO(json::serialize(document));
    const auto undone = apply(std::move(*back), document, user());
    REQUIRE(undone);
    if (json::value(document) != json::value(before)) FAIL_CHECK("left is " << json::serialize(document));
  }
  CHECK(changed > 3000);
}

namespace {

Attribute plain(std::string name, Returned returned) {
  Attribute a;
  a.name = std::move(name);
  a.returned = returned;
  return a;
}

/// A type in which `never` attributes hide everywhere: beside others, inside complex and multi-valued ones, in an
/// extension.
TypeDef hiding() {
  Schema core{"urn:example:Thing", "Thing", "", {}};
  Schema extension{"urn:example:Extension", "Extension", "", {}};
  for (auto* s : {&core, &extension})
    for (const bool many : {false, true}) {
      Attribute a;
      a.name = many ? "many" : "one";
      a.type = AttributeType::complex;
      a.multi_valued = many;
      a.sub_attributes = {plain("value", Returned::by_default), plain("secretPart", Returned::never),
                          plain("asked", Returned::request)};
      s->attributes.push_back(a);
      s->attributes.push_back(plain(many ? "secret" : "open", many ? Returned::never : Returned::by_default));
      s->attributes.push_back(plain(many ? "always" : "asked", many ? Returned::always : Returned::request));
      if (many) {
        a.name = "secretMany";
        a.returned = Returned::never;
        s->attributes.push_back(a);
      }
    }
  ResourceType type{"Thing", "Thing", "/Things", "", core.id, {{extension.id, false}}, {}};
  return {std::move(type), std::make_shared<const Schema>(core), {std::make_shared<const Schema>(extension)}};
}

}  // namespace

TEST_CASE("no projection shows what is never returned, and each shows what always is") {
  const auto type = hiding();
  const auto part = json::parse(R"({"value":"v","secretPart":"HIDDEN","asked":"q"})");
  json::object filled{{"open", "o"},
                      {"secret", "HIDDEN"},
                      {"asked", "q"},
                      {"always", "y"},
                      {"one", part},
                      {"many", json::array{part, part}},
                      {"secretMany", json::array{part}}};
  json::object thing = filled;
  thing["schemas"] = json::array{"urn:example:Thing", "urn:example:Extension"};
  thing["id"] = "1";
  thing["urn:example:Extension"] = filled;

  std::vector<std::string> names = {
      "id", "schemas", "meta", "nothing", "urn:example:Thing", "urn:example:Extension", "a b", ""};
  for (const auto* name : {"open", "secret", "asked", "always", "one", "many", "secretMany", "SECRET"})
    for (const auto* prefix : {"", "urn:example:Thing:", "urn:example:Extension:", "URN:EXAMPLE:extension:"})
      for (const auto* sub : {"", ".value", ".secretPart", ".SecretPart", ".asked", "[value pr]",
                              R"([value eq "v"].secretPart)", R"([value eq "w"].value)", "[not (asked pr)]"})
        names.push_back(std::string(prefix) + name + sub);

  Chance c(99);
  const auto some = [&] {
    std::vector<std::string> out;
    for (auto n = c.below(5); n > 0; --n) out.push_back(c.of(names));
    return out;
  };
  for (int i = 0; i < 20000; ++i) {
    const auto chosen = some(), excluded = some();
    const auto shown = Projection(type, chosen, excluded).apply(thing);
    const auto text = json::serialize(shown);
    if (text.find("HIDDEN") != std::string::npos || !shown.contains("id") || !shown.contains("always")) {
      std::string lists;
      for (const auto& n : chosen) lists += " +" + n;
      for (const auto& n : excluded) lists += " -" + n;
      FAIL_CHECK(lists << " shows " << text);
    }
  }
  CHECK(json::serialize(Projection(type).apply(thing)).find("HIDDEN") == std::string::npos);
}

TEST_CASE("which values are shown tells nothing of what is never returned") {
  const auto type = hiding();
  const json::object thing{{"id", "1"},
                           {"many", json::array{json::object{{"value", "v"}, {"secretPart", "HIDDEN"}}}}};
  for (const auto* path : {R"(many[secretPart eq "HIDDEN"])", R"(many[value pr and SECRETPART sw "H"].value)",
                           "many[not (secretPart pr)]", R"(many[value eq "v" or secretPart eq "x"])"}) {
    INFO(path);
    const std::vector<std::string> list{path};
    const std::vector<std::string> many{"many"};
    CHECK_FALSE(Projection(type, list, {}).apply(thing).contains("many"));
    CHECK(Projection(type, many, list).apply(thing).contains("many"));
  }
}
