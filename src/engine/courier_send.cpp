// One message on its way: signed, sent, and what its answer means.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deprov/config.hpp>
#include <deprov/engine/webhook_signature.hpp>
#include <deprov/http/retry_after.hpp>
#include <utility>
#include "engine/courier.hpp"
#include "engine/sources/http_failure.hpp"
#include "jobs/backoff.hpp"

namespace deprov::engine {

namespace {

constexpr Duration longest_wait = std::chrono::hours(6);

const policy::Retry retry{std::chrono::seconds(5), longest_wait};

std::string seal_context(const port::WebhookRow& row) {
  return row.workspace.str() + "|webhook." + row.id.str() + "|secret";
}

Error unreadable(const port::WebhookRow& row) {
  return {Errc::store_corrupt, "the stored secrets do not parse", "webhook " + row.id.str(),
          "give it a new secret with `deprov webhook rotate-secret`"};
}

}  // namespace

std::vector<NotificationType> wanted_of(const port::WebhookRow& row) {
  std::vector<NotificationType> wanted;
  for (std::size_t at = 0; at < row.events.size();) {
    const auto comma = std::min(row.events.find(',', at), row.events.size());
    if (const auto type = parse_notification_type(std::string_view(row.events).substr(at, comma - at)))
      wanted.push_back(*type);
    at = comma + 1;
  }
  return wanted;
}

std::string message_id(DeliveryId id) { return "msg_" + id.str(); }

json::object webhook_message(const port::WebhookRow& row, WallTime now, json::array events,
                             std::uint64_t skipped) {
  return {{"type", "deprov.events"},
          {"timestamp", to_rfc3339(now)},
          {"data", json::object{{"workspace", row.workspace.str()},
                                {"webhook", row.id.str()},
                                {"skipped", skipped},
                                {"events", std::move(events)}}}};
}

Result<std::string> seal_secrets(Engine::Impl& engine, const port::WebhookRow& row,
                                 const WebhookSecrets& secrets) {
  DEPROV_TRY(current, engine.seal_text(seal_context(row), secrets.current));
  json::object o{{"current", std::move(current)}};
  if (!secrets.previous.empty()) {
    DEPROV_TRY(previous, engine.seal_text(seal_context(row), secrets.previous));
    o["previous"] = previous;
    o["previous_until"] = secrets.previous_until.micros;
  }
  return json::serialize(o);
}

Result<WebhookSecrets> open_secrets(Engine::Impl& engine, const port::WebhookRow& row) {
  boost::system::error_code ec;
  const auto value = json::parse(row.secrets, ec);
  const auto* o = ec ? nullptr : value.if_object();
  const auto* current = o != nullptr ? o->if_contains("current") : nullptr;
  if (current == nullptr || !current->is_string()) return unreadable(row);
  WebhookSecrets secrets;
  DEPROV_TRY(plain, engine.unseal_text(seal_context(row), current->get_string(), "webhook " + row.id.str()));
  secrets.current = std::move(plain);
  const auto* previous = o->if_contains("previous");
  const auto* until = o->if_contains("previous_until");
  if (previous == nullptr || until == nullptr) return secrets;
  if (!previous->is_string() || !until->is_int64()) return unreadable(row);
  DEPROV_TRY(former, engine.unseal_text(seal_context(row), previous->get_string(), "webhook " + row.id.str()));
  secrets.previous = std::move(former);
  secrets.previous_until = {until->get_int64()};
  return secrets;
}

Result<port::HttpRequest> webhook_request(Engine::Impl& engine, const port::WebhookRow& row, const std::string& id,
                                          std::string body) {
  DEPROV_TRY(secrets, open_secrets(engine, row));
  const auto now = engine.now();
  const auto seconds = now.micros / 1'000'000;
  const auto& crypto = engine.ports.crypto;
  auto signatures = webhook_signature(crypto, secrets.current, id, seconds, body);
  if (!secrets.previous.empty() && now < secrets.previous_until)
    signatures += " " + webhook_signature(crypto, secrets.previous, id, seconds, body);
  port::HttpRequest request;
  request.method = "POST";
  request.url = row.url;
  request.headers = {{"Content-Type", "application/json"},
                     {"User-Agent", std::string("deprov/") + DEPROV_VERSION},
                     {"webhook-id", id},
                     {"webhook-timestamp", std::to_string(seconds)},
                     {"webhook-signature", std::move(signatures)}};
  request.body = std::move(body);
  request.peer.ca_pem = row.ca_pem;
  request.timeout = Courier::answer_time;
  request.max_response_bytes = Courier::most_answer;
  return request;
}

std::optional<std::string> refusal(const port::HttpResult& result) {
  if (result.response && result.response->status >= 200 && result.response->status < 300) return std::nullopt;
  return exchange_failure(result);
}

void Courier::count(std::string_view result) {
  const std::lock_guard lock(engine_.metrics_mutex);
  ++engine_.counters.deliveries[std::string(result)];
}

void Courier::send(WebhookId id) {
  auto* e = find(id);
  e->busy = true;
  auto request = webhook_request(engine_, e->row, message_id(e->pending->id), e->pending->body);
  if (!request) {
    port::HttpResult none;
    none.failure.kind = port::HttpFailure::Kind::broken;
    none.failure.detail = request.error().message();
    return answered(id, none);
  }
  ++calls_;
  const auto weak = weak_from_this();
  // The transport may answer before it returns; that only posts.
  e->call = engine_.ports.http.send(std::move(*request),
                                    [weak, id, &executor = engine_.ports.executor](port::HttpResult result) {
                                      executor.post([weak, id, result = std::move(result)] {
                                        const auto self = weak.lock();
                                        if (!self) return;
                                        --self->calls_;
                                        if (self->find(id) != nullptr) self->answered(id, result);
                                        self->finish_stop();
                                      });
                                    });
}

void Courier::answered(WebhookId id, const port::HttpResult& result) {
  auto* e = find(id);
  e->call.reset();
  if (!e->pending) {  // taken away and made anew meanwhile
    e->busy = false;
    return step(id);
  }
  const auto now = engine_.now();
  auto row = *e->pending;
  ++row.attempts;
  row.status = result.response ? result.response->status : 0;
  const auto why = refusal(result);
  if (!why) {
    count("delivered");
    row.state = port::DeliveryState::delivered;
    row.finished = now;
    row.error.clear();
    row.body.clear();
    return record(id, std::move(row));
  }
  row.error = *why;
  std::optional<Duration> wish;
  if (result.response) wish = http::retry_after(*result.response, now, longest_wait);
  row.due = now + jobs::backoff(retry, row.attempts, wish, engine_.ports.random);
  const bool again = row.resent.micros != 0;
  if (row.due - (again ? row.resent : row.created) > (again ? most_age_again : most_age)) {
    count("dead");
    row.state = port::DeliveryState::dead;
    row.finished = now;
  } else {
    count("failed");
  }
  record(id, std::move(row));
}

/// What cannot be stored is read again, and sent again: at least once.
void Courier::record(WebhookId id, port::DeliveryRow row) {
  auto* e = find(id);
  const auto weak = weak_from_this();
  const auto webhook = e->row;
  engine_.decide(
      [weak, row, webhook](port::Reader&) -> Result<port::Transaction> {
        port::Transaction txn;
        const auto self = weak.lock();
        if (!self) return txn;
        auto& engine = self->engine_;
        txn.id = engine.new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutDelivery{row});
        if (row.state == port::DeliveryState::pending) return txn;
        const bool dead = row.state == port::DeliveryState::dead;
        txn.ops.emplace_back(
            port::op::PruneDeliveries{row.workspace, row.webhook, row.state, dead ? dead_kept : delivered_kept});
        if (dead) {
          txn.ops.emplace_back(engine.activity({row.workspace, {}}, "webhook.dead", "engine",
                                               {{"webhook", row.webhook.str()},
                                                {"name", webhook.name},
                                                {"delivery", row.id.str()},
                                                {"events", row.events},
                                                {"attempts", row.attempts},
                                                {"reason", row.error}}));
        }
        return txn;
      },
      [weak, id, row](const Result<port::Committed>& committed) {
        const auto self = weak.lock();
        auto* mine = self ? self->find(id) : nullptr;
        if (mine == nullptr) return;
        mine->busy = false;
        if (!committed) {
          if (committed.error().code() == Errc::not_found) {
            self->endpoints_.erase(id);
            return;
          }
          mine->loaded = false;
          return self->later(id, store_again_after);
        }
        if (!committed->activity_seqs.empty()) self->engine_.notify({row.workspace, {}});
        if (row.state == port::DeliveryState::pending) {
          mine->pending = row;
          ++mine->pending->version;
        } else {
          mine->pending.reset();
          if (mine->behind != 0) mine->loaded = false;
        }
        self->step(id);
      });
}

}  // namespace deprov::engine
