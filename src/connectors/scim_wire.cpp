#include "scim_wire.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/scim/json.hpp>
#include <utility>

namespace deprov::connectors {

namespace {

constexpr std::string_view patch_schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

std::string patch(json::object operation) {
  return json::serialize(
      json::object{{"schemas", json::array{patch_schema}}, {"Operations", json::array{std::move(operation)}}});
}

Error protocol(std::string detail) { return {Errc::protocol, std::move(detail)}; }

/// A string, or a number where an app has numeric ids.
std::string text_of(const json::value* v) {
  if (v == nullptr) return {};
  if (const auto* s = v->if_string()) return std::string(*s);
  if (v->is_int64() || v->is_uint64()) return json::serialize(*v);
  return {};
}

/// The strings of a multi-valued attribute, plain or as `value` of its objects.
std::vector<std::string> values_of(const json::value* v) {
  std::vector<std::string> out;
  if (v == nullptr || !v->is_array()) return out;
  for (const auto& item : v->get_array()) {
    auto text = item.is_object() ? text_of(scim::find(item.get_object(), "value")) : text_of(&item);
    if (!text.empty()) out.push_back(std::move(text));
  }
  return out;
}

std::optional<bool> truth_of(const json::value* v) {
  if (v == nullptr) return std::nullopt;
  if (const auto* b = v->if_bool()) return *b;
  if (const auto* s = v->if_string()) {
    if (scim::iequals(*s, "true")) return true;
    if (scim::iequals(*s, "false")) return false;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> count_of(const json::value* v) {
  if (v == nullptr) return std::nullopt;
  if (const auto* i = v->if_int64()) return *i < 0 ? std::nullopt : std::optional<std::uint64_t>(*i);
  if (const auto* u = v->if_uint64()) return *u;
  return std::nullopt;
}

std::string media_type(const port::HttpResponse& response) {
  auto type = std::string(response.header("Content-Type").value_or(""));
  type.resize(std::min(type.size(), type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  return type;
}

}  // namespace

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
        c == '_' || c == '~')
      out += c;
    else
      out.append({'%', digits[u >> 4U], digits[u & 15U]});
  }
  return out;
}

std::string form_encode(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    out.append(percent_encode(name)).append("=").append(percent_encode(value));
  }
  return out;
}

std::string filter_eq(std::string_view attribute, std::string_view value) {
  return std::string(attribute) + " eq " + json::serialize(json::string_view(value.data(), value.size()));
}

std::string patch_active(bool active, bool with_path) {
  if (with_path) return patch({{"op", "replace"}, {"path", "active"}, {"value", active}});
  return patch({{"op", "replace"}, {"value", json::object{{"active", active}}}});
}

std::string patch_remove_member(std::string_view account_id, bool with_filter) {
  if (with_filter) return patch({{"op", "remove"}, {"path", "members[" + filter_eq("value", account_id) + "]"}});
  return patch(
      {{"op", "remove"}, {"path", "members"}, {"value", json::array{json::object{{"value", account_id}}}}});
}

std::string patch_add_member(std::string_view account_id) {
  return patch({{"op", "add"}, {"path", "members"}, {"value", json::array{json::object{{"value", account_id}}}}});
}

bool is_html(const port::HttpResponse& response) {
  const auto type = media_type(response);
  if (scim::iequals(type, "text/html") || scim::iequals(type, "application/xhtml+xml")) return true;
  const auto start = response.body.find_first_not_of(" \t\r\n");
  return start != std::string::npos && response.body[start] == '<';
}

Result<json::object> parse_body(const port::HttpResponse& response) {
  const auto status = "status " + std::to_string(response.status);
  if (response.body.empty()) return protocol(status + " without a body where a JSON object was due");
  if (is_html(response)) return protocol(status + " with a web page where a JSON object was due");
  scim::Limits limits;
  limits.max_string_bytes = std::size_t{4} << 20U;  // photos
  auto parsed = scim::parse_json(response.body, limits);
  if (!parsed) return protocol(status + " with a body that is not JSON: " + parsed.error().detail());
  if (!parsed->is_object()) return protocol(status + " with JSON that is not an object");
  return std::move(parsed->get_object());
}

Result<connector::Account> parse_account(const json::object& user) {
  connector::Account a;
  a.id = text_of(scim::find(user, "id"));
  if (a.id.empty()) return protocol("a User without an id");
  a.external_id = text_of(scim::find(user, "externalId"));
  a.user_name = text_of(scim::find(user, "userName"));
  a.emails = values_of(scim::find(user, "emails"));
  a.active = truth_of(scim::find(user, "active"));
  a.groups = values_of(scim::find(user, "groups"));
  return a;
}

Result<ScimPage> parse_page(json::object body) {
  ScimPage page;
  const auto total = count_of(scim::find(body, "totalResults"));
  if (!total) return protocol("a list without totalResults");
  page.total = *total;
  page.start_index = count_of(scim::find(body, "startIndex"));
  auto* resources = scim::find(body, "Resources");
  if (resources == nullptr || resources->is_null()) return page;  // may be left out where it is empty
  if (!resources->is_array()) return protocol("a list whose Resources are not an array");
  for (auto& r : resources->get_array()) {
    if (!r.is_object()) return protocol("a list with a resource that is not an object");
    page.resources.push_back(std::move(r.get_object()));
  }
  return page;
}

ScimProblem parse_problem(const port::HttpResponse& response) {
  ScimProblem problem;
  const auto body = parse_body(response);
  if (!body) return problem;
  problem.type = text_of(scim::find(*body, "scimType"));
  problem.detail = text_of(scim::find(*body, "detail"));
  // SCIM 1.1, and servers that grew out of it: {"Errors": [{"description": ...}]}.
  if (const auto* errors = scim::find(*body, "Errors");
      problem.detail.empty() && errors != nullptr && errors->is_array())
    for (const auto& e : errors->get_array())
      if (e.is_object() && problem.detail.empty())
        problem.detail = text_of(scim::find(e.get_object(), "description"));
  return problem;
}

json::object with_active(json::object user, bool active) {
  std::vector<std::string> drop;
  for (const auto& [name, value] : user)
    for (const std::string_view gone : {"meta", "groups", "active"})
      if (scim::iequals(name, gone)) drop.emplace_back(name);
  for (const auto& name : drop) user.erase(name);
  user["active"] = active;
  return user;
}

}  // namespace deprov::connectors
