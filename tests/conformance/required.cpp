// What a service provider requires, by what it says in /Schemas and /ResourceTypes.
#include <algorithm>
#include "suite.hpp"

namespace deprov::conformance {

namespace {

bool has(const json::object& o, std::string_view name) {
  return std::any_of(o.begin(), o.end(), [&](const auto& m) { return same_name(m.key(), name); });
}

bool writable(const json::value& a) { return text(a, "/mutability") != "readOnly"; }

/// Whether something was put in.
bool fill(json::object& into, const json::object& schema, const std::string& unique) {
  bool filled = false;
  for (const auto& a : items(schema, "/attributes")) {
    const auto name = text(a, "/name");
    if (at(a, "/required") != json::value(true) || !writable(a) || has(into, name)) continue;
    into[name] = sample(a, 0, unique);
    filled = true;
  }
  return filled;
}

}  // namespace

bool is_plain(const json::value& definition) {
  const auto mutability = text(definition, "/mutability");
  const auto returned = text(definition, "/returned");
  return (mutability.empty() || mutability == "readWrite") && returned != "never" && returned != "request";
}

json::value sample(const json::value& a, int n, const std::string& unique) {
  const auto kind = text(a, "/type");
  const auto one = [&]() -> json::value {
    if (const auto words = at(a, "/canonicalValues"); words.is_array() && !words.get_array().empty())
      return words.get_array()[static_cast<std::size_t>(n) % words.get_array().size()];
    if (kind == "boolean") return n % 2 == 0;
    if (kind == "integer") return 40 + n;
    if (kind == "decimal") return 1.5 + n;
    if (kind == "dateTime") return n % 2 == 0 ? "2011-05-13T04:42:34Z" : "2012-06-14T05:43:35Z";
    if (kind == "binary") return n % 2 == 0 ? "TUlJRA==" : "TUlJRQ==";
    if (kind == "reference") return json::string("https://example.com/" + unique + std::to_string(n));
    if (kind == "complex") {
      json::object o;
      for (const auto& s : items(a, "/subAttributes")) {
        const auto name = text(s, "/name");
        if (name == "primary" || name == "$ref" || name == "display" || at(s, "/multiValued") == json::value(true))
          continue;
        if (text(s, "/mutability") == "readOnly") continue;
        if (!is_plain(s) && at(s, "/required") != json::value(true)) continue;
        o[name] = sample(s, n, unique);
      }
      return o;
    }
    return json::string(unique + std::to_string(n));
  };
  if (text(a, "/name") == "locale" || text(a, "/name") == "preferredLanguage")
    return n % 2 == 0 ? "en-US" : "de-DE";
  if (text(a, "/name") == "timezone") return n % 2 == 0 ? "America/Los_Angeles" : "Europe/Berlin";
  if (at(a, "/multiValued") == json::value(true)) return json::array{one()};
  return one();
}

void fill_required(const Facts& facts, const Facts::Type& type, json::object& body, const std::string& unique) {
  const auto schema = [&](const std::string& urn) {
    const auto found = facts.schemas.find(urn);
    return found != facts.schemas.end() ? &found->second : nullptr;
  };
  if (const auto* core = schema(type.schema)) fill(body, *core, unique);
  for (const auto& urn : type.extensions) {
    const auto& needed = type.required_extensions;
    const bool required = std::find(needed.begin(), needed.end(), urn) != needed.end();
    const auto* extension = schema(urn);
    auto* given = body.if_contains(urn);
    if (extension == nullptr || (!required && given == nullptr)) continue;
    if (given == nullptr) given = &(body[urn] = json::object{});
    if (!given->is_object()) continue;  // a check that sends something else means it
    auto& values = given->get_object();
    fill(values, *extension, unique);
    // It has to be there, and none of its attributes has: any one makes it so.
    if (required && values.empty())
      for (const auto& a : items(*extension, "/attributes"))
        if (writable(a)) {
          values[text(a, "/name")] = sample(a, 0, unique);
          break;
        }
    auto& schemas = body["schemas"];
    if (!schemas.is_array()) continue;
    auto& list = schemas.get_array();
    const auto named = [&](const json::value& v) { return v.is_string() && same_name(v.get_string(), urn); };
    if (std::none_of(list.begin(), list.end(), named)) list.emplace_back(urn);
  }
}

}  // namespace deprov::conformance
