// Webhooks: who is told what happens, and with which secret it is signed.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <deprov/engine/webhook_signature.hpp>
#include <deprov/http/authorities.hpp>
#include <utility>
#include "engine/courier.hpp"
#include "engine/management.hpp"

namespace deprov::engine {

namespace {

constexpr std::size_t max_webhooks = 50;  // of a workspace
constexpr std::size_t max_url = 2048;
constexpr Duration longest_secret_overlap = std::chrono::hours(24 * 30);

Result<void> check_url(const std::string& url) {
  const auto bad = [](std::string why, std::string advice = {}) {
    return Error(Errc::invalid_argument, std::move(why), "url", std::move(advice));
  };
  if (url.size() > max_url)
    return bad("the URL has " + std::to_string(url.size()) + " bytes", "give at most 2048");
  const auto parsed = boost::urls::parse_uri(url);
  // A host that begins like an IPv4 address and goes on as a name ends too early for this parser.
  const bool whole = parsed && (parsed->encoded_path().empty() || parsed->encoded_path().front() == '/');
  if (!whole || parsed->host().empty()) return bad("has to be a URL such as https://alerts.example.com/deprov");
  if (parsed->has_userinfo())
    return bad("must not have a user name or password in it", "the signature says who sends");
  if (parsed->has_fragment()) return bad("must not have a fragment");
  const std::string port(parsed->port());  // digits; `port_number` wraps around
  if (!port.empty() && (port.size() > 5 || std::stoul(port) - 1 >= 65535))
    return bad("has no port that there is", "ports are from 1 to 65535");
  if (parsed->scheme_id() == boost::urls::scheme::https) return {};
  const auto host = parsed->host();
  const bool own = host == "localhost" || host == "127.0.0.1" || host == "[::1]";
  if (parsed->scheme_id() == boost::urls::scheme::http && own) return {};
  return bad("has to begin with https://", "http:// is for localhost alone");
}

Result<void> check_ca(const std::string& pem) {
  if (pem.empty()) return {};
  const auto ok = http::check_authorities(pem);
  if (ok) return {};
  return Error(ok.error().code(), ok.error().detail(), "ca_pem", ok.error().advice());
}

std::string new_secret(const Ports& ports) {
  std::array<std::uint8_t, 32> bytes{};
  ports.random.fill(bytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<port::WebhookRow> load_webhook(port::Reader& reader, const Principal& by, WebhookId id) {
  DEPROV_TRY(rows, reader.webhooks(by.workspace));
  for (auto& row : rows)
    if (row.id == id) return std::move(row);
  return Error(Errc::not_found, "there is no such webhook", "webhook " + id.str(),
               "list them with `deprov webhook list`");
}

/// Where its acts are recorded: with the integration that it is for, or with the workspace.
port::Scope chain_of(const port::WebhookRow& row) { return {row.workspace, row.integration}; }

json::object webhook_detail(const port::WebhookRow& row) {
  return {{"webhook", row.id.str()},
          {"name", row.name},
          {"url", row.url},
          {"events", row.events},
          {"own_authorities", !row.ca_pem.empty()}};
}

}  // namespace

void Engine::create_webhook(Principal by, CreateWebhook what, Done<CreatedWebhook> done) {
  const auto impl = impl_;
  const auto refuse = [&](const Error& error) { finish<CreatedWebhook>(impl, std::move(done), error); };
  if (auto ok = require_integrations(by); !ok) return refuse(ok.error());
  if (auto ok = check_name(what.name, "name"); !ok) return refuse(ok.error());
  if (auto ok = check_url(what.url); !ok) return refuse(ok.error());
  if (auto ok = check_ca(what.ca_pem); !ok) return refuse(ok.error());
  port::WebhookRow row;
  row.workspace = by.workspace;
  row.id = impl->new_id<WebhookId>();
  row.integration = what.integration.value_or(IntegrationId{});
  row.name = std::move(what.name);
  row.url = std::move(what.url);
  row.ca_pem = std::move(what.ca_pem);
  for (const auto type : what.events) {
    if (!row.events.empty()) row.events += ",";
    row.events += to_string(type);
  }
  row.created = impl->now();
  const auto secret = new_secret(impl->ports);
  auto sealed = seal_secrets(*impl, row, {secret, {}, {}});
  if (!sealed) return refuse(sealed.error());
  row.secrets = std::move(*sealed);
  // In the writer: it hears of what comes after this transaction, and of nothing before.
  impl->ports.store.transact(
      [impl, by, row](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_CHECK(require_workspace(reader, by));
        if (!row.integration.is_nil()) DEPROV_CHECK(load_integration(reader, by, row.integration));
        DEPROV_TRY(present, reader.webhooks(by.workspace));
        if (present.size() >= max_webhooks) {
          return Error(Errc::limit_exceeded, "the workspace has " + std::to_string(present.size()) + " webhooks",
                       {}, "remove one first; at most 50 are kept");
        }
        for (const auto& other : present)
          if (other.name == row.name)
            return Error(Errc::conflict, "there is a webhook \"" + row.name + "\" already", "name",
                         "choose another name");
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutWebhook{row});
        std::vector<port::Scope> chains{{row.workspace, {}}};
        DEPROV_TRY(integrations, reader.integrations_ever(by.workspace));
        for (const auto& i : integrations)
          if (row.integration.is_nil() || row.integration == i.scope.integration) chains.push_back(i.scope);
        for (const auto& chain : chains) {
          DEPROV_TRY(head, reader.activity_head(chain));
          if (head != 0)
            txn.ops.emplace_back(port::op::MoveWebhookCursor{{row.workspace, row.id, chain.integration, head}, 0});
        }
        txn.ops.emplace_back(impl->activity(chain_of(row), "webhook.added", by.actor(), webhook_detail(row)));
        return txn;
      },
      [impl, row, secret, done = std::move(done)](Result<port::Committed> committed) mutable {
        impl->ports.executor.post(
            [impl, row, secret, done = std::move(done), committed = std::move(committed)]() mutable {
              if (!committed) return done(committed.error());
              ++row.version;
              if (impl->started && impl->options.background) impl->courier->put(row);
              impl->notify(chain_of(row));
              done(CreatedWebhook{row, webhook_secret_text(secret)});
            });
      });
}

void Engine::rotate_webhook_secret(Principal by, WebhookId id, Duration overlap, Done<std::string> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<std::string>(impl, std::move(done), ok.error());
  if (overlap < Duration(0) || overlap > longest_secret_overlap) {
    return finish<std::string>(impl, std::move(done),
                               Error(Errc::invalid_argument, "the overlap has to be between 0 and 30 days",
                                     "overlap", "give fewer seconds"));
  }
  const auto secret = new_secret(impl->ports);
  auto changed = std::make_shared<port::WebhookRow>();
  impl->decide(
      [impl, by, id, secret, overlap, changed](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, load_webhook(reader, by, id));
        const auto ends = impl->now() + overlap;
        WebhookSecrets secrets{secret, {}, {}};
        if (overlap > Duration(0)) {
          // What cannot be opened any more cannot be good for a while longer either.
          if (auto former = open_secrets(*impl, row)) {
            secrets.previous = std::move(former->current);
            secrets.previous_until = ends;
          }
        }
        DEPROV_TRY(sealed, seal_secrets(*impl, row, secrets));
        row.secrets = std::move(sealed);
        *changed = row;
        ++changed->version;
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutWebhook{row});
        txn.ops.emplace_back(
            impl->activity(chain_of(row), "webhook.secret_rotated", by.actor(),
                           {{"webhook", id.str()}, {"name", row.name}, {"old_secret_ends", to_rfc3339(ends)}}));
        return txn;
      },
      [impl, secret, changed, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        if (impl->started && impl->options.background) impl->courier->put(*changed);
        impl->notify(chain_of(*changed));
        done(webhook_secret_text(secret));
      });
}

void Engine::set_webhook_authorities(Principal by, WebhookId id, std::string ca_pem, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  if (auto ok = check_ca(ca_pem); !ok) return finish<void>(impl, std::move(done), ok.error());
  auto changed = std::make_shared<port::WebhookRow>();
  impl->decide(
      [impl, by, id, ca_pem = std::move(ca_pem), changed](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, load_webhook(reader, by, id));
        row.ca_pem = ca_pem;
        *changed = row;
        ++changed->version;
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutWebhook{row});
        txn.ops.emplace_back(impl->activity(chain_of(row), "webhook.updated", by.actor(), webhook_detail(row)));
        return txn;
      },
      [impl, changed, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        if (impl->started && impl->options.background) impl->courier->put(*changed);
        impl->notify(chain_of(*changed));
        done({});
      });
}

void Engine::resend_deliveries(Principal by, WebhookId id, ResendDeliveries what, Done<std::uint64_t> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<std::uint64_t>(impl, std::move(done), ok.error());
  auto count = std::make_shared<std::uint64_t>(0);
  auto chain = std::make_shared<port::Scope>();
  impl->decide(
      [impl, by, id, what, count, chain](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, load_webhook(reader, by, id));
        *chain = chain_of(row);
        *count = 0;
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        const auto now = impl->now();
        std::optional<DeliveryId> before;
        for (bool more = true; more;) {
          DEPROV_TRY(page, reader.deliveries(by.workspace, id, std::nullopt, before, 20));
          for (auto& delivery : page.rows) {
            before = delivery.id;
            const bool dead = delivery.state == port::DeliveryState::dead;
            if (what.message ? delivery.id != *what.message : !dead || delivery.created < what.since) continue;
            if (!dead) {
              return Error(Errc::conflict,
                           delivery.state == port::DeliveryState::pending ? "the message is on its way"
                                                                          : "the message was delivered",
                           "message " + message_id(delivery.id), "only what was given up is sent again");
            }
            delivery.state = port::DeliveryState::pending;
            delivery.due = delivery.resent = now;
            delivery.finished = {};
            delivery.attempts = 0;
            txn.ops.emplace_back(port::op::PutDelivery{std::move(delivery)});
            ++*count;
          }
          more = page.more && !page.rows.empty();
        }
        if (what.message && *count == 0) {
          return Error(Errc::not_found, "there is no such message", "message " + message_id(*what.message),
                       "list them with `deprov webhook show`");
        }
        if (*count == 0) return port::Transaction{};
        json::object detail{{"webhook", id.str()}, {"name", row.name}, {"messages", *count}};
        if (what.message) {
          detail["delivery"] = what.message->str();
        } else {
          detail["since"] = to_rfc3339(what.since);
        }
        txn.ops.emplace_back(impl->activity(*chain, "webhook.resent", by.actor(), detail));
        return txn;
      },
      [impl, id, count, chain, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        if (*count != 0) {
          impl->courier->again(id);
          impl->notify(*chain);
        }
        done(*count);
      });
}

void Engine::remove_webhook(Principal by, WebhookId id, Done<void> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<void>(impl, std::move(done), ok.error());
  auto gone = std::make_shared<port::WebhookRow>();
  impl->decide(
      [impl, by, id, gone](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, load_webhook(reader, by, id));
        *gone = row;
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::RemoveWebhook{by.workspace, id});
        txn.ops.emplace_back(impl->activity(chain_of(row), "webhook.removed", by.actor(), webhook_detail(row)));
        return txn;
      },
      [impl, id, gone, done = std::move(done)](Result<port::Committed> committed) mutable {
        if (!committed) return done(committed.error());
        impl->courier->forget(id);
        impl->notify(chain_of(*gone));
        done({});
      });
}

// Sent at once and once, beside the order of the others, so that whoever asks sees the answer.
void Engine::test_webhook(Principal by, WebhookId id, Done<WebhookTest> done) {
  const auto impl = impl_;
  if (auto ok = require_integrations(by); !ok) return finish<WebhookTest>(impl, std::move(done), ok.error());
  auto row = std::make_shared<port::WebhookRow>();
  view(
      [by, id, row](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(found, load_webhook(reader, by, id));
        *row = std::move(found);
        return {};
      },
      [impl, by, row, done = std::move(done)](Result<void> read) mutable {
        if (!read) return done(read.error());
        const auto now = impl->now();
        const auto message = impl->new_id<DeliveryId>();
        Notification test;
        test.type = NotificationType::webhook_test;
        test.scope = chain_of(*row);
        test.at = now;
        test.actor = by.actor();
        auto event = to_json(test);
        event["id"] = message.str();
        auto request = webhook_request(*impl, *row, message_id(message),
                                       json::serialize(webhook_message(*row, now, {std::move(event)}, 0)));
        if (!request) return done(request.error());
        const auto began = impl->ports.clock.mono();
        impl->ports.http.send(
            std::move(*request), [impl, by, row, began, done = std::move(done)](port::HttpResult result) mutable {
              impl->ports.executor.post(
                  [impl, by, row, began, result = std::move(result), done = std::move(done)]() mutable {
                    WebhookTest came;
                    const auto why = refusal(result);
                    came.delivered = !why;
                    came.status = result.response ? result.response->status : 0;
                    came.error = why.value_or("");
                    came.took = impl->ports.clock.mono() - began;
                    impl->decide(
                        [impl, by, row, came](port::Reader&) -> Result<port::Transaction> {
                          port::Transaction txn;
                          txn.id = impl->new_id<TxnId>();
                          txn.ops.emplace_back(impl->activity(chain_of(*row), "webhook.tested", by.actor(),
                                                              {{"webhook", row->id.str()},
                                                               {"name", row->name},
                                                               {"delivered", came.delivered},
                                                               {"reason", came.error}}));
                          return txn;
                        },
                        [impl, row, came, done = std::move(done)](Result<port::Committed> committed) mutable {
                          if (!committed) return done(committed.error());
                          impl->notify(chain_of(*row));
                          done(came);
                        });
                  });
            });
      });
}

}  // namespace deprov::engine
