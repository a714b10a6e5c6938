#include "plugin/manifest.hpp"
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <charconv>
#include <deprov/connector/json.hpp>
#include <deprov/json_schema.hpp>
#include <optional>
#include <utility>
#include "plugin/abi.hpp"

namespace deprov::plugin {

namespace {

struct Version {
  std::uint32_t major = 0;
  std::optional<std::uint32_t> minor;
};

std::optional<Version> parse_version(std::string_view text) {
  Version v;
  const auto* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, v.major);
  if (major.ec != std::errc()) return std::nullopt;
  if (major.ptr == end) return v;
  std::uint32_t minor = 0;
  if (*major.ptr != '.') return std::nullopt;
  const auto rest = std::from_chars(major.ptr + 1, end, minor);
  if (rest.ec != std::errc() || rest.ptr != end) return std::nullopt;
  v.minor = minor;
  return v;
}

json::value make_schema() {
  auto schema = connector::description_schema().get_object();
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "Manifest of a deprov connector plugin";
  schema["required"] = json::array{"id", "version", "abi", "operations"};
  auto& properties = schema["properties"].get_object();
  properties["$schema"] = json::object{{"type", "string"}};
  properties["vendor"] = json::object{{"type", "string"}, {"maxLength", 200}};
  properties["homepage"] = json::object{{"type", "string"}, {"format", "uri"}, {"maxLength", 1000}};
  properties["abi"] = json::object{
      {"description",
       "Versions of deprov_connector.h: from this one, to this one (default: all of the same major)"},
      {"type", "object"},
      {"additionalProperties", false},
      {"required", json::array{"from"}},
      {"properties", json::object{{"from", json::object{{"type", "string"}, {"minLength", 1}, {"maxLength", 20}}},
                                  {"to", json::object{{"type", "string"}, {"minLength", 1}, {"maxLength", 20}}}}}};
  properties["egress"] = json::object{
      {"description",
       "Hosts that are spoken to: a name, *.domain for those below one, config:PATH for the host of a URL in the "
       "config, * for all"},
      {"type", "array"},
      {"maxItems", 100},
      {"items", json::object{{"type", "string"}, {"minLength", 1}, {"maxLength", 300}}}};
  return schema;
}

Result<void> check_abi(const json::object& abi) {
  const auto here = std::to_string(DEPROV_CONNECTOR_ABI_MAJOR) + "." + std::to_string(DEPROV_CONNECTOR_ABI_MINOR);
  const auto from = parse_version(abi.at("from").get_string());
  if (!from || !from->minor)
    return Error(Errc::invalid_argument, "is no MAJOR.MINOR", "manifest/abi/from",
                 "write it like \"" + here + "\"");
  if (from->major != DEPROV_CONNECTOR_ABI_MAJOR || *from->minor > DEPROV_CONNECTOR_ABI_MINOR) {
    return Error(Errc::unsupported,
                 "the connector needs connector ABI " + std::string(abi.at("from").get_string()) +
                     ", and this deprov has " + here,
                 "manifest/abi/from",
                 from->major < DEPROV_CONNECTOR_ABI_MAJOR ? "get a newer build of the connector"
                                                          : "use a newer deprov, or an older connector");
  }
  const auto* written = abi.if_contains("to");
  if (written == nullptr) return {};
  const auto to = parse_version(written->get_string());
  if (!to)
    return Error(Errc::invalid_argument, "is no MAJOR or MAJOR.MINOR", "manifest/abi/to", "write it like \"1\"");
  constexpr std::uint32_t minor = DEPROV_CONNECTOR_ABI_MINOR;
  if (to->major < DEPROV_CONNECTOR_ABI_MAJOR ||
      (to->major == DEPROV_CONNECTOR_ABI_MAJOR && to->minor.value_or(minor) + 1 <= minor)) {
    return Error(Errc::unsupported,
                 "the connector works up to connector ABI " + std::string(written->get_string()) +
                     ", and this deprov has " + here,
                 "manifest/abi/to", "get a newer build of the connector");
  }
  return {};
}

Result<void> check_egress(std::string_view pattern, std::size_t index) {
  if (pattern == "*" || pattern.rfind("config:", 0) == 0) return {};
  auto host = pattern.rfind("*.", 0) == 0 ? pattern.substr(2) : pattern;
  const bool good = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':' || c == '_';
  });
  if (good) return {};
  return Error(Errc::invalid_argument, "is no host in lower case, *.domain, config:PATH or *",
               "manifest/egress/" + std::to_string(index), "name the host alone, without scheme, port and path");
}

}  // namespace

const json::value& manifest_schema() {
  static const auto schema = make_schema();
  return schema;
}

Result<Manifest> parse_manifest(std::string_view text) {
  if (text.size() > max_manifest_bytes) {
    return Error(Errc::limit_exceeded, "has more than " + std::to_string(max_manifest_bytes) + " bytes",
                 "manifest", "leave out what the schema does not need");
  }
  boost::system::error_code ec;
  auto value = json::parse(text, ec);
  if (ec) return Error(Errc::invalid_syntax, "not JSON: " + ec.message(), "manifest", "correct the file");
  // The range first: a manifest of a later ABI may have members that are not known yet.
  if (const auto* o = value.if_object(); o != nullptr) {
    const auto* abi = o->if_contains("abi");
    if (abi != nullptr && abi->is_object() && abi->get_object().contains("from") &&
        abi->get_object().at("from").is_string() &&
        (!abi->get_object().contains("to") || abi->get_object().at("to").is_string()))
      DEPROV_CHECK(check_abi(abi->get_object()));
  }
  if (auto ok = validate_json(manifest_schema(), value); !ok) return ok.error().within("manifest");
  auto& o = value.get_object();
  std::vector<std::string> hosts;
  if (const auto* egress = o.if_contains("egress")) {
    for (const auto& pattern : egress->get_array()) {
      DEPROV_CHECK(check_egress(pattern.get_string(), hosts.size()));
      hosts.emplace_back(pattern.get_string());
    }
  }
  for (const auto* own : {"$schema", "vendor", "homepage", "abi", "egress"}) o.erase(own);
  auto description = connector::parse_description(value);
  if (!description) return description.error().within("manifest");
  constexpr std::string_view of_config = "config:";
  const auto missing = std::find_if(hosts.begin(), hosts.end(), [&](const std::string& host) {
    return host.rfind(of_config, 0) == 0 &&
           !connector::config_may_have(description->config_schema, host.substr(of_config.size()));
  });
  if (missing != hosts.end()) {
    return Error(Errc::invalid_argument,
                 "config_schema has no member \"" + missing->substr(of_config.size()) + "\"",
                 "manifest/egress/" + std::to_string(missing - hosts.begin()), "name it as config_schema does");
  }
  return Manifest{std::move(*description), std::move(hosts)};
}

}  // namespace deprov::plugin
