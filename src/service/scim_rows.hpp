// SCIM documents and the rows that hold them.
#pragma once

#include <deprov/port/records.hpp>
#include <deprov/scim/filter.hpp>
#include <deprov/scim/resource.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::service {

namespace json = boost::json;

/// Errors: `store_corrupt`.
[[nodiscard]] Result<json::object> stored_document(const port::ResourceRow& row);
/// The text in which a document is stored and shown: decimals have digits on both sides of a period (RFC 7643
/// section 2.3.3), and no exponent but where they are very large or very small.
[[nodiscard]] std::string document_text(const json::object& document);

/// Whether the type is the User, with its boolean `active`.
[[nodiscard]] bool has_active(const scim::TypeDef& type) noexcept;

/// Which of the store's indexes hold the type's attributes of these names: where a schema defines them in another
/// shape (case exact, a list, not unique), the index does not.
struct IndexedKeys {
  bool user_name = false, display_name = false, emails = false;
};
[[nodiscard]] IndexedKeys indexed_keys(const scim::TypeDef& type) noexcept;
/// Whether the index of the field finds all that a filter on it can match among the resources of the type.
[[nodiscard]] bool index_answers(const scim::TypeDef& type, scim::IndexedField field) noexcept;

/// What is looked up by index, out of the document.
void fill_keys(port::ResourceRow& row, const json::object& document, const scim::TypeDef& type);
/// Whether one of these attributes is looked up by index.
[[nodiscard]] bool changes_keys(const std::vector<std::string>& changes, const scim::TypeDef& type) noexcept;
/// Whether two rows are found under the same keys.
[[nodiscard]] bool same_keys(const port::ResourceRow& a, const port::ResourceRow& b) noexcept;

/// The row after a change, with the version of the one before.
/// Missing is not empty (R10): where the document does not say `active`, it stays what it was.
struct ChangedRow {
  port::ResourceRow row;
  bool keys_changed = false;
  bool renamed = false;
};
[[nodiscard]] ChangedRow changed_row(const port::ResourceRow& before, const json::object& document,
                                     const std::vector<std::string>& changes, const scim::TypeDef& type,
                                     WallTime now);

}  // namespace deprov::service
