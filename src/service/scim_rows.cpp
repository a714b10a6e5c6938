#include "service/scim_rows.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/scim/fold.hpp>
#include <utility>

namespace deprov::service {

Result<json::object> stored_document(const port::ResourceRow& row) {
  boost::system::error_code ec;
  json::parse_options options;
  options.max_depth = 128;  // deeper than any bound on what is accepted
  auto value = json::parse(row.document, ec, {}, options);
  if (ec || !value.is_object())
    return Error(Errc::store_corrupt, "the stored document of a resource does not parse", row.id.str(),
                 "restore the store from a backup");
  return std::move(value.get_object());
}

bool has_active(const scim::TypeDef& type) noexcept {
  const auto* a = type.core().find("active");
  return a != nullptr && a->type == scim::AttributeType::boolean && !a->multi_valued;
}

void fill_keys(port::ResourceRow& row, const json::object& document) {
  const scim::Resource r(document);
  row.external_id = r.external_id();
  row.user_name_key = scim::fold(r.user_name());
  row.display_name_key = scim::fold(r.display_name());
  row.email_keys.clear();
  for (const auto e : r.emails()) row.email_keys.push_back(scim::fold(e));
  std::sort(row.email_keys.begin(), row.email_keys.end());
  row.email_keys.erase(std::unique(row.email_keys.begin(), row.email_keys.end()), row.email_keys.end());
}

bool changes_keys(const std::vector<std::string>& changes) noexcept {
  return std::any_of(changes.begin(), changes.end(), [](const std::string& name) {
    return name == "externalId" || name == "userName" || name == "displayName" || name == "emails";
  });
}

bool same_keys(const port::ResourceRow& a, const port::ResourceRow& b) noexcept {
  return a.external_id == b.external_id && a.user_name_key == b.user_name_key &&
         a.display_name_key == b.display_name_key && a.email_keys == b.email_keys;
}

ChangedRow changed_row(const port::ResourceRow& before, json::object& document, std::vector<std::string>& changes,
                       const scim::TypeDef& type, WallTime now) {
  ChangedRow out;
  out.row = before;
  out.row.modified = now;
  if (has_active(type)) {
    const auto active = scim::Resource(document).active();
    if (active) {
      out.row.active = *active;
    } else {
      document["active"] = before.active;
      std::erase(changes, "active");
    }
  }
  out.row.document = json::serialize(document);
  if (changes_keys(changes)) {
    fill_keys(out.row, document);
    out.keys_changed = !same_keys(before, out.row);
  }
  const std::string_view name = type.row_attribute() != nullptr ? "displayName" : "userName";
  out.renamed = std::find(changes.begin(), changes.end(), name) != changes.end();
  return out;
}

}  // namespace deprov::service
