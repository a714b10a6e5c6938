// Integrations: made, changed, paused, checked, and given new tokens.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/json_schema.hpp>
#include <deprov/policy/protection.hpp>
#include <deprov/scim/json.hpp>
#include "engine/directory.hpp"
#include "engine/integration_shown.hpp"
#include "engine/management.hpp"
#include "engine/preview.hpp"

namespace deprov::engine {

namespace {

constexpr std::string_view gateway_prefix = "dpg_";
constexpr Duration longest_token_overlap = std::chrono::hours(24 * 30);
constexpr Duration check_timeout = std::chrono::seconds(30);
constexpr std::size_t max_settings_bytes = std::size_t{512} * 1024;

}  // namespace

const json::value& settings_schema() {
  static const json::value schema = json::parse(R"json({
    "type": "object", "additionalProperties": false,
    "properties": {
      "external_id_immutable": {"type": "boolean",
        "description": "Whether the IdP never gives an externalId to another person (default: the IdP's)."},
      "base_url": {"type": "string", "format": "uri", "maxLength": 1024,
        "description": "What stands before /scim/v2 in the URLs that are given out (default: by the Host header)."},
      "me": {"type": "string", "maxLength": 100,
        "description": "SCIM id of the User whom /Me stands for, where a request names none (default: nobody, and /Me is 501)."},
      "patch_answer": {"enum": ["resource", "no_content"], "description": "How a PATCH is answered (default: the IdP's)."},
      "unknown_members": {"enum": ["keep", "refuse"],
        "description": "Members of groups that are no resource here: kept as sent, as nobody's grant, or refused (default: kept of a sender that `generic` does not recognise, refused of all others)."},
      "placement": {"enum": ["in_process", "worker"],
        "description": "Where the code of a plugin runs: in the server, or in a process of its own (default: the server's)."},
      "retention_days": {"type": "integer", "minimum": 1, "maximum": 36500,
        "description": "After how many days the details of activity records are deleted (default: never)."},
      "reconcile": {"type": "object", "additionalProperties": false,
        "description": "How the accounts that are really in the app are compared with who has access.",
        "properties": {
          "mode": {"enum": ["off", "propose", "queue"], "description": "What is done with leftover access (default: propose)."},
          "every_hours": {"type": "integer", "minimum": 1, "maximum": 8784, "description": "Default 24."}
        }},
      "schemas": {"type": "array", "description": "SCIM schemas in the form of RFC 7643 section 7."},
      "resource_types": {"type": "array", "description": "SCIM resource types in the form of RFC 7643 section 6."}
    }
  })json");
  return schema;
}

namespace {

/// RFC 7396: null takes a member away, objects are merged, everything else replaces.
void merge_patch(json::value& target, const json::value& patch) {
  const auto* members = patch.if_object();
  if (members == nullptr) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = json::object{};
  auto& object = target.get_object();
  for (const auto& [name, value] : *members) {
    if (value.is_null()) {
      object.erase(name);
    } else {
      merge_patch(object[name], value);
    }
  }
}

/// What a file holds, as an array: one object, an array, or a ListResponse.
json::value as_list(const json::value& file) {
  if (file.is_array()) return file;
  if (const auto* o = file.if_object())
    if (const auto* resources = scim::find(*o, "Resources")) return *resources;
  return json::array{file};
}

/// Schemas and resource types are given beside the settings, and kept in them. Null or an empty list takes them
/// away.
void put_list(json::object& settings, std::string_view name, const json::value& file) {
  auto list = file.is_null() ? json::value(json::array{}) : as_list(file);
  if (list.is_array() && list.get_array().empty()) {
    settings.erase(name);
  } else {
    settings[name] = std::move(list);
  }
}

/// The same as far as it can be told where the schemas that are stored cannot be read any more.
Result<void> check_types_stay(port::Reader& reader, const port::IntegrationRow& before,
                              const scim::SchemaRegistry& is) {
  boost::system::error_code ec;
  const auto settings = json::parse(before.settings.empty() ? "{}" : before.settings, ec);
  const auto* o = ec ? nullptr : settings.if_object();
  const auto* types = o != nullptr ? o->if_contains("resource_types") : nullptr;
  const auto* list = types != nullptr ? types->if_array() : nullptr;
  if (list == nullptr) return {};
  for (const auto& document : *list) {
    const auto* type = document.if_object();
    const auto* name = type != nullptr ? scim::find(*type, "name") : nullptr;
    if (name == nullptr || !name->is_string() || is.type(name->get_string()) != nullptr) continue;
    DEPROV_TRY(count, reader.resource_count(before.scope, std::string(name->get_string())));
    if (count != 0)
      return Error(Errc::conflict,
                   "the type is gone, and there are " + std::to_string(count) + " resources of the type",
                   "resource type " + std::string(name->get_string()), "keep what they are stored by");
  }
  return {};
}

/// Resources that are there go on being there, and mean what they meant.
Result<void> check_stored_fit(port::Reader& reader, const port::IntegrationRow& before,
                              const port::IntegrationRow& after) {
  if (before.settings == after.settings) return {};
  const auto registry = [](const port::IntegrationRow& row) -> Result<scim::SchemaRegistry> {
    boost::system::error_code ec;
    const auto settings = json::parse(row.settings.empty() ? "{}" : row.settings, ec);
    if (ec || !settings.is_object()) return scim::SchemaRegistry::builtin();
    return registry_of(settings.get_object());
  };
  DEPROV_TRY(is, registry(after));
  auto was = registry(before);
  if (!was) return check_types_stay(reader, before, is);
  for (const auto& type : was->types()) {
    DEPROV_TRY(count, reader.resource_count(before.scope, type->name()));
    if (count == 0) continue;
    const auto refuse = [&, n = count](const Error& e) {
      return Error(Errc::conflict, e.detail() + ", and there are " + std::to_string(n) + " resources of the type",
                   "resource type " + type->name() + (e.where().empty() ? "" : ", " + e.where()),
                   "delete them first, or keep what they are stored by");
    };
    const auto* now = is.type(type->name());
    if (now == nullptr || now->name() != type->name()) return refuse(Error(Errc::conflict, "the type is gone"));
    if (auto fits = scim::still_fits(*type, *now); !fits) return refuse(fits.error());
  }
  return {};
}

/// Who manages integrations is no administrator of this machine: its files are not theirs to name.
Result<void> check_files(const Engine::Impl& impl, const Principal& by, const port::ConnectorKind& kind,
                         const json::object& config, const json::object* stored) {
  if (by.id.is_nil()) return {};
  const auto before = stored == nullptr ? std::vector<port::ConfigFile>{} : kind.files(*stored);
  for (const auto& file : kind.files(config)) {
    if (std::find(before.begin(), before.end(), file) != before.end()) continue;
    if (impl.options.may_name_file && impl.options.may_name_file(file.path)) continue;
    return Error(Errc::forbidden, "names a file of the server's machine that is not open to integrations",
                 "config" + file.member,
                 file.member == "/ca_file" ? "give the certificates themselves, as \"ca_pem\""
                                           : "whoever runs the server names the directories that are "
                                             "(`deprov serve --config-files DIR`)");
  }
  return {};
}

/// `stored`: the config that is in use, whose files may stay.
Result<void> check_documents(const Engine::Impl& impl, const Principal& by, const port::IntegrationRow& row,
                             const json::object& config, const json::value& policy, const json::value& settings,
                             const json::object* stored = nullptr) {
  DEPROV_CHECK(check_name(row.name, "name"));
  if (idp::find_dialect(row.idp) == nullptr) {
    std::string known;
    for (const auto& d : idp::dialects()) known += (known.empty() ? "" : ", ") + std::string(d.name);
    return Error(Errc::invalid_argument, "no IdP is known by this word", "idp", "use one of: " + known);
  }
  const auto kind = impl.options.connectors.find(row.connector);
  if (kind == impl.options.connectors.end()) {
    std::string known;
    for (const auto& [id, k] : impl.options.connectors) known += (known.empty() ? "" : ", ") + id;
    return Error(Errc::invalid_argument, "this program knows no connector by this word", "connector",
                 "use one of: " + known);
  }
  const auto in = [](std::string_view member, const Error& e) {
    return Error(e.code(), e.detail(), std::string(member) + e.where(), e.advice());
  };
  if (auto ok = validate_json(kind->second->describe().config_schema, config); !ok)
    return in("config", ok.error());
  if (auto ok = kind->second->validate(config); !ok) return in("config", ok.error());
  DEPROV_CHECK(check_files(impl, by, *kind->second, config, stored));
  if (auto ok = policy::parse_policy(policy); !ok) return in("policy", ok.error());
  if (auto ok = validate_json(settings_schema(), settings); !ok) return in("settings", ok.error());
  if (auto ok = kind->second->check_placement(placement_of(settings.get_object())); !ok)
    return in("settings/", ok.error());
  if (!has_own_schemas(settings.get_object())) return {};
  if (const auto size = json::serialize(settings).size(); size > max_settings_bytes)
    return Error(Errc::limit_exceeded,
                 "the settings with their schemas have " + std::to_string(size) +
                     " bytes, more than max_settings_bytes (" + std::to_string(max_settings_bytes) + ")",
                 "schemas");
  if (auto ok = registry_of(settings.get_object()); !ok) return ok.error();
  return {};
}

/// Of schemas that were not there before. Errors: `invalid_argument`.
Result<void> check_new_schemas(const json::object& before, const json::object& after) {
  const auto schemas = [](const json::object& settings) {
    const auto* v = settings.if_contains("schemas");
    return v != nullptr ? *v : json::value(nullptr);
  };
  if (schemas(before) == schemas(after)) return {};
  DEPROV_TRY(registry, registry_of(after));
  const auto was = registry_of(before);
  for (const auto& s : registry.schemas()) {
    if (scim::SchemaRegistry::builtin().schema(s->id) != nullptr) continue;
    const auto* same = was ? was->schema(s->id) : nullptr;
    if (same != nullptr && scim::to_json(*same) == scim::to_json(*s)) continue;
    DEPROV_CHECK(scim::check_new_schema(*s));
  }
  return {};
}

/// Opens the connection and asks it; `done` gets the reply of the check.
void check_connection(const std::shared_ptr<Engine::Impl>& impl, const port::IntegrationRow& row,
                      Done<connector::Reply> done) {
  impl->ports.executor.post([impl, row, done = std::move(done)]() mutable {
    auto app = impl->open_connector(row);
    if (!app) return done(app.error());
    connector::Call call;
    call.operation = connector::Operation::check;
    call.timeout = check_timeout;
    call_app(impl, std::move(*app), std::move(call),
             [done = std::move(done)](connector::Reply reply) mutable { done(std::move(reply)); });
  });
}

void commit_created(const std::shared_ptr<Engine::Impl>& impl, const Principal& by,
                    const port::IntegrationRow& row, const std::optional<json::object>& checked,
                    Done<CreatedIntegration> done) {
  const auto token = issue_token(impl->ports, gateway_prefix);
  port::GatewayTokenRow token_row;
  token_row.hash = token.hash;
  token_row.scope = row.scope;
  token_row.created = row.created;
  impl->decide(
      [impl, by, row, token_row, checked](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_CHECK(require_workspace(reader, by));
        DEPROV_TRY(others, reader.integrations(by.workspace));
        for (const auto& other : others) {
          if (other.name == row.name) {
            return Error(Errc::conflict, "there is an integration \"" + row.name + "\" already", "name",
                         "choose another name");
          }
        }
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutIntegration{row});
        txn.ops.emplace_back(port::op::PutGatewayToken{token_row});
        txn.ops.emplace_back(impl->activity(row.scope, "integration.created", by.actor(), shown(row)));
        txn.ops.emplace_back(impl->activity(row.scope, "connection.made", by.actor(),
                                            {{"connector", row.connector}, {"checked", checked.has_value()}}));
        if (checked) txn.ops.emplace_back(impl->activity(row.scope, "connection.checked", by.actor(), *checked));
        return txn;
      },
      [impl, row, token, token_row, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        impl->directory.put_token(token_row);
        impl->notify(row.scope);
        auto made = row;
        made.version = 1;
        make_current(impl, row.scope, made, [made, token, done = std::move(done)]() mutable {
          done(CreatedIntegration{std::move(made), token.text});
        });
      });
}

/// Of policies that parse. An exemption that has ended exempts nobody, and who writes it means somebody; one that
/// ended since it was set may stay.
Result<void> check_exemptions(const json::value& policy, const json::value& before, WallTime now) {
  const auto written = [](const json::value& document) -> json::array {
    const auto parsed = policy::parse_policy(document);
    return parsed ? policy::exemptions_json(parsed->protection) : json::array{};
  };
  DEPROV_TRY(parsed, policy::parse_policy(policy));
  const auto exemptions = written(policy);
  const auto former = written(before);
  for (std::size_t i = 0; i < exemptions.size(); ++i) {
    const auto until = parsed.protection.exemptions[i].until;
    if (until > now || std::find(former.begin(), former.end(), exemptions[i]) != former.end()) continue;
    return Error(Errc::invalid_argument, "the exemption has ended already, at " + to_rfc3339(until),
                 "policy/exemptions/" + std::to_string(i) + "/until", "give a later end, or leave it out");
  }
  return {};
}

struct Update {
  port::IntegrationRow before;
  port::IntegrationRow after;
  bool config_changed = false;
  bool secrets_changed = false;
  bool check = true;
  std::string plan_hash;
};

Result<Update> plan_update(Engine::Impl& impl, const Principal& by, port::IntegrationRow before,
                           const json::object& changes) {
  Update update;
  update.after = before;
  json::value policy, settings;
  boost::system::error_code ec;
  policy = json::parse(before.policy.empty() ? "{}" : before.policy, ec);
  settings = json::parse(before.settings.empty() ? "{}" : before.settings, ec);
  if (ec || !settings.is_object()) {
    if (!changes.contains("settings"))
      return Error(Errc::conflict, "what is stored of them cannot be read", "settings", "give them anew");
    settings = json::object{};
  }
  const auto settings_before = settings;
  const auto policy_before = policy;
  DEPROV_TRY(clear, impl.unseal_config(before));
  json::value config = clear;
  for (const auto& [name, value] : changes) {
    const auto wrong = [&name = name](std::string_view type) {
      return Error(Errc::invalid_argument, "has to be " + std::string(type), std::string(name));
    };
    if (name == "name") {
      if (!value.is_string()) return wrong("a string");
      update.after.name = std::string(value.get_string());
    } else if (name == "config") {
      if (!value.is_object()) return wrong("an object");
      merge_patch(config, value);
      update.config_changed = config != json::value(clear);
    } else if (name == "policy") {
      if (!value.is_object()) return wrong("an object");
      if (value != policy) ++update.after.policy_version;
      policy = value;
    } else if (name == "settings") {
      if (!value.is_object()) return wrong("an object");
      settings = value;
    } else if (name == "plan_hash") {
      if (!value.is_string()) return wrong("a string");
      update.plan_hash = std::string(value.get_string());
    } else if (name == "schemas" || name == "resource_types") {
      if (!value.is_object() && !value.is_array() && !value.is_null()) return wrong("an object or an array");
    } else if (name == "check") {
      if (!value.is_bool()) return wrong("true or false");
      update.check = value.get_bool();
    } else {
      return Error(Errc::invalid_argument, "no such member of an integration can be changed", std::string(name),
                   "change name, config, policy, settings, schemas or resource_types");
    }
  }
  for (const std::string_view name : {"schemas", "resource_types"}) {
    auto& to = settings.get_object();
    if (const auto* given = changes.if_contains(name)) {
      put_list(to, name, *given);
    } else if (!to.contains(name)) {  // settings without them say nothing about them
      if (const auto* kept = settings_before.get_object().if_contains(name)) to[name] = *kept;
    }
  }
  DEPROV_CHECK(check_documents(impl, by, update.after, config.get_object(), policy, settings, &clear));
  DEPROV_CHECK(check_new_schemas(settings_before.get_object(), settings.get_object()));
  DEPROV_CHECK(check_exemptions(policy, policy_before, impl.now()));
  update.after.policy = json::serialize(policy);
  update.after.settings = json::serialize(settings);
  if (update.config_changed) {
    update.secrets_changed = secrets_differ(*impl.options.connectors.at(before.connector), clear, config);
    DEPROV_CHECK(impl.seal_config(update.after, config.get_object()));
  }
  update.after.modified = impl.now();
  update.before = std::move(before);
  return update;
}

/// Whether the plan that a person saw is still what would follow. Errors: `conflict`.
Result<void> check_plan(Engine::Impl& impl, port::Reader& reader, const Update& update) {
  DEPROV_TRY(context, make_context(update.after, impl.options.connectors));
  if (context->connector == nullptr) return Error(Errc::conflict, "the connector is not known", "plan_hash");
  DEPROV_TRY(state, read_state(reader, update.after.scope, context->policy.protection));
  const auto document =
      preview_document(impl.ports.crypto, context->policy, state, *context->connector, impl.now());
  if (document.at("hash").get_string() == update.plan_hash) return {};
  return Error(Errc::conflict, "the plan is another one by now", "plan_hash",
               "look at it again with `deprov plan`, and approve what it shows");
}

void commit_update(const std::shared_ptr<Engine::Impl>& impl, const Principal& by, const Update& update,
                   const std::optional<json::object>& checked, Done<port::IntegrationRow> done) {
  const auto& row = update.after;
  json::object detail;
  json::object before = shown(update.before);
  json::object after = shown(row);
  for (const auto* name : {"name", "config", "policy", "settings"}) {
    if (before[name] == after[name]) continue;
    if (std::string_view(name) == "config" && before[name].is_object() && after[name].is_object())
      keep_differences(impl->ports.crypto, before[name].get_object(), after[name].get_object());
    detail[name] = {{"before", before[name]}, {"after", after[name]}};
  }
  detail["secrets_changed"] = update.secrets_changed;
  detail["policy_version"] = row.policy_version;
  if (!update.plan_hash.empty()) detail["plan_hash"] = update.plan_hash;
  impl->decide(
      [impl, by, row, detail, checked,
       config_changed = update.config_changed](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(present, load_integration(reader, by, row.scope.integration));
        if (present.version != row.version) {
          return Error(Errc::conflict, "somebody else changed the integration in between",
                       "integration " + row.scope.integration.str(), "look at it again, and repeat the change");
        }
        DEPROV_CHECK(check_stored_fit(reader, present, row));
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutIntegration{row});
        if (config_changed) DEPROV_CHECK(clear_lane_pause(reader, row.scope, txn));
        txn.ops.emplace_back(impl->activity(row.scope, "integration.updated", by.actor(), detail));
        if (checked) txn.ops.emplace_back(impl->activity(row.scope, "connection.checked", by.actor(), *checked));
        return txn;
      },
      [impl, row = port::IntegrationRow(row),
       protects_others = update.before.policy != row.policy || update.config_changed,
       done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) {
          if (committed.error().code() == Errc::commit_unknown) impl->look_again(row.scope);
          return done(committed.error());
        }
        impl->notify(row.scope);
        ++row.version;
        make_current(impl, row.scope, row, [impl, row, protects_others, done = std::move(done)]() mutable {
          if (protects_others) reconsider_retained(impl, row.scope);
          done(std::move(row));
        });
      },
      // A resource that is made in between would be one of a type that is gone by then.
      update.before.settings != row.settings);
}

}  // namespace

void Engine::create_integration(Principal by, CreateIntegration what, Done<CreatedIntegration> done) {
  const auto impl = impl_;
  const auto fail = [&](const Error& e) { finish<CreatedIntegration>(impl, std::move(done), e); };
  if (auto ok = require_integrations(by); !ok) return fail(ok.error());
  port::IntegrationRow row;
  row.scope = {by.workspace, impl->new_id<IntegrationId>()};
  row.name = std::move(what.name);
  row.idp = std::move(what.idp);
  row.connector = std::move(what.connector);
  if (!what.schemas.is_null()) put_list(what.settings, "schemas", what.schemas);
  if (!what.resource_types.is_null()) put_list(what.settings, "resource_types", what.resource_types);
  row.policy = json::serialize(what.policy);
  row.settings = json::serialize(what.settings);
  row.created = row.modified = impl->now();
  if (auto ok = check_documents(*impl, by, row, what.config, what.policy, what.settings); !ok)
    return fail(ok.error());
  if (auto ok = check_new_schemas({}, what.settings); !ok) return fail(ok.error());
  if (auto ok = check_exemptions(what.policy, json::object{}, row.created); !ok) return fail(ok.error());
  if (const auto* dialect = idp::find_dialect(row.idp)) row.idp = std::string(dialect->name);
  if (auto ok = impl->seal_config(row, what.config); !ok) return fail(ok.error());
  if (!what.check) return commit_created(impl, by, row, std::nullopt, std::move(done));
  check_connection(impl, row, [impl, by, row, done = std::move(done)](Result<connector::Reply> reply) mutable {
    if (!reply) return done(reply.error());
    if (reply->outcome != connector::Outcome::ok) return done(check_error(*reply));
    commit_created(impl, by, row, check_json(*reply), std::move(done));
  });
}

void Engine::update_integration(Principal by, IntegrationId id, json::object changes,
                                Done<port::IntegrationRow> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok)
    return finish<port::IntegrationRow>(impl, std::move(done), ok.error());
  auto update = std::make_shared<Update>();
  view(
      [impl, by, id, changes = std::move(changes), update](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(row, load_integration(reader, by, id));
        DEPROV_TRY(planned, plan_update(*impl, by, std::move(row), changes));
        if (!planned.plan_hash.empty()) DEPROV_CHECK(check_plan(*impl, reader, planned));
        *update = std::move(planned);
        return {};
      },
      [impl, by, update, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        if (!update->config_changed || !update->check)
          return commit_update(impl, by, *update, std::nullopt, std::move(done));
        check_connection(impl, update->after,
                         [impl, by, update, done = std::move(done)](Result<connector::Reply> reply) mutable {
                           if (!reply) return done(reply.error());
                           if (reply->outcome != connector::Outcome::ok) return done(check_error(*reply));
                           commit_update(impl, by, *update, check_json(*reply), std::move(done));
                         });
      });
}

void Engine::rotate_token(Principal by, IntegrationId id, Duration overlap, Done<std::string> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<std::string>(impl, std::move(done), ok.error());
  if (overlap < Duration(0) || overlap > longest_token_overlap) {
    return finish<std::string>(impl, std::move(done),
                               Error(Errc::invalid_argument, "the overlap has to be between 0 and 30 days",
                                     "overlap", "give fewer seconds"));
  }
  const auto token = issue_token(impl->ports, gateway_prefix);
  port::GatewayTokenRow row;
  row.hash = token.hash;
  row.created = impl->now();
  row.scope = {by.workspace, id};
  const auto ends = row.created + overlap;
  impl->decide(
      [impl, by, id, row, ends, overlap](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(integration, load_integration(reader, by, id));
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.reads.integrations.push_back({row.scope, integration.version});
        txn.ops.emplace_back(port::op::PutGatewayToken{row});
        txn.ops.emplace_back(port::op::ExpireGatewayTokens{row.scope, row.hash, ends});
        txn.ops.emplace_back(impl->activity(
            row.scope, "token.rotated", by.actor(),
            {{"old_tokens_end", to_rfc3339(ends)}, {"overlap_seconds", overlap.count() / 1'000'000}}));
        return txn;
      },
      [impl, row, ends, token, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        impl->directory.put_token(row);
        impl->directory.expire_tokens(row.scope.integration, row.hash, ends);
        impl->notify(row.scope);
        done(token.text);
      });
}

void Engine::check_integration(Principal by, IntegrationId id, Done<connector::Reply> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<connector::Reply>(impl, std::move(done), ok.error());
  auto row = std::make_shared<port::IntegrationRow>();
  view(
      [by, id, row](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(found, load_integration(reader, by, id));
        *row = std::move(found);
        return {};
      },
      [impl, by, row, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        check_connection(
            impl, *row, [impl, by, row, done = std::move(done)](Result<connector::Reply> reply) mutable {
              if (!reply) return done(reply.error());
              const bool good = reply->outcome == connector::Outcome::ok;
              const auto detail = check_json(*reply);
              impl->decide(
                  [impl, by, row, detail, good](port::Reader& reader) -> Result<port::Transaction> {
                    port::Transaction txn;
                    txn.id = impl->new_id<TxnId>();
                    if (good) DEPROV_CHECK(clear_lane_pause(reader, row->scope, txn));
                    txn.ops.emplace_back(impl->activity(row->scope, "connection.checked", by.actor(), detail));
                    return txn;
                  },
                  [impl, row, good, reply = std::move(*reply),
                   done = std::move(done)](Result<port::Committed> committed) mutable {
                    if (!committed) return done(committed.error());
                    impl->notify(row->scope);
                    if (!good) return done(std::move(reply));
                    make_current(
                        impl, row->scope, std::nullopt,
                        [reply = std::move(reply), done = std::move(done)]() mutable { done(std::move(reply)); });
                  });
            });
      });
}

}  // namespace deprov::engine
