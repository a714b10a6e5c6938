// Tokens that are fetched (RFC 8936). What is acknowledged is durable; what is neither acknowledged nor refused
// comes again.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <deprov/config.hpp>
#include <deprov/engine/notification.hpp>
#include <deprov/http/retry_after.hpp>
#include <deprov/scim/json.hpp>
#include <utility>
#include "engine/sources/event_receiver.hpp"
#include "engine/sources/event_stream.hpp"
#include "engine/sources/http_failure.hpp"
#include "jobs/backoff.hpp"

namespace deprov::engine {

namespace {
constexpr Duration poll_answer_time = std::chrono::seconds(30);
constexpr Duration longest_wait = std::chrono::hours(1);
constexpr Duration stored_again_after = std::chrono::seconds(60);
constexpr Duration heard_recently = std::chrono::minutes(5);
constexpr std::size_t most_poll_answer = std::size_t{16} << 20U;
const policy::Retry retry{std::chrono::seconds(5), longest_wait};

/// Of each tenth of a second one in five earlier or later, so that not all ask at once.
Duration jittered(Duration interval, port::Random& random) {
  std::array<std::uint8_t, 2> chance{};
  random.fill(chance);
  const auto share = (chance[0] << 8U | chance[1]) % 201;  // per mille
  return interval * (900 + share) / 1000;
}
}  // namespace

void EventReceivers::poll_later(const ReceiverPtr& r, Duration wait) {
  if (stopped_ || find(r->row.id) != r) return;
  if (r->poll.timer != 0) engine_.ports.executor.cancel(r->poll.timer);
  r->poll.timer = engine_.ports.executor.post_at(engine_.ports.clock.mono() + wait, [weak = weak_from_this(), r] {
    const auto self = weak.lock();
    if (!self) return;
    r->poll.timer = 0;
    self->poll(r);
  });
}

void EventReceivers::poll(const ReceiverPtr& r) {
  if (stopped_ || find(r->row.id) != r || r->poll.busy || !r->config->poll) return;
  const auto integration = r->row.scope.integration;
  if (!engine_.directory.find(integration) && !engine_.directory.fault(integration)) return forget(r->row.id);
  // Tokens that two engines fetched would count once all the same; the transmitter need not be asked twice.
  const auto lease = engine_.options.lane_lease;
  if (lease.count() != 0 && engine_.now() + lease / 2 >= r->poll.ours_until) return claim_poll(r);
  r->poll.busy = true;
  json::object body{{"maxEvents", r->config->poll->max_events}, {"returnImmediately", true}};
  if (!r->poll.ack.empty()) body["ack"] = json::array(r->poll.ack.begin(), r->poll.ack.end());
  if (!r->poll.refused.empty()) {
    json::object errors;
    for (const auto& [jti, refusal] : r->poll.refused)
      errors[jti] = json::object{{"err", idp::to_string(refusal.error)}, {"description", refusal.description}};
    body["setErrs"] = std::move(errors);
  }
  port::HttpRequest request;
  request.method = "POST";
  request.url = r->config->poll->url;
  request.headers = {{"Content-Type", "application/json"},
                     {"Accept", "application/json"},
                     {"User-Agent", std::string("deprov/") + DEPROV_VERSION}};
  if (body.contains("setErrs")) request.headers.push_back({"Content-Language", "en"});
  if (!r->config->poll_authorization.empty())
    request.headers.push_back({"Authorization", r->config->poll_authorization});
  request.body = json::serialize(body);
  request.peer.ca_pem = r->config->ca_pem;
  request.timeout = poll_answer_time;
  request.max_response_bytes = most_poll_answer;
  const auto call = engine_.ports.http.send(
      std::move(request),
      [weak = weak_from_this(), r, &executor = engine_.ports.executor](port::HttpResult result) {
        executor.post([weak, r, result = std::move(result)] {
          const auto self = weak.lock();
          if (self && self->find(r->row.id) == r) self->poll_answered(r, result);
        });
      });
  r->poll.call = call;
}

void EventReceivers::claim_poll(const ReceiverPtr& r) {
  r->poll.busy = true;
  auto impl = engine_.shared_from_this();
  const auto now = engine_.now();
  // For longer than a poll takes, and than it is until the next one.
  const auto until = now + std::max(engine_.options.lane_lease, poll_answer_time + r->config->poll->interval) * 2;
  auto others = std::make_shared<WallTime>();
  impl->decide(
      [impl, scope = r->row.scope, id = r->row.id, now, until,
       others](port::Reader& reader) -> Result<port::Transaction> {
        port::Transaction txn;
        *others = {};
        DEPROV_TRY(row, reader.source(scope, id));
        if (!row) return Error(Errc::not_found, "there is no such receiver", "source " + id.str());
        auto stream = parse_stream_state(*row);
        const bool another = !stream.poller.empty() && stream.poller != impl->options.node;
        if (another && stream.poller_until > now) {
          *others = stream.poller_until;
          return txn;
        }
        stream.poller = impl->options.node;
        stream.poller_until = until;
        row->header = to_text(stream);
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutSource{std::move(*row)});
        return txn;
      },
      [weak = weak_from_this(), r, until, others](const Result<port::Committed>& committed) {
        const auto self = weak.lock();
        if (!self || self->find(r->row.id) != r) return;
        r->poll.busy = false;
        if (!r->config->poll) return;  // it is changed to one that is pushed to
        if (!committed) return self->poll_later(r, r->config->poll->interval);
        if (others->micros != 0) {
          r->poll.ours_until = {};
          // What it had of the other one's is not its own to tell any more.
          r->poll.ack.clear();
          r->poll.refused.clear();
          return self->poll_later(r, std::max<Duration>(*others - self->engine_.now(), std::chrono::seconds(1)));
        }
        r->poll.ours_until = until;
        self->poll(r);
      });
}

void EventReceivers::poll_answered(const ReceiverPtr& r, const port::HttpResult& result) {
  auto& p = r->poll;
  p.call.reset();
  if (!r->config->poll) {
    p.busy = false;
    return;
  }
  if (!result.response || result.response->status != 200) return poll_refused(r, result);
  scim::Limits limits;
  limits.max_body_bytes = most_poll_answer;
  const auto answer = scim::parse_json(result.response->body, limits);
  const auto* o = answer ? answer->if_object() : nullptr;
  const auto* sets = o != nullptr ? o->if_contains("sets") : nullptr;
  if (sets == nullptr || !sets->is_object())
    return poll_failed(
        r, "the answer has no object \"sets\"" + (answer ? std::string{} : ": " + answer.error().message()));
  // What was told arrived.
  p.ack.clear();
  p.refused.clear();
  p.failures = 0;
  p.answered = engine_.now();
  const auto* more = o->if_contains("moreAvailable");
  p.more = more != nullptr && more->is_bool() && more->get_bool();
  p.fresh = false;
  p.left = 1;
  for (const auto& [jti, token] : sets->get_object()) {
    // One that sends more than it was asked for sends the rest again.
    if (p.left > r->config->poll->max_events) break;
    ++p.left;
    auto taken = [weak = weak_from_this(), r, jti = std::string(jti)](const Result<ReceivedSet>& received) {
      const auto self = weak.lock();
      if (!self || self->find(r->row.id) != r) return;
      auto& its = r->poll;
      if (received && received->refused) {
        if (its.told.size() >= most_refused) its.told.clear();
        its.fresh = its.told.insert(short_digest(self->engine_.ports.crypto, jti)).second || its.fresh;
        its.refused.emplace(jti, *received->refused);
      } else if (received) {
        its.fresh = its.fresh || !received->repeated;
        its.ack.push_back(jti);
      }
      if (--its.left == 0) self->polled(r);
    };
    if (!token.is_string()) {
      ReceivedSet refused;
      refused.refused = idp::SetRefusal{idp::SetError::invalid_request, "the token is not a string"};
      taken(refused);
      continue;
    }
    take(r, std::string(token.get_string()), std::move(taken));
  }
  if (--p.left == 0) polled(r);
}

void EventReceivers::polled(const ReceiverPtr& r) {
  auto& p = r->poll;
  p.busy = false;
  if (!r->config->poll) return;
  note_poll(r, {});
  const bool told = !p.ack.empty() || !p.refused.empty();
  // Who has something to acknowledge does so soon (RFC 8936 section 2.4); that may bring the next ones. Of a
  // transmitter that hears of it and sends the same again nothing is to be had by haste.
  p.stale = p.fresh ? 0 : p.stale + 1;
  if (told && p.stale < 2) return poll_later(r, Duration{0});
  poll_later(r, jittered(r->config->poll->interval, engine_.ports.random));
}

void EventReceivers::poll_refused(const ReceiverPtr& r, const port::HttpResult& result) {
  auto& p = r->poll;
  const auto wish = result.response ? http::retry_after(*result.response, engine_.now(), longest_wait)
                                    : std::optional<Duration>{};
  const auto interval = r->config->poll->interval;
  const bool throttled =
      result.response && (result.response->status == 429 || (result.response->status == 503 && wish));
  const auto recent = std::max<Duration>(4 * interval, heard_recently);
  // To be left alone for a while is no failure, as long as what is known is recent.
  if (throttled && engine_.now() - std::max(p.answered, r->row.succeeded) < recent) {
    p.busy = false;
    return poll_later(r, std::max<Duration>(wish.value_or(interval), std::chrono::seconds(1)));
  }
  poll_failed(r, exchange_failure(result));
  if (wish) poll_later(r, std::max<Duration>(*wish, std::chrono::seconds(1)));
}

void EventReceivers::poll_failed(const ReceiverPtr& r, const std::string& why) {
  auto& p = r->poll;
  p.busy = false;
  ++p.failures;
  note_poll(r, why);
  poll_later(r, std::max(r->config->poll->interval,
                         jobs::backoff(retry, p.failures, std::nullopt, engine_.ports.random)));
}

void EventReceivers::note_poll(const ReceiverPtr& r, const std::string& failure) {
  auto& p = r->poll;
  const auto now = engine_.now();
  // A poll that went as the one before is not worth a transaction each time.
  if (failure.empty() && p.stored.micros != 0 && now - p.stored < stored_again_after) return;
  p.stored = failure.empty() ? now : WallTime{};
  auto impl = engine_.shared_from_this();
  const auto scope = r->row.scope;
  impl->decide(
      [impl, scope, id = r->row.id, failure, now](port::Reader& reader) -> Result<port::Transaction> {
        port::Transaction txn;
        DEPROV_TRY(row, reader.source(scope, id));
        if (!row) return txn;
        txn.id = impl->new_id<TxnId>();
        row->attempted = now;
        const bool failed = row->failing_since.micros != 0;
        const auto actor = "source:" + row->name;
        json::object detail{{"source", row->id.str()}, {"name", row->name}};
        if (!failure.empty()) {
          row->failure = "polling: " + failure;
          ++row->failures;
          if (!failed) {
            row->failing_since = now;
            detail["reason"] = row->failure;
            txn.ops.emplace_back(impl->activity(scope, std::string(source_unhealthy_event), actor, detail));
          }
        } else {
          row->succeeded = now;
          // A stream that its transmitter stopped answers polls all the same.
          if (failed && row->failure.rfind("polling: ", 0) == 0) {
            row->failing_since = {};
            row->failure.clear();
            row->failures = 0;
            txn.ops.emplace_back(impl->activity(scope, std::string(source_recovered_event), actor, detail));
          }
        }
        txn.ops.emplace_back(port::op::PutSource{std::move(*row)});
        return txn;
      },
      [impl, scope](const Result<port::Committed>& committed) {
        if (committed && !committed->activity_seqs.empty()) impl->notify(scope);
      });
}

}  // namespace deprov::engine
