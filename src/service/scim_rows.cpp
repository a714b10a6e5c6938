#include "service/scim_rows.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/scim/fold.hpp>
#include <utility>
#include "service/scim_unknown_members.hpp"

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

bool has_active(const scim::TypeDef& type) noexcept { return scim::iequals(type.core().id, scim::user_urn); }

IndexedKeys indexed_keys(const scim::TypeDef& type) noexcept {
  const auto folded_text = [](const scim::Attribute* a) {
    return a != nullptr && a->type == scim::AttributeType::string && !a->multi_valued && !a->case_exact;
  };
  IndexedKeys out;
  const auto* name = type.core().find("userName");
  out.user_name = folded_text(name) && name->name == "userName" && name->uniqueness != scim::Uniqueness::none;
  const auto* display = type.core().find("displayName");
  out.display_name = folded_text(display) && display->name == "displayName";
  const auto* emails = type.core().find("emails");
  out.emails = emails != nullptr && emails->name == "emails" && emails->multi_valued &&
               emails->type == scim::AttributeType::complex && folded_text(emails->find("value"));
  return out;
}

bool index_answers(const scim::TypeDef& type, scim::IndexedField field) noexcept {
  using F = scim::IndexedField;
  // A name that the core schema does not have may still be the short form of an extension's.
  const auto absent = [&](std::string_view name) { return !type.resolve({}, name, {}).has_value(); };
  switch (field) {
    case F::id:
    case F::external_id:
    case F::last_modified: return true;
    case F::user_name: return indexed_keys(type).user_name || absent("userName");
    case F::display_name: return indexed_keys(type).display_name || absent("displayName");
    case F::email: return indexed_keys(type).emails || absent("emails");
    case F::member: return type.row_attribute() != nullptr || absent("members");
    case F::group: {
      const auto* a = type.core().find("groups");
      return (a != nullptr && a->mutability == scim::Mutability::read_only && has_active(type)) ||
             absent("groups");
    }
  }
  return false;
}

void fill_keys(port::ResourceRow& row, const json::object& document, const scim::TypeDef& type) {
  const scim::Resource r(document);
  const auto keys = indexed_keys(type);
  row.external_id = r.external_id();
  row.user_name_key = keys.user_name ? scim::fold(r.user_name()) : std::string();
  row.display_name_key = keys.display_name ? scim::fold(r.display_name()) : std::string();
  row.email_keys.clear();
  if (keys.emails)
    for (const auto e : r.emails()) row.email_keys.push_back(scim::fold(e));
  if (const auto* rows = type.row_attribute())
    if (const auto* unknown = document.if_contains(rows->name); unknown != nullptr && unknown->is_array())
      for (const auto& m : unknown->get_array())
        row.email_keys.push_back(unknown_member_key(m.at("value").as_string()));
  std::sort(row.email_keys.begin(), row.email_keys.end());
  row.email_keys.erase(std::unique(row.email_keys.begin(), row.email_keys.end()), row.email_keys.end());
}

bool changes_keys(const std::vector<std::string>& changes, const scim::TypeDef& type) noexcept {
  const auto* rows = type.row_attribute();
  return std::any_of(changes.begin(), changes.end(), [&](const std::string& name) {
    return name == "externalId" || name == "userName" || name == "displayName" || name == "emails" ||
           (rows != nullptr && name == rows->name);
  });
}

bool same_keys(const port::ResourceRow& a, const port::ResourceRow& b) noexcept {
  return a.external_id == b.external_id && a.user_name_key == b.user_name_key &&
         a.display_name_key == b.display_name_key && a.email_keys == b.email_keys;
}

ChangedRow changed_row(const port::ResourceRow& before, const json::object& document,
                       const std::vector<std::string>& changes, const scim::TypeDef& type, WallTime now) {
  ChangedRow out;
  out.row = before;
  out.row.modified = now;
  if (has_active(type)) out.row.active = scim::Resource(document).active().value_or(before.active);
  out.row.document = json::serialize(document);
  if (changes_keys(changes, type)) {
    fill_keys(out.row, document, type);
    out.keys_changed = !same_keys(before, out.row);
  }
  const std::string_view name = type.row_attribute() != nullptr ? "displayName" : "userName";
  out.renamed = std::find(changes.begin(), changes.end(), name) != changes.end();
  return out;
}

}  // namespace deprov::service
