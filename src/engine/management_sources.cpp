// Sources of an integration: made, listed, removed, and their lists taken in.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/engine/sources.hpp>
#include <utility>
#include "engine/management.hpp"
#include "engine/sources/event_receiver.hpp"
#include "engine/sources/feed_config.hpp"
#include "engine/sources/source_change.hpp"
#include "engine/sources/source_poll.hpp"
#include "engine/sources/source_sync.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t max_sources = 20;      // of an integration
constexpr std::size_t max_lists = 8;         // at once
constexpr std::size_t max_lists_of_one = 4;  // of these, of one workspace: what is left is the others' (R21)
constexpr std::size_t max_bytes = std::size_t{8} << 20U;
constexpr std::size_t max_users = 10'000;
constexpr std::size_t pruned_at_once = 256;
constexpr std::size_t hints_at_once = 256;
constexpr Duration idle = std::chrono::minutes(10);

Result<SourceConfig> stored_config(const port::SourceRow& row) {
  boost::system::error_code ec;
  const auto config = json::parse(row.config, ec);
  if (ec || !config.is_object())
    return Error(Errc::store_corrupt, "the stored config does not parse", "source " + row.id.str(),
                 "restore the store from a backup");
  return parse_source_config(config.get_object());
}

Result<port::SourceRow> load_source(port::Reader& reader, const port::Scope& scope, SourceId id) {
  DEPROV_TRY(row, reader.source(scope, id));
  if (!row)
    return Error(Errc::not_found, "the integration has no such source", "source " + id.str(),
                 "list them with `deprov source list`");
  return std::move(*row);
}

std::string kinds_of_source() {
  std::string text = "give file, rows or events, or what is polled:";
  for (const auto& kind : idp::feed_kinds()) text.append(" ").append(kind.name);
  return text;
}

Error under_way(const port::SourceRow& row) {
  return {Errc::conflict, "what its last list changes is still being carried out, or waits for a person",
          "source " + row.name, "decide the hold where there is one, and try again later"};
}

/// What was inferred from a source that fails waits for it (R16), and would wait no more were the source gone.
Result<void> check_frozen(port::Reader& reader, const port::SourceRow& row) {
  if (row.failing_since.micros == 0) return {};
  for (std::optional<ResourceId> after;;) {
    DEPROV_TRY(page, reader.subjects_with_grants(row.scope, after, 500));
    for (const auto& subject : page.rows) {
      DEPROV_TRY(said, reader.grants(row.scope, subject));
      const bool inferred = std::any_of(said.begin(), said.end(), [&](const auto& g) {
        return g.source == row.id && g.says == idp::Says::absent;
      });
      if (!inferred) continue;
      DEPROV_TRY(jobs, reader.jobs(row.scope, {subject, std::nullopt, false, true}, std::nullopt, 10));
      const bool waits = std::any_of(jobs.rows.begin(), jobs.rows.end(), [](const auto& j) {
        return j.kind == port::JobKind::remove_access && j.cause != idp::Cause::manual;
      });
      if (waits)
        return Error(Errc::conflict, "the source fails, and removals that were inferred from it wait for that",
                     "source " + row.name + ", subject " + subject.str(),
                     "hand in a complete list, or cancel these jobs (`deprov jobs list`), and remove it then");
    }
    if (!page.more || page.rows.empty()) return {};
    after = page.rows.back();
  }
}

/// Gives up what got nothing for long.
void look_at_idle(const std::shared_ptr<Engine::Impl>& impl) {
  const auto now = impl->ports.clock.mono();
  std::erase_if(impl->syncs,
                [&](const auto& s) { return !s.second->ended() && now - s.second->touched() >= idle; });
}

/// While there are lists, whether anybody begins another one or not: each holds what it was given.
void keep_looking(const std::shared_ptr<Engine::Impl>& impl) {
  if (std::exchange(impl->looks_at_syncs, true)) return;
  const std::weak_ptr<Engine::Impl> weak = impl;
  impl->ports.executor.post_at(impl->ports.clock.mono() + idle, [weak] {
    const auto engine = weak.lock();
    if (!engine || engine->closing) return;
    engine->looks_at_syncs = false;
    look_at_idle(engine);
    if (!engine->syncs.empty()) keep_looking(engine);
  });
}

Result<std::shared_ptr<SourceSync>> find_list(const std::shared_ptr<Engine::Impl>& impl, const Principal& by,
                                              WorkId list) {
  const auto it = impl->syncs.find(list.value);
  if (it == impl->syncs.end() || it->second->scope().workspace != by.workspace)
    return Error(Errc::not_found, "no such list is being read here", "list " + list.str(),
                 "it ended, was given up, or the program was started anew meanwhile: a list that did not come "
                 "to its end is lost, and changes nothing; begin another one");
  return it->second;
}

void pieces_removed(const std::shared_ptr<Engine::Impl>& impl, const port::Scope& scope, SourceId source,
                    Done<void> done) {
  impl->decide(
      [impl, scope, source](port::Reader&) -> Result<port::Transaction> {
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PruneSourcePieces{scope, source, 0, 0, pruned_at_once});
        return txn;
      },
      [impl, scope, source, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        const bool more = committed->pieces_pruned.empty() || committed->pieces_pruned.front() == pruned_at_once;
        if (more) return pieces_removed(impl, scope, source, std::move(done));
        done({});
      });
}

/// The row, and whom it was to be read again for: there is nobody left to ask.
void row_removed(const std::shared_ptr<Engine::Impl>& impl, const Principal& by, const port::Scope& scope,
                 SourceId source, Done<void> done) {
  auto more = std::make_shared<bool>(false);
  impl->decide(
      [impl, by, scope, source, more](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, load_source(reader, scope, source));
        if (!row.work.is_nil()) return under_way(row);
        DEPROV_CHECK(check_frozen(reader, row));
        DEPROV_TRY(hinted, reader.subjects_to_reread(scope, source, std::nullopt, hints_at_once));
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        for (const auto& subject : hinted.rows) {
          DEPROV_TRY(known, reader.subject(scope, subject));
          txn.reads.subjects.push_back({scope, subject, known ? known->grants_version : 0});
          txn.ops.emplace_back(port::op::RemoveGrants{scope, subject, source});
        }
        *more = hinted.more;
        if (*more) return txn;
        txn.ops.emplace_back(port::op::RemoveSource{scope, source});
        txn.ops.emplace_back(
            impl->activity(scope, "source.removed", by.actor(), {{"source", source.str()}, {"name", row.name}}));
        return txn;
      },
      [impl, by, scope, source, more, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        if (*more) return row_removed(impl, by, scope, source, std::move(done));
        impl->events->forget(source);
        impl->notify(scope);
        done({});
      });
}

}  // namespace

Sources Engine::sources() const { return Sources(impl_); }

void Sources::add(Principal by, IntegrationId id, AddSource what, Done<port::SourceRow> done) {
  const auto impl = impl_;
  const auto refuse = [&](const Error& error) { finish<port::SourceRow>(impl, std::move(done), error); };
  if (auto ok = require_integrations(by); !ok) return refuse(ok.error());
  if (auto ok = check_name(what.name, "name"); !ok) return refuse(ok.error());
  const bool polled = idp::find_feed_kind(what.kind) != nullptr;
  const bool events = what.kind == event_source_kind;
  if (!polled && !events && what.kind != "file" && what.kind != "rows")
    return refuse(Error(Errc::invalid_argument, "there is no such kind of source", "kind", kinds_of_source()));
  port::SourceRow row;
  row.scope = {by.workspace, id};
  row.id = impl->new_id<SourceId>();
  row.name = std::move(what.name);
  row.kind = std::move(what.kind);
  row.created = impl->now();
  if (polled || (events && what.config.contains("poll"))) row.due = row.created;
  idp::FingerprintKey key;
  impl->ports.random.fill(key.bytes);
  if (auto ok = put_config(*impl, row, std::move(what.config), key); !ok) return refuse(ok.error());
  impl->decide(
      [impl, by, row](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(integration, load_integration(reader, by, row.scope.integration));
        DEPROV_TRY(sources, reader.sources(row.scope));
        for (const auto& s : sources)
          if (s.name == row.name)
            return Error(Errc::conflict, "the integration has a source of that name", "name", "give another name");
        if (sources.size() >= max_sources)
          return Error(Errc::limit_exceeded, "the integration has 20 sources already", "sources");
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.reads.integrations.push_back({row.scope, integration.version});
        // From now on decisions look at what sources said. Every time: of two that are added at once, the second
        // one looks again, for the name and the number.
        integration.sources = true;
        txn.ops.emplace_back(port::op::PutIntegration{std::move(integration)});
        txn.ops.emplace_back(impl->activity(row.scope, "source.added", by.actor(),
                                            {{"source", row.id.str()}, {"name", row.name}, {"kind", row.kind}}));
        txn.ops.emplace_back(port::op::PutSource{row});
        return txn;
      },
      [impl, row, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        ++row.version;
        make_current(impl, row.scope, std::nullopt, [impl, row, done = std::move(done)]() mutable {
          impl->events->put(row);
          impl->notify(row.scope);
          done(std::move(row));
        });
      });
}

void Sources::list(Principal by, IntegrationId id, Done<std::vector<port::SourceRow>> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok)
    return finish<std::vector<port::SourceRow>>(impl, std::move(done), ok.error());
  auto rows = std::make_shared<std::vector<port::SourceRow>>();
  impl->ports.store.view(
      [by, id, rows](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(integration, load_integration(reader, by, id));
        DEPROV_TRY(found, reader.sources(integration.scope));
        *rows = std::move(found);
        return {};
      },
      [impl, rows, done = std::move(done)](Result<void> read) mutable {
        if (!read) return finish<std::vector<port::SourceRow>>(impl, std::move(done), read.error());
        finish<std::vector<port::SourceRow>>(impl, std::move(done), std::move(*rows));
      });
}

void Sources::remove(Principal by, IntegrationId id, SourceId source, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  const port::Scope scope{by.workspace, id};
  // Its list first: a source without one is whole, and one whose removal broke off is removed again.
  impl->decide(
      [impl, by, scope, source](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_CHECK(load_integration(reader, by, scope.integration));
        DEPROV_TRY(row, load_source(reader, scope, source));
        if (!row.work.is_nil()) return under_way(row);
        DEPROV_CHECK(check_frozen(reader, row));
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        row.generation = row.base = row.users = 0;
        row.places = 0;
        row.header.clear();
        txn.ops.emplace_back(port::op::PutSource{std::move(row)});
        return txn;
      },
      [impl, by, scope, source, done = std::move(done)](Result<port::Committed> forgotten) mutable {
        if (!forgotten) return done(forgotten.error());
        pieces_removed(impl, scope, source,
                       [impl, by, scope, source, done = std::move(done)](Result<void> removed) mutable {
                         if (!removed) return done(removed);
                         row_removed(impl, by, scope, source, std::move(done));
                       });
      });
}

void Sources::begin(Principal by, IntegrationId id, SourceId source, BeginList how, Done<WorkId> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<WorkId>(impl, std::move(done), ok.error());
  struct Begun {
    std::optional<port::SourceRow> row;
    SourceConfig config;
  };
  auto begun = std::make_shared<Begun>();
  const auto config = how.ad_hoc;
  impl->ports.store.view(
      [by, id, source, config, begun, at = how.begun](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(integration, load_integration(reader, by, id));
        if (config) {
          DEPROV_TRY(parsed, parse_source_config(*config));
          begun->config = std::move(parsed);
          return {};
        }
        DEPROV_TRY(row, load_source(reader, integration.scope, source));
        if (idp::find_feed_kind(row.kind) != nullptr)
          return Error(Errc::invalid_argument, "it is polled; lists are not handed in to it", "source " + row.name,
                       "read it now with `deprov source sync`");
        if (row.kind == event_source_kind)
          return Error(Errc::invalid_argument, "events come to this source, and no lists", "source " + row.name);
        if (!row.work.is_nil()) return under_way(row);
        if (at && *at < row.begun)
          return Error(Errc::conflict, "a list that was read later is its last one", "source " + row.name,
                       "hand in a list that was read after " + to_rfc3339(row.begun));
        DEPROV_TRY(parsed, stored_config(row));
        begun->config = std::move(parsed);
        begun->row = std::move(row);
        return {};
      },
      [impl, by, id, how, begun, done = std::move(done)](Result<void> read) mutable {
        impl->ports.executor.post([impl, by, id, how, begun, read, done = std::move(done)]() mutable {
          if (!read) return done(read.error());
          if (impl->closing) return done(Error(Errc::closed, "the engine is shutting down"));
          look_at_idle(impl);
          const port::Scope scope{by.workspace, id};
          if (begun->row) {
            std::erase_if(impl->syncs, [&](const auto& s) {
              return s.second->scope() == scope && s.second->source() == begun->row->id && !s.second->ended();
            });
          }
          if (impl->syncs.size() >= max_lists)
            return done(Error(Errc::busy, "8 lists are being read", "list", "try again in a minute"));
          const auto own = std::count_if(impl->syncs.begin(), impl->syncs.end(), [&](const auto& s) {
            return s.second->scope().workspace == by.workspace;
          });
          if (static_cast<std::size_t>(own) >= max_lists_of_one)
            return done(Error(Errc::busy, "4 lists of this workspace are being read", "list",
                              "end one of them, or give it up, or try again in a minute"));
          auto sync = std::make_shared<SourceSync>(impl, by.actor(), scope, how);
          impl->syncs.emplace(sync->id().value, sync);
          keep_looking(impl);
          const bool stored = begun->row && !how.dry_run;
          sync->begin(
              std::move(begun->row), std::move(begun->config),
              [impl, by, scope, sync, stored, done = std::move(done)](Result<void> ready) mutable {
                if (!ready) {
                  impl->syncs.erase(sync->id().value);
                  return done(ready.error());
                }
                if (!stored) return done(sync->id());
                impl->decide(
                    [impl, by, scope, sync](port::Reader&) -> Result<port::Transaction> {
                      port::Transaction txn;
                      txn.id = impl->new_id<TxnId>();
                      txn.ops.emplace_back(
                          impl->activity(scope, "source.sync_started", by.actor(),
                                         {{"source", sync->source().str()}, {"list", sync->id().str()}}));
                      return txn;
                    },
                    [impl, scope, sync, done = std::move(done)](Result<port::Committed> committed) mutable {
                      if (!committed) {
                        impl->syncs.erase(sync->id().value);
                        return done(committed.error());
                      }
                      impl->notify(scope);
                      done(sync->id());
                    });
              });
        });
      });
}

void Sources::feed(Principal by, WorkId list, std::uint64_t offset, std::string bytes, Done<std::uint64_t> done) {
  const auto impl = impl_;
  impl->ports.executor.post([impl, by, list, offset, bytes = std::move(bytes), done = std::move(done)]() mutable {
    if (auto ok = require_integrations(by); !ok) return done(ok.error());
    auto sync = find_list(impl, by, list);
    if (!sync) return done(sync.error());
    if (bytes.size() > max_bytes)
      return done(
          Error(Errc::limit_exceeded, "more than " + std::to_string(max_bytes) + " bytes at once", "bytes"));
    done((*sync)->feed(offset, bytes));
  });
}

void Sources::add_users(Principal by, WorkId list, std::uint64_t offset, std::vector<SourceUser> users,
                        Done<std::uint64_t> done) {
  const auto impl = impl_;
  impl->ports.executor.post([impl, by, list, offset, users = std::move(users), done = std::move(done)]() mutable {
    if (auto ok = require_integrations(by); !ok) return done(ok.error());
    auto sync = find_list(impl, by, list);
    if (!sync) return done(sync.error());
    if (users.size() > max_users)
      return done(
          Error(Errc::limit_exceeded, "more than " + std::to_string(max_users) + " users at once", "users"));
    done((*sync)->add(offset, users));
  });
}

void Sources::end(Principal by, WorkId list, std::optional<std::uint64_t> count, Done<json::object> done) {
  const auto impl = impl_;
  impl->ports.executor.post([impl, by, list, count, done = std::move(done)]() mutable {
    if (auto ok = require_integrations(by); !ok) return done(ok.error());
    auto sync = find_list(impl, by, list);
    if (!sync) return done(sync.error());
    (*sync)->end(count, [impl, list, done = std::move(done)](Result<json::object> report) mutable {
      impl->syncs.erase(list.value);
      done(std::move(report));
    });
  });
}

void Sources::give_up(Principal by, WorkId list, std::string failure, Done<void> done) {
  const auto impl = impl_;
  impl->ports.executor.post([impl, by, list, failure = std::move(failure), done = std::move(done)]() mutable {
    if (auto ok = require_integrations(by); !ok) return done(ok.error());
    auto sync = find_list(impl, by, list);
    if (!sync) return done(sync.error());
    if (!failure.empty())
      if (auto ok = check_reason(failure); !ok) return done(ok.error());
    if ((*sync)->ended())  // it is compared and stored by now, and says itself what comes of that
      return done(
          Error(Errc::conflict, "the list has ended", "list " + list.str(), "wait for what its end answers"));
    impl->syncs.erase(list.value);
    if (failure.empty()) return done({});
    (*sync)->fail(Error(Errc::unavailable, failure, "the list"), [done = std::move(done)]() mutable { done({}); });
  });
}

void Sources::poll(Principal by, IntegrationId id, SourceId source, PollSource how, Done<json::object> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<json::object>(impl, std::move(done), ok.error());
  impl->ports.store.view(
      [by, id, source](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(integration, load_integration(reader, by, id));
        DEPROV_TRY(row, load_source(reader, integration.scope, source));
        if (row.kind == event_source_kind)
          return Error(Errc::invalid_argument, "it has no list to read: events come to it", "source " + row.name,
                       "where they are fetched, `next_poll` says when");
        if (idp::find_feed_kind(row.kind) == nullptr)
          return Error(Errc::invalid_argument, "it is not polled; its lists are handed in", "source " + row.name,
                       "give the list: `deprov source sync --file`");
        return {};
      },
      [impl, by, id, source, how, done = std::move(done)](Result<void> read) mutable {
        impl->ports.executor.post([impl, by, id, source, how, read, done = std::move(done)]() mutable {
          if (!read) return done(read.error());
          impl->polls->poll({by.workspace, id}, source, by.actor(), how, std::move(done));
        });
      });
}

void Sources::reread(Principal by, IntegrationId id, SourceHint what, Done<std::size_t> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<std::size_t>(impl, std::move(done), ok.error());
  impl->ports.store.view(
      [by, id](port::Reader& reader) -> Result<void> {
        DEPROV_CHECK(load_integration(reader, by, id));
        return {};
      },
      [impl, by, id, what = std::move(what), done = std::move(done)](Result<void> read) mutable {
        impl->ports.executor.post([impl, by, id, what = std::move(what), read, done = std::move(done)]() mutable {
          if (!read) return done(read.error());
          impl->polls->reread({by.workspace, id}, std::move(what), std::move(done));
        });
      });
}

}  // namespace deprov::engine
