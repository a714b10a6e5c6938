#include "engine/directory.hpp"
#include <algorithm>
#include <boost/json/parse.hpp>

namespace deprov::engine {

bool has_own_schemas(const json::object& settings) {
  return settings.contains("schemas") || settings.contains("resource_types");
}

Result<scim::SchemaRegistry> registry_of(const json::object& settings) {
  const auto part = [&](std::string_view name) {
    const auto* v = settings.if_contains(name);
    return v != nullptr ? *v : json::value(nullptr);
  };
  return scim::SchemaRegistry::customized(part("schemas"), part("resource_types"));
}

namespace {

/// The names of the account that the connection itself has in the app, as its config says them (R9).
std::vector<std::string> own_names(const connector::Description& app, const std::string& config) {
  std::vector<std::string> out;
  if (app.own_account.empty()) return out;
  boost::system::error_code ec;
  const auto parsed = json::parse(config.empty() ? "{}" : config, ec);
  if (ec) return out;
  for (std::string_view path : app.own_account) {
    const auto* at = &parsed;
    while (at != nullptr && !path.empty()) {
      const auto dot = path.find('.');
      at = at->is_object() ? at->get_object().if_contains(path.substr(0, dot)) : nullptr;
      path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    }
    if (at != nullptr && at->is_string() && !at->get_string().empty()) out.emplace_back(at->get_string());
  }
  return out;
}

}  // namespace

Result<Context> make_context(port::IntegrationRow row, const port::ConnectorKinds& kinds) {
  auto context = std::make_shared<IntegrationContext>();
  const auto corrupt = [&](std::string_view what) {
    return Error(Errc::store_corrupt, "the stored " + std::string(what) + " does not parse",
                 "integration " + row.scope.integration.str(), "restore the store from a backup");
  };
  boost::system::error_code ec;
  const auto policy = json::parse(row.policy.empty() ? "{}" : row.policy, ec);
  if (ec) return corrupt("policy");
  auto parsed = policy::parse_policy(policy);
  if (!parsed) return parsed.error().within("integration " + row.scope.integration.str() + ": policy");
  context->policy = std::move(*parsed);
  auto settings = json::parse(row.settings.empty() ? "{}" : row.settings, ec);
  if (ec || !settings.is_object()) return corrupt("settings");
  context->settings = std::move(settings.get_object());
  context->dialect = idp::find_dialect(row.idp);
  if (context->dialect == nullptr) return corrupt("IdP \"" + row.idp + "\"");
  context->registry = &scim::SchemaRegistry::builtin();
  if (has_own_schemas(context->settings)) {
    auto own = registry_of(context->settings);
    if (!own) return own.error().within("integration " + row.scope.integration.str() + ": settings");
    context->own_registry = std::make_shared<const scim::SchemaRegistry>(std::move(*own));
    context->registry = context->own_registry.get();
  }
  if (const auto kind = kinds.find(row.connector); kind != kinds.end())
    context->connector = &kind->second->describe();
  if (context->connector != nullptr) context->policy.protection.own = own_names(*context->connector, row.config);
  context->row = std::move(row);
  return Context(std::move(context));
}

Context Directory::find(IntegrationId id) const {
  const std::lock_guard lock(mutex_);
  const auto it = contexts_.find(id.value);
  return it == contexts_.end() ? nullptr : it->second;
}

std::vector<Context> Directory::all() const {
  std::vector<Context> out;
  {
    const std::lock_guard lock(mutex_);
    out.reserve(contexts_.size());
    for (const auto& [id, context] : contexts_) out.push_back(context);
  }
  std::sort(out.begin(), out.end(), [](const Context& a, const Context& b) {
    return a->row.scope.integration < b->row.scope.integration;
  });
  return out;
}

std::vector<IntegrationFault> Directory::faults() const {
  std::vector<IntegrationFault> out;
  {
    const std::lock_guard lock(mutex_);
    out.reserve(faults_.size());
    for (const auto& [id, fault] : faults_) out.push_back(fault);
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.scope < b.scope; });
  return out;
}

std::optional<IntegrationFault> Directory::fault(IntegrationId id) const {
  const std::lock_guard lock(mutex_);
  const auto it = faults_.find(id.value);
  if (it == faults_.end()) return std::nullopt;
  return it->second;
}

void Directory::put_fault(IntegrationFault fault) {
  const std::lock_guard lock(mutex_);
  const auto id = fault.scope.integration.value;
  if (!contexts_.contains(id)) faults_.insert_or_assign(id, std::move(fault));
}

void Directory::put(Context context) {
  const std::lock_guard lock(mutex_);
  const auto id = context->row.scope.integration.value;
  faults_.erase(id);
  if (context->row.state == port::IntegrationState::deleted) {
    contexts_.erase(id);
    return;
  }
  auto& slot = contexts_[id];
  if (!slot || slot->row.version <= context->row.version) slot = std::move(context);
}

void Directory::remove(IntegrationId id) {
  const std::lock_guard lock(mutex_);
  contexts_.erase(id.value);
  faults_.erase(id.value);
  std::erase_if(tokens_, [&](const auto& t) { return t.second.scope.integration == id; });
}

std::optional<port::GatewayTokenRow> Directory::token(const port::Sha256& hash) const {
  const std::lock_guard lock(mutex_);
  const auto it = tokens_.find(hash);
  if (it == tokens_.end()) return std::nullopt;
  return it->second;
}

void Directory::put_token(const port::GatewayTokenRow& row) {
  const std::lock_guard lock(mutex_);
  tokens_[row.hash] = row;
}

void Directory::expire_tokens(IntegrationId id, const port::Sha256& keep, WallTime at) {
  const std::lock_guard lock(mutex_);
  for (auto& [hash, row] : tokens_)
    if (row.scope.integration == id && hash != keep && (!row.expires || *row.expires > at)) row.expires = at;
}

}  // namespace deprov::engine
