#include "engine/sources/source_config.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/json_schema.hpp>
#include <set>
#include <utility>
#include "engine/impl.hpp"
#include "engine/sources/feed_config.hpp"

namespace deprov::engine {

const json::value& source_config_schema() {
  static const json::value schema = [] {
    auto whole = json::parse(R"json({
    "type": "object", "additionalProperties": false,
    "properties": {
      "format": {"enum": ["csv", "json", "jsonl"], "description": "How the list is written (default: csv)."},
      "list": {"type": "string", "maxLength": 1024, "description": "JSON: the path of the array of users; left out: the document is the array."},
      "id": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "Column or path of the source's immutable id (default: id)."},
      "external_id": {"type": "string", "maxLength": 1024}, "user_name": {"type": "string", "maxLength": 1024},
      "email": {"type": "string", "maxLength": 1024},
      "active": {"type": "string", "maxLength": 1024, "description": "Column or path that says whether somebody who is listed has access."},
      "active_values": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 256}},
      "inactive_values": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 256}},
      "delimiter": {"type": "string", "minLength": 1, "maxLength": 1, "description": "CSV: between fields (default: a comma)."},
      "end_marker": {"type": "string", "maxLength": 256, "description": "CSV, JSON Lines: the line that ends the list."},
      "whole": {"type": "boolean", "description": "Whoever hands the list in vouches that it is the whole list, where nothing in it shows its end."},
      "link": {"enum": ["external_id", "id"], "description": "What of a subject the list names it by: externalId, or the SCIM id (default: external_id)."},
      "links": {"type": "object", "description": "Subjects that a person linked: subject's id to the id in the list, which then means them and nobody else whom it fits; so several that one id fits are told apart. At most 10,000.",
        "maxProperties": 10000, "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 1024}},
      "inactive_cause": {"enum": ["deactivated", "suspended", "soft_deleted"], "description": "What it means to be listed as not active (default: deactivated)."},
      "max_users": {"type": "integer", "minimum": 1, "maximum": 20000000, "description": "A longer list is refused (default: 5,000,000)."}
    }
  })json");
    auto& properties = whole.at("properties").as_object();
    for (auto& [name, property] : feed_config_properties()) properties[name] = std::move(property);
    return whole;
  }();
  return schema;
}

namespace {

constexpr std::size_t default_max_users = 5'000'000;
constexpr std::size_t key_bytes = 16;
constexpr std::size_t change_bytes = 25;  // subject, what is said and why, when

std::string config_text(const json::object& o, std::string_view name, std::string otherwise = {}) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::move(otherwise);
}

void texts_of(const json::object& o, std::string_view name, std::vector<std::string>& out) {
  const auto* v = o.if_contains(name);
  if (v == nullptr || !v->is_array()) return;
  out.clear();
  for (const auto& e : v->get_array()) out.emplace_back(e.as_string());
}

}  // namespace

Result<SourceConfig> parse_source_config(const json::object& config) {
  if (auto ok = validate_json(source_config_schema(), config); !ok)
    return Error(ok.error().code(), ok.error().detail(), "config" + ok.error().where(), ok.error().advice());
  SourceConfig c;
  c.format = idp::parse_snapshot_format(config_text(config, "format", "csv")).value_or(idp::SnapshotFormat::csv);
  auto& m = c.mapping;
  m.list = config_text(config, "list");
  m.id = config_text(config, "id", "id");
  m.external_id = config_text(config, "external_id");
  m.user_name = config_text(config, "user_name");
  m.email = config_text(config, "email");
  m.active = config_text(config, "active");
  texts_of(config, "active_values", m.active_values);
  texts_of(config, "inactive_values", m.inactive_values);
  m.delimiter = config_text(config, "delimiter", ",").front();
  m.end_marker = config_text(config, "end_marker");
  if (const auto* whole = config.if_contains("whole")) m.whole = whole->as_bool();
  c.limits.max_users = default_max_users;
  if (const auto* most = config.if_contains("max_users")) c.limits.max_users = most->to_number<std::size_t>();
  c.link_by_id = config_text(config, "link") == "id";
  c.inactive = idp::parse_cause(config_text(config, "inactive_cause")).value_or(idp::Cause::deactivated);
  if (const auto* links = config.if_contains("links"); links != nullptr) {
    for (const auto& [subject, id] : links->as_object()) {
      const auto parsed = ResourceId::parse(subject);
      if (!parsed)
        return Error(Errc::invalid_argument, "is not the id of a subject", "config/links/" + std::string(subject));
      c.links.emplace(*parsed, std::string(id.as_string()));
    }
  }
  // Whether the mapping is one that the format has.
  const auto reader = idp::make_snapshot_reader(c.format, c.mapping, {},
                                                [](const idp::SnapshotUser&) -> Result<void> { return {}; });
  if (!reader)
    return Error(reader.error().code(), reader.error().detail(), "config/" + reader.error().where(),
                 reader.error().advice());
  return c;
}

std::string link_of(const SourceConfig& config, const port::ResourceRow& resource) {
  if (const auto own = config.links.find(resource.id); own != config.links.end()) return own->second;
  return config.link_by_id ? resource.id.str() : resource.external_id;
}

Result<Names> whom_it_names(port::Reader& reader, const port::Scope& scope, const SourceConfig& config,
                            ResourceId subject, const std::string& id) {
  std::set<ResourceId> named;
  const auto add = [&](ResourceId one) -> Result<void> {
    DEPROV_TRY(row, reader.resource(scope, one));
    if (row && !row->deleted && row->type == "User") named.insert(one);
    return {};
  };
  for (const auto& [one, link] : config.links)
    if (link == id) DEPROV_CHECK(add(one));
  if (named.empty() && config.link_by_id) {
    const auto one = ResourceId::parse(id);
    if (one && !config.links.contains(*one)) DEPROV_CHECK(add(*one));
  } else if (named.empty()) {
    DEPROV_TRY(rows, reader.resources_by_key(scope, "User", {port::ResourceKey::Attribute::external_id, id}, 10));
    for (const auto& row : rows)
      if (!config.links.contains(row.id)) DEPROV_CHECK(add(row.id));
  }
  if (named.size() > 1) return Names::several;
  return named.empty() || named.contains(subject) ? Names::subject : Names::another;
}

std::string source_seal_context(const port::SourceRow& row) {
  return row.scope.workspace.str() + "|" + row.scope.integration.str() + "|source|" + row.id.str();
}

Result<std::string> seal_source_key(Engine::Impl& impl, const port::SourceRow& row, const idp::FingerprintKey& key,
                                    const json::object& secrets) {
  std::string plain(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size());
  if (!secrets.empty()) plain += json::serialize(secrets);
  return impl.seal_text(source_seal_context(row), plain);
}

Result<json::object> unseal_source_config(Engine::Impl& impl, const port::SourceRow& row) {
  boost::system::error_code ec;
  auto config = json::parse(row.config, ec);
  if (ec || !config.is_object())
    return Error(Errc::store_corrupt, "the stored config does not parse", "source " + row.id.str(),
                 "restore the store from a backup");
  DEPROV_TRY(plain, impl.unseal_text(source_seal_context(row), row.secrets, "source " + row.id.str()));
  if (plain.size() <= key_bytes) return std::move(config.get_object());
  const auto secrets = json::parse(plain.substr(key_bytes), ec);
  if (ec || !secrets.is_object())
    return Error(Errc::store_corrupt, "the stored secrets do not parse", "source " + row.id.str(),
                 "restore the store from a backup");
  return with_secrets(std::move(config.get_object()), secrets.get_object());
}

Result<idp::FingerprintKey> unseal_source_key(Engine::Impl& impl, const port::SourceRow& row) {
  DEPROV_TRY(plain, impl.unseal_text(source_seal_context(row), row.secrets, "source " + row.id.str()));
  idp::FingerprintKey key;
  if (plain.size() < key_bytes)
    return Error(Errc::store_corrupt, "the stored key has another length", "source " + row.id.str());
  std::copy(plain.begin(), plain.begin() + key_bytes, key.bytes.begin());
  return key;
}

std::string_view snapshot_header(const port::SourceRow& row) {
  return std::string_view(row.header).substr(0, snapshot_header_bytes);
}

std::string poll_text(const port::SourceRow& row) {
  return row.header.size() > snapshot_header_bytes ? row.header.substr(snapshot_header_bytes) : std::string{};
}

void put_poll_text(port::SourceRow& row, std::string_view text) {
  row.header.resize(snapshot_header_bytes);  // zeros while there is no list, which its generation says
  row.header.append(text);
}

std::string encode_changes(const SourceChange* begin, const SourceChange* end) {
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(end - begin) * change_bytes);
  for (; begin != end; ++begin) {
    for (const auto b : begin->subject.value.bytes) bytes.push_back(static_cast<char>(b));
    // Says has three bits, and Cause the five above them.
    bytes.push_back(
        static_cast<char>(static_cast<unsigned>(begin->says) | static_cast<unsigned>(begin->cause) << 3U));
    const auto micros = static_cast<std::uint64_t>(begin->evidence_at.micros);
    for (unsigned i = 0; i < 8; ++i) bytes.push_back(static_cast<char>((micros >> (8 * i)) & 0xFFU));
  }
  return bytes;
}

Result<std::vector<SourceChange>> decode_changes(const std::string& bytes) {
  std::vector<SourceChange> changes;
  if (bytes.size() % change_bytes != 0)
    return Error(Errc::store_corrupt, "a stored piece of the changes of a source has a part of one",
                 "source_piece");
  for (std::size_t i = 0; i < bytes.size(); i += change_bytes) {
    SourceChange c;
    for (std::size_t k = 0; k < 16; ++k) c.subject.value.bytes[k] = static_cast<std::uint8_t>(bytes[i + k]);
    const auto word = static_cast<std::uint8_t>(bytes[i + 16]);
    const auto says = word & 7U;
    std::uint64_t micros = 0;
    for (unsigned k = 0; k < 8; ++k)
      micros |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[i + 17 + k])) << (8 * k);
    c.cause = static_cast<idp::Cause>(word >> 3U);
    c.evidence_at = {static_cast<std::int64_t>(micros)};
    if (says < 1 || says > 4)
      return Error(Errc::store_corrupt, "a stored change of a source says nothing that is known", "source_piece");
    c.says = static_cast<idp::Says>(says);
    changes.push_back(c);
  }
  return changes;
}

std::string to_text(const SourceTask& task) {
  return json::serialize(json::object{{"source", task.source.str()},
                                      {"name", task.name},
                                      {"list", task.list},
                                      {"generation", task.generation},
                                      {"begun", task.begun.micros},
                                      {"inactive", idp::to_string(task.inactive)}});
}

Result<SourceTask> parse_source_task(const std::string& text) {
  boost::system::error_code ec;
  const auto value = json::parse(text, ec);
  const auto* o = ec ? nullptr : value.if_object();
  const auto number = [&](std::string_view name) -> std::optional<std::int64_t> {
    const auto* v = o != nullptr ? o->if_contains(name) : nullptr;
    if (v == nullptr || !v->is_number()) return std::nullopt;
    return v->to_number<std::int64_t>();
  };
  const auto source = o != nullptr ? SourceId::parse(config_text(*o, "source")) : std::nullopt;
  const auto generation = number("generation");
  const auto begun = number("begun");
  if (!source || !generation || !begun)
    return Error(Errc::store_corrupt, "the stored work of a source does not parse", "work",
                 "restore the store from a backup");
  SourceTask task;
  task.source = *source;
  task.name = config_text(*o, "name");
  task.list = config_text(*o, "list");
  task.generation = static_cast<std::uint64_t>(*generation);
  task.begun = {*begun};
  task.inactive = idp::parse_cause(config_text(*o, "inactive")).value_or(idp::Cause::deactivated);
  return task;
}

}  // namespace deprov::engine
