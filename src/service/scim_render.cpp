#include "service/scim_render.hpp"
#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/scim/resource.hpp>
#include <utility>
#include "service/scim_rows.hpp"
#include "service/scim_stream.hpp"
#include "service/scim_unknown_members.hpp"

namespace deprov::service {

namespace {

/// Whether `display` of the members is asked for by name, with or without a filter in brackets.
bool asks_display(const scim::TypeDef& type, std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || !scim::iequals(name.substr(dot + 1), "display")) return false;
  const auto r = type.resolve(name.substr(0, std::min(name.find('['), dot)));
  return r && r->attribute != nullptr && r->attribute == type.row_attribute();
}

/// `groups` of a User: who is in them is said by the groups, not by the document.
const scim::Attribute* groups_attribute(const scim::TypeDef& type) {
  const auto* a = type.core().find("groups");
  return a != nullptr && a->mutability == scim::Mutability::read_only && a->multi_valued ? a : nullptr;
}

void append_uuid(std::string& out, const Uuid& id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::size_t at = out.size();
  out.append(36, '-');
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
    out[at++] = digits[id.bytes[i] >> 4U];
    out[at++] = digits[id.bytes[i] & 0xFU];
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  const bool simple = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
  });
  if (simple) {
    out.push_back('"');
    out += text;
    out.push_back('"');
  } else {
    out += json::serialize(json::string_view(text));
  }
}

namespace {

/// The `displayName` of a resource, else its `userName`, as JSON text; empty: it has none.
std::string shown_name(const port::ResourceRow& row) {
  std::array<unsigned char, 4096> buffer;  // NOLINT(*-member-init): it is written before it is read
  json::monotonic_resource memory(buffer.data(), buffer.size());
  boost::system::error_code ec;
  json::parse_options options;
  options.max_depth = 128;
  const auto document = json::parse(row.document, ec, &memory, options);
  if (ec || !document.is_object()) return {};
  const scim::Resource r(document.get_object());
  const auto name = r.shown_name();
  std::string out;
  if (!name.empty()) append_json_string(out, name);
  return out;
}

/// Those members that are kept in the document; what was not sent of them is not shown.
void append_unknown(std::string& out, const UnknownMembers& unknown, const MemberShape& shape, bool& first) {
  for (auto& member : unknown.list()) {
    if (!shape.value) member.erase("value");
    if (!shape.ref) member.erase("$ref");
    if (!shape.type) member.erase("type");
    if (!shape.display) member.erase("display");
    if (!first) out.push_back(',');
    first = false;
    out += json::serialize(member);
  }
}

}  // namespace

Result<bool> append_members(std::string& out, port::Reader& reader, const engine::IntegrationContext& context,
                            std::string_view base, const MemberShape& shape, ResourceId group,
                            std::optional<ResourceId>& after, bool& first, std::size_t limit,
                            std::size_t& written) {
  const auto& scope = context.row.scope;
  DEPROV_TRY(page, reader.members(scope, group, after, limit));
  for (const auto& m : page.rows) {
    after = m.member;
    DEPROV_TRY(row, reader.resource(scope, m.member));
    if (!row || row->deleted) continue;
    const auto* type = context.registry->type(row->type);
    if (type == nullptr) continue;
    out += first ? "{" : ",{";
    first = false;
    ++written;
    bool comma = false;
    const auto key = [&](std::string_view name) {
      out += comma ? ",\"" : "\"";
      out += name;
      out += "\":\"";
      comma = true;
    };
    if (shape.value) {
      key("value");
      append_uuid(out, m.member.value);
      out.push_back('"');
    }
    if (shape.ref) {
      key("$ref");
      out += base;
      out += type->type().endpoint;
      out.push_back('/');
      append_uuid(out, m.member.value);
      out.push_back('"');
    }
    if (shape.type) {
      key("type");
      out += type->name();
      out.push_back('"');
    }
    if (shape.display) {
      std::string name;
      if (!m.display.empty()) {
        append_json_string(name, m.display);
      } else if (shape.own_names) {
        name = shown_name(*row);
      }
      if (!name.empty()) {
        out += comma ? ",\"display\":" : "\"display\":";
        out += name;
      }
    }
    out.push_back('}');
  }
  return page.more && !page.rows.empty();
}

ScimRenderer::ScimRenderer(Call call) : call_(std::move(call)) {}

ScimRenderer::View ScimRenderer::make_view(const scim::TypeDef& type) const {
  View v;
  const auto& q = call_->query;
  const auto* groups = groups_attribute(type);
  const auto* rows = type.row_attribute();
  bool rows_only = q.attributes.empty();  // nothing but rows is excluded: the document stays whole
  for (const auto& name : q.excluded_attributes) {
    const auto r = type.resolve(name);
    if (!r) {
      if (name.find('[') != std::string::npos) rows_only = false;  // some values of an attribute
      continue;
    }
    const bool by_rows = r->attribute != nullptr && (r->attribute == groups || r->attribute == rows);
    if (r->sub != nullptr || !by_rows) rows_only = false;
  }
  v.stored_as_is = rows_only && type.returned_whole();
  if (!v.stored_as_is || !q.excluded_attributes.empty())
    v.projection.emplace(type, q.attributes, q.excluded_attributes);
  if (v.projection) v.projection->wrote(call_->wrote);
  v.groups = groups != nullptr && (!v.projection || v.projection->includes(groups->name));
  v.members = rows != nullptr && (!v.projection || v.projection->includes(rows->name));
  if (v.members && v.projection) {
    // Asked with an example what of each member may be seen.
    json::object member{{"value", "v"}, {"$ref", "r"}, {"type", "t"}, {"display", "d"}};
    json::object example;
    example[rows->name] = json::array(1, json::value(std::move(member)));
    const auto seen = v.projection->apply(example);
    const auto* list = seen.if_contains(rows->name);
    const auto* one = list != nullptr && list->is_array() && !list->get_array().empty()
                          ? list->get_array().front().if_object()
                          : nullptr;
    v.members = one != nullptr;
    if (one != nullptr)
      v.shape = {one->contains("value"), one->contains("$ref"), one->contains("type"), one->contains("display"),
                 false};
  }
  v.shape.own_names = v.shape.display && std::any_of(q.attributes.begin(), q.attributes.end(),
                                                     [&](const auto& name) { return asks_display(type, name); });
  return v;
}

const ScimRenderer::View& ScimRenderer::view(const scim::TypeDef& type) {
  for (const auto& [known, v] : views_)
    if (known == &type) return v;
  views_.emplace_back(&type, make_view(type));
  return views_.back().second;
}

std::string ScimRenderer::location(const scim::TypeDef& type, ResourceId id) const {
  std::string out;
  out.reserve(call_->base.size() + type.type().endpoint.size() + 37);
  out += call_->base;
  out += type.type().endpoint;
  out.push_back('/');
  append_uuid(out, id.value);
  return out;
}

Result<ScimRenderer::Groups> ScimRenderer::groups(port::Reader& reader, const scim::TypeDef& type, ResourceId id) {
  Groups result;
  if (!view(type).groups) return result;
  DEPROV_TRY(shown, group_finder_.shown(reader, call_->scope(), id));
  result.version = version_of(shown);
  const auto* type_of_groups = call_->context->registry->type("Group");
  const std::string_view endpoint =
      type_of_groups != nullptr ? std::string_view(type_of_groups->type().endpoint) : "/Groups";
  auto& out = result.list;
  out = "[";
  for (const auto& group : shown) {
    out += out.size() == 1 ? "{\"value\":\"" : ",{\"value\":\"";
    append_uuid(out, group.id.value);
    out += "\",\"$ref\":\"";
    out += call_->base;
    out += endpoint;
    out.push_back('/');
    append_uuid(out, group.id.value);
    out.push_back('"');
    if (!group.display.empty()) {
      out += ",\"display\":";
      out += group.display;
    }
    out += group.direct ? ",\"type\":\"direct\"}" : ",\"type\":\"indirect\"}";
  }
  out.push_back(']');
  return result;
}

Result<scim::Version> ScimRenderer::version(port::Reader& reader, const scim::TypeDef& type,
                                            const port::ResourceRow& row) {
  scim::Version out{row.version, 0};
  if (!view(type).groups) return out;
  DEPROV_TRY(shown, group_finder_.shown(reader, call_->scope(), row.id));
  out.derived = version_of(shown);
  return out;
}

void ScimRenderer::append_meta(std::string& out, const scim::TypeDef& type, const port::ResourceRow& row,
                               std::uint64_t derived) const {
  out += "{\"resourceType\":";
  append_json_string(out, type.name());
  out += ",\"created\":\"";
  out += to_rfc3339(row.created);
  out += "\",\"lastModified\":\"";
  out += to_rfc3339(row.modified);
  out += "\",\"location\":\"";
  out += call_->base;
  out += type.type().endpoint;
  out.push_back('/');
  append_uuid(out, row.id.value);
  out.push_back('"');
  if (row.version != 0) {  // 0: the store's answer was lost, and so nobody knows
    out += ",\"version\":";
    append_json_string(out, scim::format_etag({row.version, derived}));
  }
  out.push_back('}');
}

// Writes the object up to where the members go, without its closing brace.
Result<void> ScimRenderer::open(std::string& out, const scim::TypeDef& type, const View& v,
                                const port::ResourceRow& row, const Groups& groups) {
  if (!has_unknown_members(row, type)) return open_bare(out, type, v, row, groups);
  auto bare = row;
  DEPROV_TRY(document, stored_document(row));
  document.erase(type.row_attribute()->name);
  bare.document = document_text(document);
  return open_bare(out, type, v, bare, groups);
}

Result<void> ScimRenderer::open_bare(std::string& out, const scim::TypeDef& type, const View& v,
                                     const port::ResourceRow& row, const Groups& groups) {
  if (v.stored_as_is) {
    const std::string_view document = row.document;
    if (document.size() < 2 || document.front() != '{' || document.back() != '}')
      return Error(Errc::store_corrupt, "the stored document of a resource is no object", row.id.str());
    out.reserve(out.size() + document.size() + groups.list.size() + 2 * call_->base.size() + 400);
    out += "{\"id\":\"";
    append_uuid(out, row.id.value);
    out.push_back('"');
    if (document.size() > 2) {
      out.push_back(',');
      out += document.substr(1, document.size() - 2);
    }
    if (!groups.list.empty()) {
      out += ",\"groups\":";
      out += groups.list;
    }
    out += ",\"meta\":";
    append_meta(out, type, row, groups.version);
    return {};
  }
  DEPROV_TRY(document, stored_document(row));
  document["id"] = row.id.str();
  std::string meta;
  append_meta(meta, type, row, groups.version);
  document["meta"] = json::parse(meta);
  if (!groups.list.empty()) document["groups"] = json::parse(json::string_view(groups.list));
  auto text = document_text(v.projection->apply(document));
  text.pop_back();
  out += text;
  return {};
}

Result<void> ScimRenderer::append_document(std::string& out, const scim::TypeDef& type,
                                           const port::ResourceRow& row, const Groups& groups) {
  DEPROV_CHECK(open(out, type, view(type), row, groups));
  out.push_back('}');
  return {};
}

Result<scim::Version> ScimRenderer::append(ScimBody& out, port::Reader& reader, const scim::TypeDef& type,
                                           const port::ResourceRow& row) {
  DEPROV_TRY(group_list, groups(reader, type, row.id));
  const auto& v = view(type);
  DEPROV_CHECK(open(out.text(), type, v, row, group_list));
  if (v.members && members) {
    auto& text = out.text();
    text += text.back() == '{' ? "" : ",";
    append_json_string(text, type.row_attribute()->name);
    text += ":[";
    std::optional<ResourceId> after;
    bool first = true;
    bool more = true;
    if (has_unknown_members(row, type)) {
      DEPROV_TRY(document, stored_document(row));
      append_unknown(text, UnknownMembers::take(document, type), v.shape, first);
    }
    const auto most = call_->options.inline_members;
    if (out.members < most) {
      DEPROV_TRY(rest, append_members(text, reader, *call_->context, call_->base, v.shape, row.id, after, first,
                                      most - out.members, out.members));
      more = rest;
    }
    if (more) {
      auto& piece = out.pieces.back();
      piece.group = row.id;
      piece.after = after;
      piece.first = first;
      piece.shape = v.shape;
      out.pieces.emplace_back();
    }
    out.text().push_back(']');
  }
  out.text().push_back('}');
  return scim::Version{row.version, group_list.version};
}

void ScimRenderer::add_headers(Response& response, const scim::TypeDef& type, ResourceId id,
                               scim::Version version) const {
  auto where = location(type, id);
  if (version.stored != 0) response.headers.push_back({"ETag", scim::format_etag(version)});
  response.headers.push_back({"Location", where});
  response.headers.push_back({"Content-Location", std::move(where)});
}

Response ScimRenderer::response(int status, ScimBody&& body) const {
  if (body.whole()) return scim_response(status, std::move(body.text()));
  auto r = scim_response(status, {});
  r.stream = make_member_stream(call_->engine, call_->context, call_->base, std::move(body));
  return r;
}

namespace {

/// The members that decide what is asked: those that are named, any one, or all of them.
Result<json::array> members_to_match(port::Reader& reader, const engine::IntegrationContext& context,
                                     std::string_view base, const port::ResourceRow& group,
                                     const MatchNeeds& needs, std::size_t max_members) {
  const auto& scope = context.row.scope;
  const auto& asked = needs.rows;
  json::array list;
  // As it is shown: who was deleted is no member any more.
  const auto add = [&](const port::MemberRow& member) -> Result<void> {
    const auto id = member.member;
    DEPROV_TRY(row, reader.resource(scope, id));
    const auto* type = row && !row->deleted ? context.registry->type(row->type) : nullptr;
    if (type == nullptr) return {};
    json::object one{{"value", id.str()}, {"type", type->name()}};
    one["$ref"] = std::string(base) + type->type().endpoint + "/" + id.str();
    if (!member.display.empty()) {
      one["display"] = member.display;
    } else if (needs.member_names) {
      DEPROV_TRY(document, stored_document(*row));
      const auto name = scim::Resource(document).shown_name();
      if (!name.empty()) one["display"] = name;
    }
    list.emplace_back(std::move(one));
    return {};
  };
  std::optional<ResourceId> after;
  if (asked.all) {
    DEPROV_TRY(count, reader.member_count(scope, group.id));
    if (count > max_members)
      return Error(Errc::too_many,
                   "the filter looks at the members of a group that has " + std::to_string(count) + " of them",
                   "filter", "ask with `members.value eq`, which an index answers");
    for (bool more = true; more;) {
      DEPROV_TRY(page, reader.members(scope, group.id, after, 1000));
      for (const auto& m : page.rows) {
        after = m.member;
        DEPROV_CHECK(add(m));
      }
      more = page.more && !page.rows.empty();
    }
    return list;
  }
  for (const auto& text : asked.named) {
    const auto id = ResourceId::parse(text);
    if (!id) continue;
    DEPROV_TRY(member, reader.member(scope, group.id, *id));
    if (member) DEPROV_CHECK(add(*member));
  }
  constexpr std::size_t a_few = 20;  // the first one is nearly always there
  for (bool more = asked.present; more && list.empty();) {
    DEPROV_TRY(page, reader.members(scope, group.id, after, a_few));
    for (const auto& m : page.rows) {
      after = m.member;
      if (list.empty()) DEPROV_CHECK(add(m));
    }
    more = page.more && !page.rows.empty();
  }
  return list;
}

}  // namespace

Result<scim::Version> version_of(port::Reader& reader, const scim::TypeDef& type, const port::ResourceRow& row) {
  scim::Version out{row.version, 0};
  if (groups_attribute(type) == nullptr) return out;
  GroupFinder finder;
  DEPROV_TRY(shown, finder.shown(reader, row.scope, row.id));
  out.derived = version_of(shown);
  return out;
}

Result<json::object> document_to_match(port::Reader& reader, const engine::IntegrationContext& context,
                                       std::string_view base, const scim::TypeDef& type,
                                       const port::ResourceRow& row, const MatchNeeds& needs,
                                       std::size_t max_members) {
  const auto& scope = context.row.scope;
  DEPROV_TRY(document, stored_document(row));
  document["id"] = row.id.str();
  scim::Version version{row.version, 0};
  if ((needs.groups || needs.version) && groups_attribute(type) != nullptr) {
    GroupFinder finder;
    DEPROV_TRY(shown, finder.shown(reader, scope, row.id));
    version.derived = version_of(shown);
    json::array list;
    for (const auto& g : shown) {
      json::object one{{"value", g.id.str()},
                       {"type", g.direct ? "direct" : "indirect"},
                       {"$ref", std::string(base) + "/Groups/" + g.id.str()}};
      if (!g.display.empty()) one["display"] = json::parse(json::string_view(g.display));
      list.emplace_back(std::move(one));
    }
    if (!list.empty()) document["groups"] = std::move(list);
  }
  if (needs.meta)
    document["meta"] = json::object{{"resourceType", type.name()},
                                    {"created", to_rfc3339(row.created)},
                                    {"lastModified", to_rfc3339(row.modified)},
                                    {"location", std::string(base) + type.type().endpoint + "/" + row.id.str()},
                                    {"version", scim::format_etag(version)}};
  if (needs.rows.any && type.row_attribute() != nullptr) {
    DEPROV_TRY(list, members_to_match(reader, context, base, row, needs, max_members));
    auto& members = document[type.row_attribute()->name];  // those that are no resource are in it
    if (!members.is_array()) members.emplace_array();
    for (auto& m : list) members.get_array().push_back(std::move(m));
    if (members.get_array().empty()) document.erase(type.row_attribute()->name);
  }
  return std::move(document);
}

}  // namespace deprov::service
