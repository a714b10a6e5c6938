// Schemas, resource types and the registry that every other part of the SCIM core asks (RFC 7643 sections 2, 6,
// 7).
#pragma once

#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/scim/attr_path.hpp>
#include <deprov/scim/json.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::scim {

inline constexpr std::string_view user_urn = "urn:ietf:params:scim:schemas:core:2.0:User";
inline constexpr std::string_view group_urn = "urn:ietf:params:scim:schemas:core:2.0:Group";
inline constexpr std::string_view enterprise_user_urn =
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
inline constexpr std::string_view schema_urn = "urn:ietf:params:scim:schemas:core:2.0:Schema";
inline constexpr std::string_view resource_type_urn = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";

enum class AttributeType : std::uint8_t {
  string,
  boolean,
  decimal,
  integer,
  date_time,
  binary,
  reference,
  complex
};
enum class Mutability : std::uint8_t { read_only, read_write, immutable, write_only };
enum class Returned : std::uint8_t { always, never, by_default, request };
enum class Uniqueness : std::uint8_t { none, server, global };

/// The words of RFC 7643 section 7, such as "dateTime" and "readOnly".
[[nodiscard]] std::string_view to_string(AttributeType value) noexcept;
[[nodiscard]] std::string_view to_string(Mutability value) noexcept;
[[nodiscard]] std::string_view to_string(Returned value) noexcept;
[[nodiscard]] std::string_view to_string(Uniqueness value) noexcept;

struct Attribute {
  std::string name;
  AttributeType type = AttributeType::string;
  bool multi_valued = false;
  bool required = false;
  bool case_exact = false;
  Mutability mutability = Mutability::read_write;
  Returned returned = Returned::by_default;
  Uniqueness uniqueness = Uniqueness::none;
  std::vector<std::string> canonical_values{};  ///< suggestions, unless `restricted` (RFC 7643 section 2.3.1)
  std::vector<std::string> reference_types{};   ///< "User", "external", "uri", ...
  std::vector<Attribute> sub_attributes{};
  std::string description{};
  bool restricted = false;  ///< of a string: what is none of `canonical_values` is refused

  /// A sub-attribute by name in any case, or null.
  [[nodiscard]] const Attribute* find(std::string_view sub) const noexcept;
};

/// Whether its values are never shown to anybody: neither may an order or a filter tell them.
[[nodiscard]] inline bool is_hidden(const Attribute& a) noexcept {
  return a.returned == Returned::never || a.mutability == Mutability::write_only;
}

/// Behind the name of an attribute that was sent and is never kept, in the notes on a request.
inline constexpr std::string_view not_stored_note = " is not stored";

struct Schema {
  std::string id;  ///< its URN
  std::string name;
  std::string description;
  std::vector<Attribute> attributes;

  [[nodiscard]] const Attribute* find(std::string_view name) const noexcept;
};

struct SchemaExtension {
  std::string schema;  ///< URN
  bool required = false;
};

struct ResourceType {
  std::string id;
  std::string name;
  std::string endpoint;  ///< with the leading slash: "/Users"
  std::string description;
  std::string schema;  ///< URN of the core schema
  std::vector<SchemaExtension> extensions;
  /// The multi-valued attribute that is stored as rows and never in the document ("members" of a Group).
  std::string row_attribute;
};

/// What an AttrPath means within one resource type.
struct Resolved {
  const Schema* schema = nullptr;        ///< never null
  bool extension = false;                ///< its values live under the schema's URN
  const Attribute* attribute = nullptr;  ///< null: the whole schema is meant
  const Attribute* sub = nullptr;        ///< null: the whole attribute is meant

  /// The innermost one named, or null.
  [[nodiscard]] const Attribute* leaf() const noexcept { return sub != nullptr ? sub : attribute; }
};

/// A resource type with its schemas at hand. Immutable, shared, safe from any thread.
class TypeDef {
 public:
  TypeDef(ResourceType type, std::shared_ptr<const Schema> core,
          std::vector<std::shared_ptr<const Schema>> extensions);

  [[nodiscard]] const ResourceType& type() const noexcept { return type_; }
  [[nodiscard]] const std::string& name() const noexcept { return type_.name; }
  [[nodiscard]] const Schema& core() const noexcept { return *core_; }
  [[nodiscard]] std::span<const std::shared_ptr<const Schema>> extensions() const noexcept { return extensions_; }

  /// An attribute of the core schema or one of the common ones (`schemas`, `id`, `externalId`, `meta`), in any
  /// case.
  [[nodiscard]] const Attribute* attribute(std::string_view name) const noexcept;
  /// An extension by URN in any case, or null.
  [[nodiscard]] const Schema* extension(std::string_view urn) const noexcept;
  /// Attributes and sub-attributes whose values no two resources of the type share (`uniqueness` server or
  /// global), but for what the service provider gives itself and for what is never stored.
  [[nodiscard]] std::span<const Resolved> unique() const noexcept { return unique_; }
  /// The attribute stored as rows, or null.
  [[nodiscard]] const Attribute* row_attribute() const noexcept { return row_attribute_; }
  /// Whether everything that a stored document of the type can hold is returned by default; the attribute stored
  /// as rows is in no document.
  [[nodiscard]] bool returned_whole() const noexcept { return returned_whole_; }
  /// Looks a path up: short names in the core schema first, then in the extensions; URNs where they point.
  /// Nothing if there is no such attribute.
  [[nodiscard]] std::optional<Resolved> resolve(const AttrPath& path) const noexcept;
  [[nodiscard]] std::optional<Resolved> resolve(std::string_view schema, std::string_view attribute,
                                                std::string_view sub) const noexcept;
  /// The same from text; nothing for malformed text either. Allocates nothing.
  [[nodiscard]] std::optional<Resolved> resolve(std::string_view text) const noexcept;

 private:
  struct Slot {
    std::uint32_t hash = 0;
    const Attribute* attribute = nullptr;
    const Schema* schema = nullptr;
    bool extension = false;
  };
  void index(const Attribute& attribute, const Schema& schema, bool extension);
  void collect_unique(const Schema& schema, bool extension);
  [[nodiscard]] bool shows_whole(const Schema& schema) const;
  [[nodiscard]] const Slot* lookup(std::string_view name) const noexcept;

  ResourceType type_;
  std::shared_ptr<const Schema> core_;
  std::vector<std::shared_ptr<const Schema>> extensions_;
  std::vector<Slot> slots_;
  std::vector<Resolved> unique_;
  const Attribute* row_attribute_ = nullptr;
  bool returned_whole_ = true;
};

/// All schemas and resource types of one service provider. Build it, then share it as const: reads are safe from
/// any thread. Copies share the schemas. A registry keeps what it handed out alive for its own lifetime.
class SchemaRegistry {
 public:
  SchemaRegistry() = default;  ///< empty

  /// User, Group and EnterpriseUser, complete as in RFC 7643 section 8.7.1.
  [[nodiscard]] static const SchemaRegistry& builtin();

  /// The built-in one with the schemas and resource types of one service provider: each of the two is one object
  /// in the RFC's form, an array, or a ListResponse; null: none. A resource type with the name of a built-in one
  /// says which extensions that has here; it stays what it is otherwise. All members have to be known ones. The
  /// `canonicalValues` of the schemas' strings are `restricted`; those of other types have no effect.
  /// Errors: `invalid_argument` and `limit_exceeded`, the place being a JSON path such as
  /// `schemas[1].attributes[3].type`.
  [[nodiscard]] static Result<SchemaRegistry> customized(const json::value& schemas,
                                                         const json::value& resource_types);

  /// Errors: `invalid_argument` for a URN or name that is taken, an extension that is unknown, a malformed name.
  /// On failure nothing was added.
  Result<void> add(Schema schema);
  Result<void> add(ResourceType type);
  /// One object in the RFC's form, or an array of them, or a ListResponse of them.
  Result<void> load_schemas(const json::value& document);
  Result<void> load_resource_types(const json::value& document);

  [[nodiscard]] const Schema* schema(std::string_view urn) const noexcept;  ///< in any case, or null
  [[nodiscard]] const TypeDef* type(std::string_view name) const noexcept;  ///< "User", in any case, or null
  /// "/Users" or "Users", in any case, or null.
  [[nodiscard]] const TypeDef* endpoint(std::string_view path) const noexcept;
  [[nodiscard]] std::span<const std::shared_ptr<const Schema>> schemas() const noexcept { return schemas_; }
  [[nodiscard]] std::span<const std::shared_ptr<const TypeDef>> types() const noexcept { return types_; }

 private:
  std::vector<std::shared_ptr<const Schema>> schemas_;
  std::vector<std::shared_ptr<const TypeDef>> types_;
};

/// The attributes that every resource has (RFC 7643 section 3.1) and no schema lists.
[[nodiscard]] const Schema& common_schema();

/// The schemas of the discovery documents themselves (RFC 7643 section 8.7.2, RFC 9865 section 4): Schema,
/// ResourceType and ServiceProviderConfig. All of it is read-only; no resource type has them.
[[nodiscard]] std::span<const Schema> provider_schemas();

/// RFC form, as `/Schemas` and `/ResourceTypes` answer it. `base` is the URL before `/Schemas`; `meta.location` is
/// left out when it is empty.
[[nodiscard]] json::object to_json(const Schema& schema, std::string_view base = {});
[[nodiscard]] json::object to_json(const ResourceType& type, std::string_view base = {});
/// Errors: `invalid_syntax` or `invalid_value` with the place; `where` stands for the document in it. Unknown
/// members are ignored.
[[nodiscard]] Result<Schema> schema_from_json(const json::value& document, std::string_view where = {});
[[nodiscard]] Result<ResourceType> resource_type_from_json(const json::value& document,
                                                           std::string_view where = {});

/// Whether a new schema asks for nothing that is not done: an attribute that is `writeOnly` is not kept, and so
/// nothing would show whether it is unique; and `canonicalValues` are texts, so that nothing but strings and
/// references has any. Not for what is in use already, which goes on as it is.
/// Errors: `invalid_argument`, naming the attribute by its URN.
[[nodiscard]] Result<void> check_new_schema(const Schema& schema);

/// Whether resources that are stored under `before` are still good under `after`: no attribute is gone or of
/// another kind, the unique ones are the same, and what was accepted still is. Errors: `conflict`, naming the
/// attribute.
[[nodiscard]] Result<void> still_fits(const TypeDef& before, const TypeDef& after);

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/builtin_schemas.ipp>
#include <deprov/scim/impl/custom_schemas.ipp>
#include <deprov/scim/impl/provider_schemas.ipp>
#include <deprov/scim/impl/schema.ipp>
#include <deprov/scim/impl/schema_json.ipp>
#endif
