// SCIM documents and the rows that hold them.
#pragma once

#include <deprov/port/records.hpp>
#include <deprov/scim/resource.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::service {

namespace json = boost::json;

/// Errors: `store_corrupt`.
[[nodiscard]] Result<json::object> stored_document(const port::ResourceRow& row);

/// Whether the type has the boolean `active` of a User.
[[nodiscard]] bool has_active(const scim::TypeDef& type) noexcept;

/// What is looked up by index, out of the document.
void fill_keys(port::ResourceRow& row, const json::object& document);
/// Whether one of these attributes is looked up by index.
[[nodiscard]] bool changes_keys(const std::vector<std::string>& changes) noexcept;
/// Whether two rows are found under the same keys.
[[nodiscard]] bool same_keys(const port::ResourceRow& a, const port::ResourceRow& b) noexcept;

/// The row after a change, with the version of the one before.
/// Missing is not empty (R10): a document that no longer says `active` keeps what it was.
struct ChangedRow {
  port::ResourceRow row;
  bool keys_changed = false;
  bool renamed = false;
};
[[nodiscard]] ChangedRow changed_row(const port::ResourceRow& before, json::object& document,
                                     std::vector<std::string>& changes, const scim::TypeDef& type, WallTime now);

}  // namespace deprov::service
