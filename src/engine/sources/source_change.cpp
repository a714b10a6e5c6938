#include "engine/sources/source_change.hpp"
#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <utility>
#include "engine/management.hpp"
#include "engine/sources/client_assertion.hpp"
#include "engine/sources/event_receiver.hpp"
#include "engine/sources/feed_config.hpp"
#include "engine/sources/source_poll.hpp"

namespace deprov::engine {

namespace {

/// Members of a config that belong to another kind of source are mistakes.
Result<void> fits_kind(const Engine::Impl& impl, const std::string& kind, const json::object& config) {
  const bool polled = idp::find_feed_kind(kind) != nullptr;
  for (const auto& [name, property] : feed_config_properties()) {
    (void)property;
    const bool own = polled && (name == kind || idp::find_feed_kind(name) == nullptr);
    if (!own && config.contains(name))
      return Error(Errc::invalid_argument, "does not belong to a source of kind " + kind,
                   "config/" + std::string(name));
  }
  if (!polled) return {};
  DEPROV_TRY(feed, parse_feed_config(kind, config));
  return check_client_key(impl.ports.crypto, feed.credential, impl.now());
}

constexpr std::array<std::string_view, 7> of_lists = {"links", "inactive_cause", "max_users", "whole",
                                                      "auth",  "poll",           "ca_pem"};
constexpr std::array<std::string_view, 4> of_events_not = {"issuer", "subject_issuer", "link", "links"};
constexpr std::array<std::string_view, 3> by_member = {"poll", "verification", "links"};

bool may_change(std::string_view kind, std::string_view name) {
  const auto among = [&](const auto& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  return kind == event_source_kind ? !among(of_events_not) : name == "hook" || among(of_lists);
}

/// Whoever may change a config is not shown its secrets, and must not have them sent to where they never went.
Result<void> check_secret_goes_on(const json::object& before, const json::object& after,
                                  const json::object& change, std::string_view name) {
  const auto* old = before.if_contains(name);
  const auto* now = after.if_contains(name);
  if (old == nullptr || now == nullptr || !old->is_object() || !now->is_object()) return {};
  if (!old->get_object().contains("authorization")) return {};
  if (text_of(old->get_object(), "url") == text_of(now->get_object(), "url")) return {};
  const auto* given = change.if_contains(name);
  if (given != nullptr && given->is_object() && given->get_object().contains("authorization")) return {};
  return Error(Errc::invalid_argument, "the secret that went to another URL is not sent to this one",
               "config/" + std::string(name) + "/url", "give authorization with it; null: none");
}

/// What a source showed of an id and owes a subject is not owed any more where a person says that the subject has
/// another id: of that one it may never have shown anything (R6).
Result<void> forget_owed(port::Reader& reader, const port::SourceRow& row, const json::object& before,
                         const json::object& after, port::Transaction& txn) {
  DEPROV_TRY(was, parse_source_config(before));
  DEPROV_TRY(is, parse_source_config(after));
  auto linked = was.links;
  linked.insert(is.links.begin(), is.links.end());
  for (const auto& [subject, id] : linked) {
    (void)id;
    DEPROV_TRY(resource, reader.resource(row.scope, subject));
    if (!resource || link_of(was, *resource) == link_of(is, *resource)) continue;
    DEPROV_TRY(said, reader.grants(row.scope, subject));
    const bool owed = std::any_of(said.begin(), said.end(),
                                  [&](const auto& g) { return g.source == row.id && g.says == idp::Says::hint; });
    if (!owed) continue;
    DEPROV_TRY(known, reader.subject(row.scope, subject));
    txn.reads.subjects.push_back({row.scope, subject, known ? known->grants_version : 0});
    txn.ops.emplace_back(port::op::RemoveGrants{row.scope, subject, row.id});
  }
  return {};
}

}  // namespace

Result<void> put_config(Engine::Impl& impl, port::SourceRow& row, json::object config,
                        const idp::FingerprintKey& key) {
  if (row.kind == event_source_kind) return put_event_config(impl, row, config);
  DEPROV_CHECK(parse_source_config(config));
  DEPROV_CHECK(fits_kind(impl, row.kind, config));
  const auto secrets = take_secrets(config);
  row.config = json::serialize(config);
  DEPROV_TRY(sealed, seal_source_key(impl, row, key, secrets));
  row.secrets = std::move(sealed);
  return {};
}

Result<json::object> changed_config(std::string_view kind, json::object config, const json::object& change) {
  if (change.empty())
    return Error(Errc::invalid_argument, "nothing is to be changed", "config",
                 "give the members that are to be different");
  const auto before = config;
  for (const auto& [name, value] : change) {
    if (!may_change(kind, name))
      return Error(Errc::invalid_argument, "cannot be changed: what it has read so far was read by it",
                   "config/" + std::string(name),
                   name == "links" ? "use `deprov source link`" : "add another source, and remove this one");
    if (value.is_null()) {
      config.erase(name);
      continue;
    }
    auto* old = config.if_contains(name);
    const bool merged = std::find(by_member.begin(), by_member.end(), name) != by_member.end();
    if (!merged || !value.is_object() || old == nullptr || !old->is_object()) {
      auto& now = config[name];
      now = value;
      if (!merged || !now.is_object()) continue;
      json::object given;
      for (const auto& [member, one] : now.get_object())
        if (!one.is_null()) given[member] = one;
      now = std::move(given);
      continue;
    }
    for (const auto& [member, one] : value.get_object()) {
      if (one.is_null()) {
        old->get_object().erase(member);
      } else {
        old->get_object()[member] = one;
      }
    }
  }
  for (const auto* name : {"poll", "verification"})
    DEPROV_CHECK(check_secret_goes_on(before, config, change, name));
  return config;
}

void Sources::set(Principal by, IntegrationId id, SourceId source, SetSource what, Done<port::SourceRow> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<port::SourceRow>(impl, std::move(done), ok.error());
  const port::Scope scope{by.workspace, id};
  auto put = std::make_shared<port::SourceRow>();
  impl->decide(
      [impl, by, scope, source, what = std::move(what), put](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(integration, load_integration(reader, by, scope.integration));
        DEPROV_TRY(row, reader.source(scope, source));
        if (!row)
          return Error(Errc::not_found, "the integration has no such source", "source " + source.str(),
                       "list them with `deprov source list`");
        idp::FingerprintKey key;
        json::object before;
        if (row->kind == event_source_kind) {
          DEPROV_TRY(config, unseal_event_config(*impl, *row));
          before = std::move(config);
        } else {
          DEPROV_TRY(own, unseal_source_key(*impl, *row));
          key = own;
          DEPROV_TRY(config, unseal_source_config(*impl, *row));
          before = std::move(config);
        }
        DEPROV_TRY(config, changed_config(row->kind, before, what.config));
        if (row->kind == event_source_kind) put_poll_due(*row, before, config, impl->now());
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        if (row->kind != event_source_kind && what.config.contains("links"))
          DEPROV_CHECK(forget_owed(reader, *row, before, config, txn));
        DEPROV_CHECK(put_config(*impl, *row, std::move(config), key));
        // Where an engine reads it, `due` says until when that one has it.
        if (idp::find_feed_kind(row->kind) != nullptr && parse_poll_state(*row).claimed_by.empty() &&
            (what.config.contains("auth") || what.config.contains("ca_pem")))
          row->due = impl->now();
        json::array names;
        for (const auto& [name, value] : what.config) {
          (void)value;
          names.emplace_back(name);
        }
        txn.ops.emplace_back(port::op::PutIntegration{std::move(integration)});  // other engines look again
        txn.ops.emplace_back(
            impl->activity(scope, "source.changed", by.actor(),
                           {{"source", source.str()}, {"name", row->name}, {"changed", std::move(names)}}));
        *put = *row;
        ++put->version;
        txn.ops.emplace_back(port::op::PutSource{std::move(*row)});
        return txn;
      },
      [impl, scope, put, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        make_current(impl, scope, std::nullopt, [impl, scope, put, done = std::move(done)]() mutable {
          impl->events->put(*put);
          impl->notify(scope);
          done(std::move(*put));
        });
      });
}

}  // namespace deprov::engine
