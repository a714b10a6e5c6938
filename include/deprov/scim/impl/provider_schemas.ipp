#pragma once
#include <deprov/scim/impl/builtin_schemas.ipp>
#include <deprov/scim/schema.hpp>
#include <utility>

namespace deprov::scim {

namespace detail {

struct ProviderTable : AttributeTable {
  using T = AttributeType;

  static Schema make(std::string_view id, std::string_view name, std::string_view description,
                     std::vector<Attribute> attributes) {
    Schema s;
    s.id = id;
    s.name = name;
    s.description = description;
    for (auto& a : attributes) read_only(a);
    s.attributes = std::move(attributes);
    return s;
  }
  static void read_only(Attribute& a) {
    a.mutability = Mutability::read_only;
    for (auto& sub : a.sub_attributes) read_only(sub);
  }
  static Attribute flag(std::string_view name, std::string_view description) {
    return typed(name, T::boolean, description);
  }
  static Attribute number(std::string_view name, std::string_view description) {
    return typed(name, T::integer, description);
  }
  static Attribute supported(std::string_view name, std::string_view description,
                             std::vector<Attribute> more = {}) {
    std::vector<Attribute> subs{required(flag("supported", "Whether it is supported"))};
    for (auto& a : more) subs.push_back(std::move(a));
    return required(complex(name, std::move(subs), description));
  }

  static Schema provider_config() {
    return make(
        "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig", "Service Provider Configuration",
        "What the service provider supports",
        {reference("documentationUri", {"external"}, "The URL of the documentation for people"),
         supported("patch", "PATCH"),
         supported("bulk", "Bulk operations",
                   {required(number("maxOperations", "The most operations of one request")),
                    required(number("maxPayloadSize", "The most bytes of one request"))}),
         supported("filter", "Filters", {required(number("maxResults", "The most resources of one answer"))}),
         supported("changePassword", "Changing passwords"), supported("sort", "Sorting"),
         supported("etag", "Entity tags"),
         complex("pagination",
                 {required(flag("cursor", "Whether there is paging by cursor")),
                  required(flag("index", "Whether there is paging by index")),
                  type_of("defaultPaginationMethod", {"cursor", "index"}, "What is used where none is asked for"),
                  number("defaultPageSize", "Resources on a page where no count is asked for"),
                  number("maxPageSize", "The most resources on a page"),
                  number("cursorTimeout", "Seconds for which a cursor is good")},
                 "Paging (RFC 9865)"),
         many(required(complex(
             "authenticationSchemes",
             {required(type_of("type", {"oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"},
                               "The kind of scheme")),
              required(string("name", "The name for people")), required(string("description", "What it is")),
              reference("specUri", {"external"}, "The URL of its specification"),
              reference("documentationUri", {"external"}, "The URL of its documentation"),
              flag("primary", "Whether it is the preferred one")},
             "How clients prove who they are")))});
  }

  static Schema resource_type() {
    return make(resource_type_urn, "ResourceType", "One type of resource",
                {string("id", "The identifier, often the same as the name"),
                 required(string("name", "The name, as it stands in meta.resourceType")),
                 string("description", "What it is, for people"),
                 required(reference("endpoint", {"uri"}, "The endpoint below the base URL, such as /Users")),
                 required(reference("schema", {"uri"}, "The URN of the core schema")),
                 many(complex("schemaExtensions",
                              {required(reference("schema", {"uri"}, "The URN of the extension")),
                               required(flag("required", "Whether every resource has it"))},
                              "The schema extensions of the type"))});
  }

  static std::vector<Attribute> characteristics() {
    return {required(string("name", "The name of the attribute")),
            required(type_of(
                "type", {"string", "complex", "boolean", "decimal", "integer", "dateTime", "reference", "binary"},
                "The data type")),
            required(flag("multiValued", "Whether it is a list")),
            string("description", "What it is, for people"),
            flag("required", "Whether it has to be there"),
            many(string("canonicalValues", "Suggested values")),
            flag("caseExact", "Whether upper and lower case differ"),
            type_of("mutability", {"readOnly", "readWrite", "immutable", "writeOnly"}, "When it may be changed"),
            type_of("returned", {"always", "never", "default", "request"}, "When it is returned"),
            type_of("uniqueness", {"none", "server", "global"}, "Where values are unique"),
            many(string("referenceTypes", "What a reference may point at"))};
  }

  static Schema schema() {
    auto attribute = characteristics();
    attribute.push_back(many(complex("subAttributes", characteristics(), "The parts of a complex attribute")));
    return make(schema_urn, "Schema", "The attributes of a resource or of an extension",
                {required(string("id", "The URN of the schema")), string("name", "The name for people"),
                 string("description", "What it is, for people"),
                 many(required(complex("attributes", std::move(attribute), "The attributes")))});
  }

 private:
  static Attribute type_of(std::string_view name, Names canonical, std::string_view description) {
    Attribute a = exact(string(name, description));
    a.canonical_values = std::move(canonical);
    return a;
  }
};

}  // namespace detail

DEPROV_INLINE std::span<const Schema> provider_schemas() {
  using Table = detail::ProviderTable;
  static const std::vector<Schema> all{Table::provider_config(), Table::resource_type(), Table::schema()};
  return all;
}

}  // namespace deprov::scim
