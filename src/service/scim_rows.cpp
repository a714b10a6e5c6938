#include "service/scim_rows.hpp"
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>
#include <deprov/scim/fold.hpp>
#include <deprov/scim/json.hpp>
#include <utility>
#include "service/scim_unknown_members.hpp"

namespace deprov::service {

namespace {

// NOLINTNEXTLINE(misc-no-recursion): as deep as what was parsed, which has a bound
bool has_decimal(const json::value& v) noexcept {
  if (v.is_double()) return true;
  if (const auto* a = v.if_array()) return std::any_of(a->begin(), a->end(), has_decimal);
  const auto* o = v.if_object();
  return o != nullptr && std::any_of(o->begin(), o->end(), [](const auto& m) { return has_decimal(m.value()); });
}

void append_decimal(std::string& out, double d) {
  constexpr double large = 1e21;
  constexpr double small = 1e-6;
  const bool plain = d == 0 || (std::fabs(d) >= small && std::fabs(d) < large);
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), d,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific)
                       .ptr;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const auto exponent = std::min(text.find('e'), text.size());
  out += text.substr(0, exponent);
  if (text.find('.') == std::string_view::npos) out += ".0";
  out += text.substr(exponent);
}

}  // namespace

std::string document_text(const json::object& document) {
  auto text = json::serialize(document);
  if (!std::any_of(document.begin(), document.end(), [](const auto& m) { return has_decimal(m.value()); }))
    return text;
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (quoted || (c != '-' && (c < '0' || c > '9'))) {
      if (quoted && c == '\\') out.push_back(text[i++]);
      if (c == '"') quoted = !quoted;
      out.push_back(text[i++]);
      continue;
    }
    const auto end = std::min(text.find_first_of(",]}", i), text.size());
    const auto number = std::string_view(text).substr(i, end - i);
    double d = 0;
    if (number.find_first_of(".eE") == std::string_view::npos ||
        std::from_chars(number.data(), number.data() + number.size(), d).ec != std::errc()) {
      out += number;
    } else {
      append_decimal(out, d);
    }
    i = end;
  }
  return out;
}

Result<json::object> stored_document(const port::ResourceRow& row) {
  boost::system::error_code ec;
  json::parse_options options;
  options.max_depth = 128;  // deeper than any bound on what is accepted
  auto value = json::parse(row.document, ec, {}, options);
  if (ec || !value.is_object())
    return Error(Errc::store_corrupt, "the stored document of a resource does not parse", row.id.str(),
                 "restore the store from a backup");
  if (has_decimal(value)) {  // Boost.JSON may read them one off in the last place
    scim::Limits none;
    none.max_body_bytes = none.max_string_bytes = row.document.size();
    none.max_depth = options.max_depth;
    if (auto exact = scim::parse_json(row.document, none); exact && exact->is_object())
      return std::move(exact->get_object());
  }
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
  out.row.document = document_text(document);
  if (changes_keys(changes, type)) {
    fill_keys(out.row, document, type);
    out.keys_changed = !same_keys(before, out.row);
  }
  const std::string_view name = type.row_attribute() != nullptr ? "displayName" : "userName";
  out.renamed = std::find(changes.begin(), changes.end(), name) != changes.end();
  return out;
}

}  // namespace deprov::service
