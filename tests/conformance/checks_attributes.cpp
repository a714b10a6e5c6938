// RFC 7643 section 2.2: the characteristics that /Schemas states, on each attribute of each resource type.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

struct Attribute {
  Facts::Type type;
  std::string urn;  ///< of the extension; empty: the core schema
  json::object definition;

  [[nodiscard]] std::string name() const { return text(definition, "/name"); }
  [[nodiscard]] std::string kind() const { return text(definition, "/type"); }
  [[nodiscard]] std::string path() const { return urn.empty() ? name() : urn + ":" + name(); }
  [[nodiscard]] bool is(const char* characteristic, bool by_default = false) const {
    const auto v = at(definition, "/" + std::string(characteristic));
    return v.is_bool() ? v.get_bool() : by_default;
  }
  [[nodiscard]] std::string word(const char* characteristic, const char* by_default) const {
    const auto v = text(definition, "/" + std::string(characteristic));
    return v.empty() ? by_default : v;
  }
  [[nodiscard]] std::string mutability() const { return word("mutability", "readWrite"); }
  [[nodiscard]] std::string returned() const { return word("returned", "default"); }
  /// Where it is in a resource.
  [[nodiscard]] json::value in(const json::value& resource) const {
    return at(urn.empty() ? resource : at(resource, "/" + urn), "/" + name());
  }
};

/// A reference that leads to resources alone: a URI that is made up is none.
bool names_resources(const json::object& definition) {
  const auto types = at(definition, "/referenceTypes");
  if (text(definition, "/type") != "reference" || !types.is_array() || types.get_array().empty()) return false;
  return std::none_of(types.get_array().begin(), types.get_array().end(), [](const json::value& t) {
    return t == json::value("external") || t == json::value("uri");
  });
}

bool refers_to_resources(const json::object& definition) {
  if (const auto subs = at(definition, "/subAttributes"); subs.is_array())
    for (const auto& s : subs.get_array())
      if (text(s, "/name") == "$ref") return true;
  return false;
}

/// A body with all required attributes and this one.
json::object body_with(Run& r, const Attribute& a, const json::value& value) {
  json::object body{{"schemas", json::array{json::string(a.type.schema)}}};
  for (const auto& d : r.facts.schemas.at(a.type.schema).at("attributes").as_array())
    if (at(d, "/required") == json::value(true)) body[text(d, "/name")] = sample(d, 0, r.name());
  if (a.urn.empty()) {
    if (!value.is_null()) body[a.name()] = value;
  } else {
    body["schemas"].as_array().emplace_back(a.urn);
    if (!value.is_null()) body[a.urn] = json::object{{a.name(), value}};
  }
  fill_required(r.facts, a.type, body, r.name());
  return body;
}

void leave_out(json::object& body, const Attribute& a) {
  if (a.urn.empty()) {
    body.erase(a.name());
  } else if (auto* o = body.if_contains(a.urn); o != nullptr && o->is_object()) {
    o->get_object().erase(a.name());
  }
}

std::string made_with(Run& r, const Attribute& a, const json::value& value) {
  const auto reply = r.post(a.type.endpoint, body_with(r, a, value));
  r.status(reply, {201}, "POST " + a.type.endpoint + " with " + a.name());
  return a.type.endpoint + "/" + text(reply.json, "/id");
}

/// The attribute after a PATCH, also where a GET shows it on request alone.
json::value patched(Run& r, const Attribute& a, const std::string& path, const json::array& operations) {
  if (a.returned() != "request") return a.in(r.patched(path, operations));
  r.status(r.patch(path, operations), {200, 204});
  return a.in(r.read(path + "?attributes=" + a.path()));
}

void add_one(Checks& to, const Attribute& a) {
  const auto id = [&](const char* what) {
    return "attr-" + std::string(what) + "-" + a.type.name + "." + a.name();
  };
  const auto label = a.type.name + " " + a.path();
  const auto ops = [](const char* op, const Attribute& of, const json::value& value) {
    json::object o{{"op", op}, {"path", of.path()}};
    if (!value.is_null()) o["value"] = value;
    return json::array{o};
  };
  if (a.mutability() == "readOnly") {
    to.push_back(
        {id("readonly-post"), "7643 2.2", label + " is readOnly: ignored in a POST and a PUT", [a](Run& r) {
           const auto value = sample(a.definition, 0, r.name());
           const auto path = made_with(r, a, value);
           r.expect(!holds(a.in(r.read(path)), value), "POST set it");
           auto body = r.read(path).as_object();
           if (a.urn.empty()) body[a.name()] = value;
           r.status(r.put(path, body), {200});
           r.expect(!holds(a.in(r.read(path)), value), "PUT set it");
         }});
    to.push_back(
        {id("readonly-patch"), "7644 3.5.2", label + " is readOnly: a PATCH is refused", [a, ops](Run& r) {
           r.needs(r.facts.supports("patch"), "patch");
           r.patch_refused(made_with(r, a, nullptr), ops("replace", a, sample(a.definition, 0, r.name())),
                           {"mutability"});
         }});
    return;
  }
  if (a.returned() == "never") {
    to.push_back({id("never"), "7643 2.2", label + " is never returned", [a](Run& r) {
                    const auto path = made_with(r, a, sample(a.definition, 0, r.name()));
                    for (const auto& q : {std::string(), "?attributes=" + a.path()})
                      r.expect(a.in(r.read(path + q)).is_null(), "GET" + q + " shows it");
                  }});
    return;
  }
  const bool refers =
      (refers_to_resources(a.definition) && a.name() == "members") || names_resources(a.definition);
  if (refers) return;  // has checks of its own
  to.push_back({id("roundtrip"), "7643 2.2", label + " comes back as it was sent", [a](Run& r) {
                  const auto value = sample(a.definition, 0, r.name());
                  const auto path = made_with(r, a, value);
                  const auto seen =
                      a.in(r.read(path + (a.returned() == "request" ? "?attributes=" + a.path() : "")));
                  r.expect(holds(seen, value), json::serialize(seen) + " instead of " + json::serialize(value));
                }});
  if (a.mutability() == "readWrite") {
    to.push_back({id("patch"), "7644 3.5.2.3", label + " can be replaced by PATCH", [a, ops](Run& r) {
                    r.needs(r.facts.supports("patch"), "patch");
                    const auto unique = r.name();
                    const auto path = made_with(r, a, sample(a.definition, 0, unique));
                    const auto value = sample(a.definition, 1, unique);
                    const auto now = patched(r, a, path, ops("replace", a, value));
                    r.expect(holds(now, value), json::serialize(now));
                  }});
    if (a.is("required")) {
      to.push_back({id("required"), "7643 2.2", label + " is required", [a, ops](Run& r) {
                      auto body = body_with(r, a, nullptr);
                      leave_out(body, a);
                      r.error(r.post(a.type.endpoint, body), 400, {"invalidValue"});
                      const auto path = made_with(r, a, sample(a.definition, 0, r.name()));
                      r.needs(r.facts.supports("patch"), "patch");
                      r.patch_refused(path, ops("remove", a, nullptr), {"mutability", "invalidValue"});
                    }});
    } else if (a.kind() != "boolean") {
      to.push_back({id("remove"), "7644 3.5.2.2", label + " can be removed by PATCH", [a, ops](Run& r) {
                      r.needs(r.facts.supports("patch"), "patch");
                      const auto path = made_with(r, a, sample(a.definition, 0, r.name()));
                      r.expect(patched(r, a, path, ops("remove", a, nullptr)).is_null(), "it is still there");
                    }});
    }
  }
  if (a.mutability() == "immutable") {
    to.push_back(
        {id("immutable"), "7643 2.2", label + " is immutable: another value is refused", [a, ops](Run& r) {
           const auto unique = r.name();
           const auto path = made_with(r, a, sample(a.definition, 0, unique));
           auto body = body_with(r, a, sample(a.definition, 1, unique));
           r.error(r.put(path, body), 400, {"mutability"});
           r.needs(r.facts.supports("patch"), "patch");
           r.patch_refused(path, ops("replace", a, sample(a.definition, 1, unique)), {"mutability"});
         }});
  }
  to.push_back({id("projection"), "7644 3.9", label + " by attributes and excludedAttributes", [a](Run& r) {
                  const auto path = made_with(r, a, sample(a.definition, 0, r.name()));
                  const auto chosen = r.read(path + "?attributes=" + a.path());
                  r.expect(!a.in(chosen).is_null() && !at(chosen, "/id").is_null(),
                           "attributes: " + json::serialize(chosen));
                  if (a.returned() != "always")
                    r.expect(a.in(r.read(path + "?excludedAttributes=" + a.path())).is_null(),
                             "excludedAttributes leaves it there");
                }});
  if (a.kind() == "string" || a.kind() == "reference" || a.kind() == "integer" || a.kind() == "boolean" ||
      a.kind() == "dateTime") {
    if (!a.is("multiValued")) {
      to.push_back(
          {id("filter"), "7644 3.4.2.2", label + " by eq, in another case as caseExact says", [a](Run& r) {
             r.needs(r.facts.supports("filter"), "filter");
             const auto value = sample(a.definition, 0, r.name());
             const auto path = made_with(r, a, value);
             const auto made = path.substr(a.type.endpoint.size() + 1);
             const std::set<std::string> all{made};
             const auto term = a.path() + " eq ";
             const auto only = " and id eq \"" + made + "\"";
             r.expect(r.found(a.type.endpoint, term + json::serialize(value) + only, all).size() == 1,
                      "eq does not find it");
             if (a.kind() != "string") return;
             auto upper = std::string(value.get_string());
             for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
             if (upper == std::string_view(value.get_string())) return;
             r.expect((r.found(a.type.endpoint, term + "\"" + upper + "\"" + only, all).size() == 1) ==
                          !a.is("caseExact"),
                      "in another case");
           }});
    }
  }
  to.push_back({id("type"), "7643 2.3", label + " refuses a value of another type", [a](Run& r) {
                  const json::value wrong = a.kind() == "complex" || a.is("multiValued")
                                                ? json::value(17)
                                                : json::value(json::array{json::object{{"x", 1}}});
                  r.error(r.post(a.type.endpoint, body_with(r, a, wrong)), 400, {"invalidValue", "invalidSyntax"});
                }});
  if (a.word("uniqueness", "none") != "none") {
    to.push_back({id("unique"), "7643 2.2", label + " is unique", [a](Run& r) {
                    const auto value = sample(a.definition, 0, r.name());
                    (void)made_with(r, a, value);
                    r.error(r.post(a.type.endpoint, body_with(r, a, value)), 409, {"uniqueness"});
                  }});
  }
  if (a.kind() == "complex") {
    bool primary = false;
    for (const auto& s : items(a.definition, "/subAttributes")) primary = primary || text(s, "/name") == "primary";
    if (primary && a.is("multiValued")) {
      to.push_back({id("primary"), "7643 2.4", label + " has one primary value at most", [a, ops](Run& r) {
                      const auto unique = r.name();
                      const auto values = [&](int n, bool first) {
                        auto v = sample(a.definition, n, unique).as_array()[0];
                        v.as_object()["primary"] = first;
                        return v;
                      };
                      const auto path = made_with(r, a, json::array{values(0, true)});
                      r.needs(r.facts.supports("patch"), "patch");
                      const auto now = a.in(r.patched(path, ops("add", a, json::array{values(1, true)})));
                      int count = 0;
                      for (const auto& v : now.as_array()) count += at(v, "/primary") == json::value(true) ? 1 : 0;
                      r.expect(count == 1, json::serialize(now));
                    }});
    }
    for (const auto& s : items(a.definition, "/subAttributes")) {
      const auto sub = text(s, "/name");
      if (a.is("multiValued") || !is_plain(s) || sub == "$ref" || sub == "display") continue;
      to.push_back(
          {id("sub") + "." + sub, "7643 2.3.8", label + "." + sub + " by itself", [a, s, sub](Run& r) {
             r.needs(r.facts.supports("patch"), "patch");
             const auto path = made_with(r, a, sample(a.definition, 0, r.name()));
             const auto value = sample(s, 1, r.name());
             const auto now = r.patched(
                 path,
                 json::array{json::object{{"op", "replace"}, {"path", a.path() + "." + sub}, {"value", value}}});
             r.expect(at(a.in(now), "/" + sub) == value, json::serialize(now));
             const auto chosen = r.read(path + "?attributes=" + a.path() + "." + sub);
             r.expect(a.in(chosen).is_object() && a.in(chosen).get_object().size() == 1, json::serialize(chosen));
           }});
    }
  }
}

}  // namespace

const std::vector<std::string>& attribute_families() {
  static const std::vector<std::string> all = {
      "readonly-post", "readonly-patch", "never",  "roundtrip", "patch",  "required", "remove",
      "immutable",     "projection",     "filter", "type",      "unique", "primary",  "sub"};
  return all;
}

void add_attributes(Checks& to, const Facts& facts) {
  for (const auto& type : facts.types) {
    const auto schema = [&](const std::string& urn, bool extension) {
      const auto found = facts.schemas.find(urn);
      if (found == facts.schemas.end()) return;
      for (const auto& d : found->second.at("attributes").as_array())
        add_one(to, {type, extension ? urn : std::string(), d.as_object()});
    };
    schema(type.schema, false);
    for (const auto& e : type.extensions) schema(e, true);
  }
}

}  // namespace deprov::conformance
