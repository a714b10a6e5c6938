// Connections: an integration's config with its secrets sealed apart, and connectors opened from it.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/json_schema.hpp>
#include <utility>
#include "engine/connector_checkpoints.hpp"
#include "engine/courier.hpp"
#include "engine/impl.hpp"
#include "engine/sources/source_config.hpp"

namespace deprov::engine {

namespace {

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out.push_back(digits[b >> 4U]);
    out.push_back(digits[b & 15U]);
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

/// Tells which master key sealed something, without telling anything about the key.
std::string key_id(const port::Crypto& crypto, std::string_view key) {
  const auto digest = crypto.sha256(port::bytes_of("deprov key id\n" + std::string(key)));
  return to_hex({reinterpret_cast<const char*>(digest.data()), 8});
}

/// What is authenticated with each secret, so that none can be moved to another place.
std::string seal_context(const port::IntegrationRow& row, std::string_view path) {
  return row.scope.workspace.str() + "|" + row.scope.integration.str() + "|config." + std::string(path);
}

json::object* parent_of(json::object& root, std::string_view& path, bool make) {
  json::object* at = &root;
  for (auto dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    const auto name = path.substr(0, dot);
    path.remove_prefix(dot + 1);
    auto* next = at->if_contains(name);
    if (next == nullptr) {
      if (!make) return nullptr;
      next = &at->emplace(name, json::object{}).first->value();
    }
    if (!next->is_object()) return nullptr;
    at = &next->get_object();
  }
  return at;
}

Error unreadable(const port::IntegrationRow& row, std::string_view what) {
  return {Errc::store_corrupt, "the stored " + std::string(what) + " of the connection does not parse",
          "integration " + row.scope.integration.str(), "restore the store from a backup"};
}

}  // namespace

port::Placement placement_of(const json::object& settings) {
  const auto* v = settings.if_contains("placement");
  if (v == nullptr || !v->is_string()) return port::Placement::by_default;
  return v->get_string() == "worker" ? port::Placement::worker : port::Placement::in_process;
}

Result<void> Engine::Impl::seal_config(port::IntegrationRow& row, const json::object& config) {
  const auto kind = options.connectors.find(row.connector);
  if (kind == options.connectors.end())
    return Error(Errc::invalid_argument, "this program knows no connector \"" + row.connector + "\"", "connector");
  json::object open = config;
  json::object fields;
  for (const auto& path : kind->second->describe().secret_paths) {
    std::string_view leaf = path;
    auto* parent = parent_of(open, leaf, false);
    if (parent == nullptr) continue;
    const auto* value = parent->if_contains(leaf);
    if (value == nullptr) continue;
    DEPROV_TRY(sealed, ports.crypto.seal(port::bytes_of(options.master_key),
                                         port::bytes_of(seal_context(row, path)), json::serialize(*value)));
    fields[path] = to_hex(sealed);
    parent->erase(leaf);
  }
  row.secrets.clear();
  if (!fields.empty()) {
    row.secrets = json::serialize(
        json::object{{"key", key_id(ports.crypto, options.master_key)}, {"fields", std::move(fields)}});
  }
  row.config = json::serialize(open);
  return {};
}

Result<std::string> Engine::Impl::seal_text(std::string_view context, std::string_view plain) {
  DEPROV_TRY(sealed, ports.crypto.seal(port::bytes_of(options.master_key), port::bytes_of(context), plain));
  return json::serialize(
      json::object{{"key", key_id(ports.crypto, options.master_key)}, {"sealed", to_hex(sealed)}});
}

Result<std::string> Engine::Impl::unseal_text(std::string_view context, std::string_view sealed,
                                              const std::string& where) {
  boost::system::error_code ec;
  const auto value = json::parse(sealed, ec);
  const auto* o = ec ? nullptr : value.if_object();
  const auto* key = o != nullptr ? o->if_contains("key") : nullptr;
  const auto* text = o != nullptr ? o->if_contains("sealed") : nullptr;
  const auto bytes = text != nullptr && text->is_string() ? from_hex(text->get_string()) : std::nullopt;
  if (key == nullptr || !key->is_string() || !bytes)
    return Error(Errc::store_corrupt, "the stored secret does not parse", where,
                 "restore the store from a backup");
  const auto* opens = key_of(key->get_string());
  if (opens == nullptr) {
    return Error(Errc::store_corrupt, "the secret was sealed under another master key than this program was given",
                 where, "give the master key that the store was made with, or make a new secret");
  }
  auto plain = ports.crypto.open(port::bytes_of(*opens), port::bytes_of(context), *bytes);
  if (!plain) return plain.error().within(where);
  return plain;
}

Result<json::object> Engine::Impl::unseal_config(const port::IntegrationRow& row) {
  boost::system::error_code ec;
  auto config = json::parse(row.config.empty() ? "{}" : row.config, ec);
  if (ec || !config.is_object()) return unreadable(row, "config");
  if (row.secrets.empty()) return std::move(config.get_object());
  const auto secrets = json::parse(row.secrets, ec);
  const auto* object = ec ? nullptr : secrets.if_object();
  const auto* key = object != nullptr ? object->if_contains("key") : nullptr;
  const auto* fields = object != nullptr ? object->if_contains("fields") : nullptr;
  if (key == nullptr || !key->is_string() || fields == nullptr || !fields->is_object())
    return unreadable(row, "secrets");
  const auto* opens = key_of(key->get_string());
  if (opens == nullptr) {
    return Error(Errc::store_corrupt,
                 "the secrets of the connection were sealed under the master key " +
                     std::string(key->get_string()) + ", and this program was given another one",
                 "integration " + row.scope.integration.str(),
                 "give the master key that the store was made with, or set the secrets anew");
  }
  for (const auto& [path, value] : fields->get_object()) {
    const auto bytes = value.is_string() ? from_hex(value.get_string()) : std::nullopt;
    if (!bytes) return unreadable(row, "secrets");
    auto plain = ports.crypto.open(port::bytes_of(*opens), port::bytes_of(seal_context(row, path)), *bytes);
    if (!plain) return plain.error().within("integration " + row.scope.integration.str());
    auto parsed = json::parse(*plain, ec);
    std::string_view leaf = path;
    auto* parent = parent_of(config.get_object(), leaf, true);
    if (ec || parent == nullptr) return unreadable(row, "secrets");
    (*parent)[leaf] = std::move(parsed);
  }
  return std::move(config.get_object());
}

// ---- rotation of the master key

const std::string* Engine::Impl::key_of(std::string_view id) const {
  if (key_id(ports.crypto, options.master_key) == id) return &options.master_key;
  for (const auto& key : options.former_keys)
    if (key_id(ports.crypto, key) == id) return &key;
  return nullptr;
}

namespace {

/// The secrets of a connection under another key. Needs no connector: a plugin may be away. Nothing: what is
/// stored does not open, and stays as it is; whoever uses it is told.
std::optional<std::string> under(const port::Crypto& crypto, const port::IntegrationRow& row,
                                 const std::string& from, const std::string& to) {
  boost::system::error_code ec;
  const auto secrets = json::parse(row.secrets, ec);
  const auto* object = ec ? nullptr : secrets.if_object();
  const auto* fields = object != nullptr ? object->if_contains("fields") : nullptr;
  if (fields == nullptr || !fields->is_object()) return std::nullopt;
  json::object anew;
  for (const auto& [path, value] : fields->get_object()) {
    const auto bytes = value.is_string() ? from_hex(value.get_string()) : std::nullopt;
    if (!bytes) return std::nullopt;
    const auto context = seal_context(row, path);
    const auto plain = crypto.open(port::bytes_of(from), port::bytes_of(context), *bytes);
    if (!plain) return std::nullopt;
    const auto sealed = crypto.seal(port::bytes_of(to), port::bytes_of(context), *plain);
    if (!sealed) return std::nullopt;
    anew[path] = to_hex(*sealed);
  }
  return json::serialize(json::object{{"key", key_id(crypto, to)}, {"fields", std::move(anew)}});
}

}  // namespace

void Engine::Impl::reseal(Done<void> done) {
  const auto self = shared_from_this();
  ports.store.transact(
      [self](port::Reader& reader) -> Result<port::Transaction> {
        port::Transaction txn;
        std::map<WorkspaceId, std::uint64_t> sealed;
        DEPROV_TRY(integrations, reader.integrations(std::nullopt));
        DEPROV_TRY(webhooks, reader.webhooks(std::nullopt));
        std::vector<port::SourceRow> sources;
        for (const auto& integration : integrations) {
          DEPROV_TRY(rows, reader.sources(integration.scope));
          sources.insert(sources.end(), rows.begin(), rows.end());
        }
        for (const auto& key : self->options.former_keys) {
          const auto id = key_id(self->ports.crypto, key);
          if (key == self->options.master_key) continue;
          for (auto& row : integrations) {
            if (row.secrets.find(id) == std::string::npos) continue;
            auto anew = under(self->ports.crypto, row, key, self->options.master_key);
            if (!anew) continue;
            row.secrets = std::move(*anew);
            txn.ops.emplace_back(port::op::PutIntegration{row});
            ++sealed[row.scope.workspace];
          }
          for (auto& row : webhooks) {
            if (row.secrets.find(id) == std::string::npos) continue;
            const auto secrets = open_secrets(*self, row);
            auto anew = secrets ? seal_secrets(*self, row, *secrets) : Result<std::string>(secrets.error());
            if (!anew) continue;
            row.secrets = std::move(*anew);
            txn.ops.emplace_back(port::op::PutWebhook{row});
            ++sealed[row.workspace];
          }
          for (auto& row : sources) {
            if (row.secrets.find(id) == std::string::npos) continue;
            const auto context = source_seal_context(row);
            const auto secret = self->unseal_text(context, row.secrets, "source " + row.id.str());
            auto anew = secret ? self->seal_text(context, *secret) : Result<std::string>(secret.error());
            if (!anew) continue;
            row.secrets = std::move(*anew);
            txn.ops.emplace_back(port::op::PutSource{row});
            ++sealed[row.scope.workspace];
          }
        }
        for (const auto& [workspace, count] : sealed)
          txn.ops.emplace_back(self->activity(
              {workspace, {}}, "master_key.rotated", "local",
              {{"sealed_anew", count}, {"key", key_id(self->ports.crypto, self->options.master_key)}}));
        if (!txn.ops.empty()) txn.id = self->new_id<TxnId>();
        return txn;
      },
      [self, done = std::move(done)](Result<port::Committed> committed) mutable {
        self->ports.executor.post([committed = std::move(committed), done = std::move(done)]() mutable {
          done(committed ? Result<void>() : Result<void>(committed.error()));
        });
      });
}

Result<std::unique_ptr<connector::Connector>> Engine::Impl::open_connector(const port::IntegrationRow& row) {
  const auto kind = options.connectors.find(row.connector);
  if (kind == options.connectors.end()) {
    return Error(Errc::unsupported, "this program knows no connector \"" + row.connector + "\"",
                 "integration " + row.scope.integration.str(), "use a build or plugin that has it");
  }
  DEPROV_TRY(config, unseal_config(row));
  DEPROV_CHECK(validate_json(kind->second->describe().config_schema, config));
  boost::system::error_code ec;
  const auto settings = json::parse(row.settings.empty() ? "{}" : row.settings, ec);
  const auto placement =
      !ec && settings.is_object() ? placement_of(settings.get_object()) : port::Placement::by_default;
  return kind->second->open(config, {ports.executor, ports.clock, ports.random, ports.http, placement,
                                     checkpoints_of(*this, row.scope)});
}

}  // namespace deprov::engine
