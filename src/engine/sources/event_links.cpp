// Whom the identifiers of a transmitter mean, as a person says (R12).
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>
#include "engine/management.hpp"
#include "engine/sources/event_receiver.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t most_links = 10'000;
constexpr std::size_t longest = 1024;

/// The config with that link; its secrets are elsewhere.
Result<std::string> with_link(const port::SourceRow& row, ResourceId subject, const std::string& identifier) {
  boost::system::error_code ec;
  auto config = json::parse(row.config, ec);
  if (ec || !config.is_object())
    return Error(Errc::store_corrupt, "the stored config does not parse", "source " + row.id.str(),
                 "restore the store from a backup");
  auto& links = config.get_object()["links"];
  if (!links.is_object()) links = json::object{};
  if (identifier.empty()) {
    links.get_object().erase(subject.str());
  } else {
    links.get_object()[subject.str()] = identifier;
  }
  if (links.get_object().size() > most_links)
    return Error(Errc::limit_exceeded, "a source has at most 10,000 links", "links");
  DEPROV_CHECK(parse_event_config(config.get_object(), {}));
  return json::serialize(config);
}

}  // namespace

void Events::link(Principal by, IntegrationId id, SourceId source, ResourceId subject, std::string identifier,
                  Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  if (identifier.size() > longest)
    return finish<void>(impl, std::move(done),
                        Error(Errc::invalid_argument, "an identifier has at most 1024 bytes", "identifier"));
  const port::Scope scope{by.workspace, id};
  auto put = std::make_shared<port::SourceRow>();
  auto named = std::make_shared<bool>(false);
  impl->decide(
      [impl, by, scope, source, subject, identifier, put,
       named](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(integration, load_integration(reader, by, scope.integration));
        DEPROV_TRY(row, reader.source(scope, source));
        if (!row)
          return Error(Errc::not_found, "the integration has no such source", "source " + source.str(),
                       "list them with `deprov source list`");
        if (row->kind != event_source_kind)
          return Error(Errc::conflict, "no events come to this source", "source " + row->name);
        DEPROV_CHECK(load_subject(reader, scope, subject));
        DEPROV_TRY(config, with_link(*row, subject, identifier));
        row->config = std::move(config);
        DEPROV_TRY(unlinked, read_unlinked(reader, scope, source));
        const auto quoted = json::serialize(json::string(identifier));
        const auto gone = std::erase_if(unlinked, [&](const UnlinkedSubject& u) {
          return !identifier.empty() && u.subject.find(quoted) != std::string::npos;
        });
        *named = gone != 0;
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutIntegration{std::move(integration)});  // other engines look again
        if (gone != 0) txn.ops.emplace_back(put_unlinked(scope, source, unlinked));
        txn.ops.emplace_back(
            impl->activity(scope, identifier.empty() ? "source.unlinked" : "source.linked", by.actor(),
                           {{"source", source.str()}, {"name", row->name}, {"identifier", identifier}}, subject));
        *put = *row;
        ++put->version;
        txn.ops.emplace_back(port::op::PutSource{std::move(*row)});
        return txn;
      },
      [impl, scope, subject, put, named,
       done = std::move(done)](const Result<port::Committed>& committed) mutable {
        if (!committed) return done(committed.error());
        // What was said of them is not said again: who can be asked is (R5).
        if (*named && impl->on_hint) impl->on_hint(scope, {subject});
        make_current(impl, scope, std::nullopt, [impl, scope, put, done = std::move(done)]() mutable {
          impl->events->put(*put);
          impl->notify(scope);
          done({});
        });
      });
}

}  // namespace deprov::engine
