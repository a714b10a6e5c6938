// Tokens that are fetched (RFC 8936). What is acknowledged is durable; what is neither acknowledged nor refused
// comes again.
#include <algorithm>
#include <boost/json/parse.hpp>
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
  auto due = std::make_shared<WallTime>();
  impl->decide(
      [impl, scope = r->row.scope, id = r->row.id, now, until, others,
       due](port::Reader& reader) -> Result<port::Transaction> {
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
        *due = row->due;
        stream.poller = impl->options.node;
        stream.poller_until = until;
        row->header = to_text(stream);
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutSource{std::move(*row)});
        return txn;
      },
      [weak = weak_from_this(), r, until, others, due](const Result<port::Committed>& committed) {
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
        // The one before may have been asked to wait, and what it heard counts for all.
        if (const auto wait = self->wait_for(*due, *r->config); wait.count() != 0)
          return self->poll_later(r, wait);
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
    take(r, std::string(token.get_string()), std::string(jti), std::move(taken));
  }
  if (--p.left == 0) polled(r);
}

void EventReceivers::polled(const ReceiverPtr& r) {
  auto& p = r->poll;
  p.busy = false;
  if (!r->config->poll) return;
  const auto interval = r->config->poll->interval;
  const bool told = !p.ack.empty() || !p.refused.empty();
  // Who has something to acknowledge does so soon (RFC 8936 section 2.4); that may bring the next ones. Of a
  // transmitter that hears of it and sends the same again nothing is to be had by haste.
  p.stale = p.fresh ? 0 : p.stale + 1;
  const bool soon = told && p.stale < 2;
  end_poll(r, {{}, {}, interval, soon ? Duration{0} : jittered(interval, engine_.ports.random)});
}

void EventReceivers::poll_refused(const ReceiverPtr& r, const port::HttpResult& result) {
  auto& p = r->poll;
  const auto wish = result.response ? http::retry_after(*result.response, engine_.now(), longest_wait)
                                    : std::optional<Duration>{};
  const auto interval = r->config->poll->interval;
  const bool throttled =
      result.response && (result.response->status == 429 || (result.response->status == 503 && wish));
  const auto recent = std::max<Duration>(4 * interval, heard_recently);
  const auto patience = std::max<Duration>(wish.value_or(interval), std::chrono::seconds(1));
  // To be left alone for a while is no failure, as long as what is known is recent.
  if (throttled && engine_.now() - std::max(p.answered, r->row.succeeded) < recent) {
    p.busy = false;
    return end_poll(r, {{}, "asks for patience: " + exchange_failure(result), patience, patience});
  }
  poll_failed(r, exchange_failure(result), wish ? patience : Duration{0});
}

void EventReceivers::poll_failed(const ReceiverPtr& r, const std::string& why, Duration wish) {
  auto& p = r->poll;
  p.busy = false;
  ++p.failures;
  const auto wait =
      std::max({wish, r->config->poll->interval,
                static_cast<Duration>(jobs::backoff(retry, p.failures, std::nullopt, engine_.ports.random))});
  end_poll(r, {std::string(polling_failure) + why, {}, wait, wait});
}

Duration EventReceivers::wait_for(WallTime due, const EventConfig& config) const {
  const auto wait = due - engine_.now();
  // It is never put off for longer: somebody set the clock back meanwhile.
  const bool made_up = wait > std::max<Duration>(longest_wait, config.poll->interval * 2);
  return made_up ? Duration{0} : std::max(wait, Duration{0});
}

Duration EventReceivers::first_wait(const Receiver& r) const { return wait_for(r.row.due, *r.config); }

void EventReceivers::end_poll(const ReceiverPtr& r, PollEnd end) {
  if (std::exchange(r->poll.at_once, false)) end.wait = {};
  note_poll(r, end);
  poll_later(r, end.wait);
}

void EventReceivers::note_poll(const ReceiverPtr& r, const PollEnd& end) {
  auto& p = r->poll;
  const auto now = engine_.now();
  const bool well = end.failure.empty() && end.waits.empty();
  // What it acknowledges at once is due since the row says so; a transaction for each answer would add nothing.
  if (well && end.wait.count() == 0 && p.stored.micros != 0 && now - p.stored < stored_again_after) return;
  p.stored = well ? now : WallTime{};
  auto impl = engine_.shared_from_this();
  const auto scope = r->row.scope;
  const auto lease = engine_.options.lane_lease;
  const auto due = now + end.wait;
  // Another engine takes over when it should have asked long ago, and not while it rests.
  const auto until = due + poll_answer_time + lease * 2;
  auto ours = std::make_shared<bool>(false);
  impl->decide(
      [impl, scope, id = r->row.id, config = r->row.config, secrets = r->row.secrets, lease, end, now, due, well,
       until, ours](port::Reader& reader) -> Result<port::Transaction> {
        port::Transaction txn;
        *ours = false;
        DEPROV_TRY(row, reader.source(scope, id));
        if (!row) return txn;
        auto stream = parse_stream_state(*row);
        if (lease.count() != 0 && stream.poller != impl->options.node) return txn;  // it is another one's by now
        *ours = true;
        txn.id = impl->new_id<TxnId>();
        row->attempted = now;
        stream.waits = end.waits;
        stream.interval = end.interval;
        if (lease.count() != 0) stream.poller_until = until;
        // Where its config was changed meanwhile, that says when it is polled.
        if (row->config == config && row->secrets == secrets) row->due = due;
        const bool failed = row->failing_since.micros != 0;
        const auto actor = "source:" + row->name;
        json::object detail{{"source", row->id.str()}, {"name", row->name}};
        if (!end.failure.empty()) {
          row->failure = end.failure;
          ++row->failures;
          if (!failed) {
            row->failing_since = now;
            detail["reason"] = row->failure;
            txn.ops.emplace_back(impl->activity(scope, std::string(source_unhealthy_event), actor, detail));
          }
        } else if (well) {
          row->succeeded = now;
          // A stream that its transmitter stopped answers polls all the same.
          if (failed && row->failure.rfind(polling_failure, 0) == 0) {
            row->failing_since = {};
            row->failure.clear();
            row->failures = 0;
            txn.ops.emplace_back(impl->activity(scope, std::string(source_recovered_event), actor, detail));
          }
        }
        row->header = to_text(stream);
        txn.ops.emplace_back(port::op::PutSource{std::move(*row)});
        return txn;
      },
      [weak = weak_from_this(), impl, r, scope, until, lease, ours](const Result<port::Committed>& committed) {
        if (committed && !committed->activity_seqs.empty()) impl->notify(scope);
        const auto self = weak.lock();
        if (self && committed && *ours && lease.count() != 0) r->poll.ours_until = until;
      });
}

std::optional<PollHealth> event_poll_health(const port::SourceRow& row) {
  boost::system::error_code ec;
  const auto config = json::parse(row.config, ec);
  const auto* o = ec ? nullptr : config.if_object();
  const auto* poll = o != nullptr ? o->if_contains("poll") : nullptr;
  if (poll == nullptr || !poll->is_object()) return std::nullopt;
  auto stream = parse_stream_state(row);
  PollHealth h;
  h.waits = std::move(stream.waits);
  h.reader = std::move(stream.poller);
  h.reader_until = stream.poller_until;
  h.interval = stream.interval;
  h.floor = poll_interval(poll->get_object());
  h.ceiling = std::max<Duration>(h.floor, longest_wait);
  return h;
}

void put_poll_due(port::SourceRow& row, const json::object& before, const json::object& after, WallTime now) {
  const auto same = [&](std::string_view name) {
    const auto* a = before.if_contains(name);
    const auto* b = after.if_contains(name);
    return (a == nullptr) == (b == nullptr) && (a == nullptr || *a == *b);
  };
  const bool polled = after.contains("poll");
  if (same("poll") && (!polled || same("ca_pem"))) return;
  auto stream = parse_stream_state(row);
  stream.waits.clear();
  stream.interval = {};
  row.header = to_text(stream);
  row.due = polled ? now : WallTime{};
}

}  // namespace deprov::engine
