#pragma once
#include <deprov/scim/schema.hpp>
#include <initializer_list>
#include <utility>

namespace deprov::scim {

namespace detail {

/// Short words for the long tables below.
struct AttributeTable {
  using Names = std::vector<std::string>;
  static Attribute string(std::string_view name, std::string_view description) {
    Attribute a;
    a.name = name;
    a.description = description;
    return a;
  }
  static Attribute typed(std::string_view name, AttributeType type, std::string_view description) {
    Attribute a = string(name, description);
    a.type = type;
    return a;
  }
  static Attribute complex(std::string_view name, std::vector<Attribute> subs, std::string_view description) {
    Attribute a = typed(name, AttributeType::complex, description);
    a.sub_attributes = std::move(subs);
    return a;
  }
  static Attribute many(Attribute a) {
    a.multi_valued = true;
    return a;
  }
  static Attribute reference(std::string_view name, Names types, std::string_view description) {
    Attribute a = typed(name, AttributeType::reference, description);
    a.case_exact = true;
    a.reference_types = std::move(types);
    return a;
  }
  static Attribute with(Attribute a, Mutability mutability) {
    a.mutability = mutability;
    for (auto& s : a.sub_attributes) s.mutability = mutability;
    return a;
  }
  static Attribute required(Attribute a) {
    a.required = true;
    return a;
  }
  static Attribute exact(Attribute a) {
    a.case_exact = true;
    return a;
  }
  static Attribute type(Names canonical, std::string_view description) {
    Attribute a = string("type", description);
    a.canonical_values = std::move(canonical);
    return a;
  }
  /// A multi-valued attribute with the default sub-attributes of RFC 7643 section 2.4.
  static Attribute plural(std::string_view name, Attribute value, Names types, std::string_view description) {
    return many(
        complex(name,
                {std::move(value), string("display", "A name for people, primarily for display"),
                 type(std::move(types), "What the value is for, such as \"work\" or \"home\""),
                 typed("primary", AttributeType::boolean, "Whether this is the preferred value; true once")},
                description));
  }

  static Schema user() {
    Schema s;
    s.id = user_urn;
    s.name = "User";
    s.description = "User Account";
    Attribute user_name = required(string("userName", "The name by which the user signs in; unique, in any case"));
    user_name.uniqueness = Uniqueness::server;
    Attribute password =
        with(string("password", "The clear-text password; never stored, never returned"), Mutability::write_only);
    password.returned = Returned::never;
    password.case_exact = true;
    s.attributes = {
        std::move(user_name),
        complex("name",
                {string("formatted", "The whole name, formatted for display"),
                 string("familyName", "The family name, or last name in most Western languages"),
                 string("givenName", "The given name, or first name in most Western languages"),
                 string("middleName", "The middle name or names"),
                 string("honorificPrefix", "The prefix or title, such as \"Ms.\""),
                 string("honorificSuffix", "The suffix, such as \"III\"")},
                "The components of the user's name"),
        string("displayName", "The name of the user, suitable for display"),
        string("nickName", "The casual way to address the user, such as \"Bob\" for Robert"),
        reference("profileUrl", {"external"}, "The URL of the user's online profile"),
        string("title", "The title, such as \"Vice President\""),
        string("userType", "The relation between the organization and the user, such as \"Contractor\""),
        string("preferredLanguage", "The preferred language, as in the Accept-Language header of HTTP"),
        string("locale", "The location for formats of numbers, currency and dates, such as \"en-US\""),
        string("timezone", "The time zone in the form of the IANA database, such as \"Europe/Berlin\""),
        typed("active", AttributeType::boolean, "Whether the user may use the service"),
        std::move(password),
        plural("emails", string("value", "The address, canonicalized by the service provider"),
               {"work", "home", "other"}, "E-mail addresses"),
        plural("phoneNumbers", string("value", "The number, preferably as a URI of RFC 3966"),
               {"work", "home", "mobile", "fax", "pager", "other"}, "Phone numbers"),
        plural("ims", string("value", "The address"),
               {"aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"}, "Instant messaging addresses"),
        plural("photos", reference("value", {"external"}, "The URL of the photo"), {"photo", "thumbnail"},
               "URLs of photos of the user"),
        many(complex("addresses",
                     {string("formatted", "The whole address, formatted for display or a label"),
                      string("streetAddress", "Street, house number, post office box; may have several lines"),
                      string("locality", "The city"), string("region", "The state or region"),
                      string("postalCode", "The postal code"),
                      string("country", "The country as two letters (ISO 3166-1 alpha-2)"),
                      type({"work", "home", "other"}, "What the address is for, such as \"work\" or \"home\""),
                      typed("primary", AttributeType::boolean, "Whether this is the preferred value; true once")},
                     "Physical mailing addresses")),
        with(many(complex(
                 "groups",
                 {string("value", "The id of the group"),
                  reference("$ref", {"User", "Group"}, "The URI of the group"),
                  string("display", "The name of the group"),
                  type({"direct", "indirect"}, "Whether the membership is direct or through other groups")},
                 "The groups of which the user is a member; changed through the groups")),
             Mutability::read_only),
        plural("entitlements", string("value", "The entitlement"), {}, "Things that the user is entitled to"),
        plural("roles", string("value", "The role"), {},
               "Roles that together say who the user is, such as \"Student\""),
        plural("x509Certificates", exact(typed("value", AttributeType::binary, "The certificate (DER, base64)")),
               {}, "Certificates issued to the user"),
    };
    return s;
  }

  static Schema group() {
    Schema s;
    s.id = group_urn;
    s.name = "Group";
    s.description = "Group";
    Attribute value = required(string("value", "The id of the member"));
    s.attributes = {
        required(string("displayName", "The name of the group, for people")),
        many(complex(
            "members",
            {with(std::move(value), Mutability::immutable),
             with(reference("$ref", {"User", "Group"}, "The URI of the member"), Mutability::immutable),
             with(type({"User", "Group"}, "What the member is"), Mutability::immutable),
             string("display",
                    "The name of the member, for people, as the client gave it; where it gave none, the member's "
                    "own name, returned when it is asked for by name")},
            "The members of the group")),
    };
    return s;
  }

  static Schema enterprise_user() {
    Schema s;
    s.id = enterprise_user_urn;
    s.name = "EnterpriseUser";
    s.description = "Enterprise User";
    s.attributes = {
        string("employeeNumber", "Numeric or alphanumeric, assigned by the organization"),
        string("costCenter", "The name of a cost center"),
        string("organization", "The name of an organization"),
        string("division", "The name of a division"),
        string("department", "The name of a department"),
        complex("manager",
                {string("value", "The id of the user's manager"),
                 reference("$ref", {"User"}, "The URI of the user's manager"),
                 with(string("displayName", "The display name of the user's manager"), Mutability::read_only)},
                "The user's manager"),
    };
    return s;
  }

  static Schema common() {
    Schema s;
    s.name = "Common";
    s.description = "The attributes that every resource has (RFC 7643 sections 3 and 3.1)";
    Attribute schemas =
        many(required(exact(reference("schemas", {"uri"}, "The URNs of the schemas of the resource"))));
    schemas.returned = Returned::always;
    Attribute id =
        with(exact(string("id", "The identifier that the service provider gave")), Mutability::read_only);
    id.returned = Returned::always;
    id.uniqueness = Uniqueness::server;
    s.attributes = {
        std::move(schemas),
        std::move(id),
        exact(string("externalId", "The identifier that the provisioning client gave")),
        with(complex("meta",
                     {exact(string("resourceType", "The name of the resource type")),
                      typed("created", AttributeType::date_time, "When the resource was made"),
                      typed("lastModified", AttributeType::date_time, "When the resource was last changed"),
                      reference("location", {"uri"}, "The URI of the resource"),
                      exact(string("version", "The version, an entity tag"))},
                     "Data about the resource"),
             Mutability::read_only),
    };
    return s;
  }
};

}  // namespace detail

DEPROV_INLINE const Schema& common_schema() {
  static const Schema schema = detail::AttributeTable::common();
  return schema;
}

DEPROV_INLINE const SchemaRegistry& SchemaRegistry::builtin() {
  static const SchemaRegistry registry = [] {
    SchemaRegistry r;
    using Table = detail::AttributeTable;
    r.add(Table::user()).value();
    r.add(Table::group()).value();
    r.add(Table::enterprise_user()).value();
    r.add(ResourceType{"User",
                       "User",
                       "/Users",
                       "User Account",
                       std::string(user_urn),
                       {{std::string(enterprise_user_urn), false}},
                       {}})
        .value();
    r.add(ResourceType{"Group", "Group", "/Groups", "Group", std::string(group_urn), {}, "members"}).value();
    return r;
  }();
  return registry;
}

}  // namespace deprov::scim
