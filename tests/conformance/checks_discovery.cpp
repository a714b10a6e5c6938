// RFC 7644 section 4 and RFC 7643 sections 5 to 7: what a service provider says about itself.
#include <algorithm>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

constexpr auto s4 = "7644 4";
constexpr auto s5 = "7643 5";
constexpr auto s6 = "7643 6";
constexpr auto s7 = "7643 7";

bool one_of(const json::value& v, std::initializer_list<std::string_view> words) {
  return v.is_string() && std::any_of(words.begin(), words.end(), [&](auto w) { return v.get_string() == w; });
}

/// Every attribute of the schema, sub-attributes included.
void each_attribute(const json::value& attributes, const std::function<void(const json::value&)>& see) {
  for (const auto& a : attributes.as_array()) {
    see(a);
    if (const auto subs = at(a, "/subAttributes"); subs.is_array()) each_attribute(subs, see);
  }
}

void every_attribute(Run& r, const std::function<void(const json::value&)>& see) {
  r.expect(!r.facts.schemas.empty(), "there are no schemas");
  for (const auto& [urn, schema] : r.facts.schemas) each_attribute(schema.at("attributes"), see);
}

void add_config(Checks& to) {
  to.push_back(
      {"config-shape", s5, "ServiceProviderConfig names its schema and every feature", [](Run& r) {
         const auto c = r.read("/ServiceProviderConfig");
         r.expect(holds(c, J(R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]})")),
                  "schemas");
         for (const auto* feature : {"patch", "bulk", "filter", "changePassword", "sort", "etag"})
           r.expect(at(c, "/" + std::string(feature) + "/supported").is_bool(),
                    std::string(feature) + ".supported is no boolean");
       }});
  to.push_back({"config-limits", s5, "bulk and filter name their limits as integers", [](Run& r) {
                  for (const auto* p : {"/bulk/maxOperations", "/bulk/maxPayloadSize", "/filter/maxResults"})
                    r.expect(at(r.facts.config, p).is_int64(), std::string(p) + " is no integer");
                }});
  to.push_back({"config-authentication", s5, "authenticationSchemes have type, name and description", [](Run& r) {
                  const auto schemes = at(r.facts.config, "/authenticationSchemes");
                  r.expect(schemes.is_array() && !schemes.get_array().empty(), "there are none");
                  for (const auto& s : schemes.get_array()) {
                    r.expect(
                        one_of(at(s, "/type"), {"oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"}),
                        "type");
                    r.expect(!text(s, "/name").empty() && !text(s, "/description").empty(), "name or description");
                  }
                }});
  to.push_back({"config-meta", s5, "ServiceProviderConfig has meta.resourceType and location", [](Run& r) {
                  r.expect(text(r.facts.config, "/meta/resourceType") == "ServiceProviderConfig",
                           "meta.resourceType");
                  const auto where = text(r.facts.config, "/meta/location");
                  r.expect(where.size() > 22 && where.substr(where.size() - 22) == "/ServiceProviderConfig",
                           "meta.location " + where);
                }});
  to.push_back({"config-pagination", "9865 4", "pagination says which methods there are", [](Run& r) {
                  const auto p = at(r.facts.config, "/pagination");
                  if (p.is_null()) throw Skipped{"pagination is not advertised"};
                  r.expect(at(p, "/cursor").is_bool() && at(p, "/index").is_bool(),
                           "cursor and index are REQUIRED booleans");
                  if (const auto d = at(p, "/defaultPaginationMethod"); !d.is_null())
                    r.expect(one_of(d, {"cursor", "index"}), "defaultPaginationMethod");
                  for (const auto* n : {"/defaultPageSize", "/maxPageSize", "/cursorTimeout"})
                    if (const auto v = at(p, n); !v.is_null())
                      r.expect(v.is_int64() && v.get_int64() > 0, std::string(n) + " is no positive integer");
                }});
  to.push_back({"config-no-write", s4, "ServiceProviderConfig cannot be written", [](Run& r) {
                  const auto reply = r.put("/ServiceProviderConfig", r.facts.config);
                  r.status(reply, {403, 404, 405, 501});
                }});
  to.push_back(
      {"config-no-filter", s4, "a filter on ServiceProviderConfig is ignored or 403", [](Run& r) {
         r.status(r.get("/ServiceProviderConfig?filter=" + escaped(R"(patch.supported eq true)")), {200, 403});
       }});
}

void add_types(Checks& to) {
  for (const auto* endpoint : {"Schemas", "ResourceTypes"}) {
    const std::string path = "/" + std::string(endpoint);
    const std::string id = endpoint == std::string("Schemas") ? "schemas" : "types";
    to.push_back({id + "-list", s4, "GET " + path + " is a ListResponse with all of them", [path](Run& r) {
                    const auto reply = r.get(path);
                    r.list(reply);
                    const auto all = at(reply.json, "/Resources").as_array();
                    r.expect(at(reply.json, "/totalResults") == json::value(static_cast<std::int64_t>(all.size())),
                             "totalResults");
                  }});
    to.push_back({id + "-no-filter", s4, "a filter on " + path + " is 403",
                  [path](Run& r) { r.error(r.get(path + "?filter=" + escaped(R"(name eq "User")")), 403); }});
    to.push_back({id + "-single", s4, path + "/{id} answers the same as the list", [path](Run& r) {
                    for (const auto& one : items(r.read(path), "/Resources"))
                      r.expect(same(r.read(path + "/" + text(one, "/id")), one), text(one, "/id") + " differs");
                  }});
    to.push_back({id + "-unknown", s4, path + "/{unknown} is 404",
                  [path](Run& r) { r.error(r.get(path + "/urn:example:nothing"), 404); }});
    to.push_back({id + "-no-write", s4, path + " cannot be written", [path](Run& r) {
                    r.status(r.post(path, json::object{{"id", "x"}}), {403, 404, 405, 501});
                  }});
    to.push_back({id + "-meta", "7643 3.1", path + " have meta.resourceType and location", [path, id](Run& r) {
                    for (const auto& one : items(r.read(path), "/Resources")) {
                      r.expect(text(one, "/meta/resourceType") == (id == "schemas" ? "Schema" : "ResourceType"),
                               "resourceType");
                      r.expect(
                          r.get(text(one, "/meta/location")
                                    .substr(std::min(r.http.base().size(), text(one, "/meta/location").size())))
                                  .status == 200,
                          "meta.location does not lead to it: " + text(one, "/meta/location"));
                    }
                  }});
  }
  to.push_back({"types-shape", s6, "each resource type has name, endpoint and a known schema", [](Run& r) {
                  for (const auto& t : r.facts.types) {
                    r.expect(!t.name.empty() && t.endpoint.size() > 1, "name or endpoint");
                    r.expect(r.facts.schemas.count(t.schema) == 1, t.schema + " is not in /Schemas");
                    for (const auto& e : t.extensions)
                      r.expect(r.facts.schemas.count(e) == 1, e + " is not in /Schemas");
                  }
                }});
  to.push_back({"types-extension-required", s6, "schemaExtensions say whether they are required", [](Run& r) {
                  for (const auto& t : items(r.read("/ResourceTypes"), "/Resources"))
                    if (const auto all = at(t, "/schemaExtensions"); all.is_array())
                      for (const auto& e : all.get_array())
                        r.expect(at(e, "/required").is_bool(), "required is no boolean");
                }});
  to.push_back({"types-user-group", s6, "there are User and Group with the endpoints of the RFC", [](Run& r) {
                  const auto* user = r.facts.type("User");
                  const auto* group = r.facts.type("Group");
                  r.expect(user != nullptr && user->endpoint == "/Users" && user->schema == user_schema, "User");
                  r.expect(group != nullptr && group->endpoint == "/Groups" && group->schema == group_schema,
                           "Group");
                }});
  to.push_back(
      {"types-endpoints-answer", "7644 3.2", "each endpoint that /ResourceTypes names answers", [](Run& r) {
         for (const auto& t : r.facts.types) r.list(r.get(t.endpoint + "?count=1"));
       }});
}

void add_schemas(Checks& to) {
  to.push_back({"schemas-shape", s7, "each schema has id, name and attributes", [](Run& r) {
                  for (const auto& [urn, schema] : r.facts.schemas) {
                    r.expect(urn.rfind("urn:", 0) == 0, urn + " is no URN");
                    r.expect(schema.contains("name") && at(schema, "/attributes").is_array(), urn);
                  }
                }});
  struct Word {
    const char* name;
    std::initializer_list<std::string_view> of;
  };
  static const Word words[] = {
      {"type", {"string", "boolean", "decimal", "integer", "dateTime", "reference", "complex", "binary"}},
      {"mutability", {"readOnly", "readWrite", "immutable", "writeOnly"}},
      {"returned", {"always", "never", "default", "request"}},
      {"uniqueness", {"none", "server", "global"}}};
  for (const auto& w : words)
    to.push_back({"schemas-" + std::string(w.name), s7,
                  std::string(w.name) + " of attributes is a word of the RFC", [w](Run& r) {
                    every_attribute(r, [&](const json::value& a) {
                      const auto v = at(a, "/" + std::string(w.name));
                      if (v.is_null() && std::string_view(w.name) != "type") return;  // a default (section 2.2)
                      r.expect(one_of(v, w.of), text(a, "/name") + ": " + text(a, "/" + std::string(w.name)));
                    });
                  }});
  to.push_back({"schemas-booleans", s7, "multiValued, required and caseExact are booleans", [](Run& r) {
                  every_attribute(r, [&](const json::value& a) {
                    for (const auto* n : {"/multiValued", "/required", "/caseExact"})
                      if (const auto v = at(a, n); !v.is_null()) r.expect(v.is_bool(), text(a, "/name") + n);
                  });
                }});
  to.push_back({"schemas-no-messages", "7644 3.1", "schemas of messages are not in /Schemas", [](Run& r) {
                  for (const auto& [urn, schema] : r.facts.schemas)
                    r.expect(urn.rfind("urn:ietf:params:scim:api:", 0) != 0, urn + " is there");
                }});
  to.push_back({"discovery-ignores-paging", s4, "paging and sorting of discovery is ignored", [](Run& r) {
                  for (const auto* path : {"/Schemas", "/ResourceTypes"}) {
                    const auto reply =
                        r.get(std::string(path) + "?startIndex=2&count=1&sortBy=name&sortOrder=descending");
                    r.status(reply, {200});
                    r.expect(same(at(reply.json, "/Resources"), at(r.read(path), "/Resources")),
                             std::string(path) + " shows others");
                  }
                }});
  to.push_back({"schemas-names", "7643 2.1", "attribute names have the form of the RFC", [](Run& r) {
                  every_attribute(r, [&](const json::value& a) {
                    const auto name = text(a, "/name");
                    const bool fine = !name.empty() &&
                                      (std::isalpha(static_cast<unsigned char>(name[0])) != 0 || name == "$ref") &&
                                      std::all_of(name.begin(), name.end(), [](unsigned char c) {
                                        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '$';
                                      });
                    r.expect(fine, "\"" + name + "\"");
                  });
                }});
  to.push_back({"schemas-complex", s7, "complex attributes have sub-attributes, none of them complex", [](Run& r) {
                  for (const auto& [urn, schema] : r.facts.schemas) {
                    // Section 7: the schema of schemas may nest.
                    if (urn == "urn:ietf:params:scim:schemas:core:2.0:Schema") continue;
                    each_attribute(schema.at("attributes"), [&](const json::value& a) {
                      if (text(a, "/type") != "complex") return;
                      const auto subs = at(a, "/subAttributes");
                      r.expect(subs.is_array() && !subs.get_array().empty(),
                               text(a, "/name") + " has no subAttributes");
                      for (const auto& s : subs.get_array())
                        r.expect(text(s, "/type") != "complex", text(a, "/name") + " nests");
                    });
                  }
                }});
  to.push_back({"schemas-references", s7, "references name their referenceTypes", [](Run& r) {
                  every_attribute(r, [&](const json::value& a) {
                    if (text(a, "/type") == "reference")
                      r.expect(at(a, "/referenceTypes").is_array(), text(a, "/name") + " has no referenceTypes");
                  });
                }});
  struct Known {
    const char* id;
    const std::string* schema;
    std::initializer_list<std::string_view> names;
  };
  static const Known known[] = {
      {"schemas-user-complete",
       &user_schema,
       {"userName",        "name",         "displayName",  "nickName",
        "profileUrl",      "title",        "userType",     "preferredLanguage",
        "locale",          "timezone",     "active",       "password",
        "emails",          "phoneNumbers", "ims",          "photos",
        "addresses",       "groups",       "entitlements", "roles",
        "x509Certificates"}},
      {"schemas-group-complete", &group_schema, {"displayName", "members"}},
      {"schemas-enterprise-complete",
       &enterprise_schema,
       {"employeeNumber", "costCenter", "organization", "division", "department", "manager"}}};
  for (const auto& k : known)
    to.push_back(
        {k.id, "7643 4", *k.schema + " has all attributes of the RFC", [k](Run& r) {
           const auto schema = r.facts.schemas.find(*k.schema);
           if (schema == r.facts.schemas.end()) throw Skipped{*k.schema + " is not offered"};
           for (const auto name : k.names) {
             const auto& all = schema->second.at("attributes").as_array();
             r.expect(std::any_of(all.begin(), all.end(), [&](const auto& a) { return text(a, "/name") == name; }),
                      std::string(name) + " is missing");
           }
         }});
  to.push_back(
      {"schemas-user-characteristics", "7643 8.7.1", "userName, password, groups have their characteristics",
       [](Run& r) {
         const auto find = [&](std::string_view name) -> json::value {
           for (const auto& a : r.facts.schemas.at(user_schema).at("attributes").as_array())
             if (text(a, "/name") == name) return a;
           throw Failed{std::string(name) + " is missing"};
         };
         r.expect(holds(find("userName"), J(R"({"required":true,"caseExact":false,"uniqueness":"server"})")),
                  "userName");
         r.expect(holds(find("password"), J(R"({"mutability":"writeOnly","returned":"never"})")), "password");
         r.expect(holds(find("groups"), J(R"({"mutability":"readOnly","multiValued":true})")), "groups");
       }});
}

}  // namespace

void add_discovery(Checks& to) {
  add_config(to);
  add_types(to);
  add_schemas(to);
}

}  // namespace deprov::conformance
