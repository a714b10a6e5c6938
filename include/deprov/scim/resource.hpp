// Bodies of POST and PUT against the schemas: checked, in canonical form, ready to store (RFC 7644 3.3, 3.5.1).
#pragma once

#include <cstdint>
#include <deprov/scim/member.hpp>
#include <deprov/scim/schema.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::scim {

enum class Leniency : std::uint8_t {
  strict,    ///< attributes and schema URNs that nobody knows are refused: `invalid_syntax`
  tolerant,  ///< they are ignored, with a note
};

/// A body in the form in which it is stored and compared: names as the schema writes them; no nulls and no empty
/// arrays (RFC 7643 section 2.5); no read-only attributes, no write-only ones, no row attribute; `schemas` naming
/// the core schema and the extensions that have values.
struct Document {
  json::object value;
  std::optional<MemberOp> members;  ///< a `replace` step; nothing if the body did not name the row attribute
  std::vector<std::string> notes;   ///< what was ignored, one sentence each
};

/// For POST. The caller adds `id` and `meta`.
/// Errors, each naming the attribute: `invalid_syntax` (not an object, unknown attribute, a name given twice in
/// different case), `invalid_value` (wrong type, required one missing, two primary values, malformed dateTime,
/// reference or base64), `limit_exceeded`.
[[nodiscard]] Result<Document> normalize(json::value&& body, const TypeDef& type, Leniency leniency,
                                         const Limits& limits = {});

struct ReplaceOptions {
  Leniency leniency = Leniency::strict;
  /// Top-level attributes that a PUT without them leaves as they are: missing is not empty (R10).
  std::vector<std::string> keep = {"active", "externalId"};
};

struct Replacement {
  Document document;                 ///< with `id`, `meta` and other read-only attributes of the existing one
  bool changed = false;              ///< the document differs from the existing one
  std::vector<std::string> changes;  ///< top-level attributes or extension URNs that differ, in canonical case
};

/// For PUT. Read-only attributes in the body are ignored; a changed immutable one is `mutability`. An attribute or
/// sub-attribute that is returned never, or only on request, stays unless the body names it: it cannot be in the
/// echo of a GET. Values of a list are found again by what is seen of them, else by their `value`.
[[nodiscard]] Result<Replacement> replace(const json::object& existing, json::value&& body, const TypeDef& type,
                                          const ReplaceOptions& options = {}, const Limits& limits = {});

/// Top-level attributes and extension URNs in which two stored documents differ; `meta` is not looked at.
[[nodiscard]] std::vector<std::string> differences(const json::object& before, const json::object& after);

/// Reads of a stored document that do not copy. Keeps a reference.
class Resource {
 public:
  explicit Resource(const json::object& document) noexcept : document_(&document) {}
  [[nodiscard]] const json::object& document() const noexcept { return *document_; }
  [[nodiscard]] std::string_view id() const noexcept { return text("id"); }
  [[nodiscard]] std::string_view external_id() const noexcept { return text("externalId"); }
  [[nodiscard]] std::string_view user_name() const noexcept { return text("userName"); }
  [[nodiscard]] std::string_view display_name() const noexcept { return text("displayName"); }
  /// What people call it: `displayName`, else `userName`.
  [[nodiscard]] std::string_view shown_name() const noexcept {
    return display_name().empty() ? user_name() : display_name();
  }
  /// Nothing if the resource does not say.
  [[nodiscard]] std::optional<bool> active() const noexcept;
  /// The primary e-mail, else the first; empty if there is none.
  [[nodiscard]] std::string_view email() const noexcept;
  /// All `emails.value`.
  [[nodiscard]] std::vector<std::string_view> emails() const;
  /// A top-level string under its canonical name; empty if absent.
  [[nodiscard]] std::string_view text(std::string_view name) const noexcept;

 private:
  const json::object* document_;
};

}  // namespace deprov::scim

#if defined(DEPROV_HEADER_ONLY)
#include <deprov/scim/impl/resource.ipp>
#endif
