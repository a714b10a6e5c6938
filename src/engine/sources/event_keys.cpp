// The transmitter's keys, read from where it publishes them, and read again when it changes them.
#include <deprov/config.hpp>
#include <utility>
#include "engine/sources/event_receiver.hpp"
#include "engine/sources/event_stream.hpp"
#include "engine/sources/http_failure.hpp"

namespace deprov::engine {

namespace {
constexpr Duration keys_answer_time = std::chrono::seconds(10);
constexpr std::size_t most_keys_answer = std::size_t{16} << 10U;
}  // namespace

void EventReceivers::read_keys(const ReceiverPtr& r) {
  port::HttpRequest request;
  request.url = r->config->jwks_uri;
  request.headers = {{"Accept", "application/jwk-set+json, application/json"},
                     {"User-Agent", std::string("deprov/") + DEPROV_VERSION}};
  request.peer.ca_pem = r->config->ca_pem;
  request.timeout = keys_answer_time;
  request.max_response_bytes = idp::max_jwks_bytes;
  r->keys.asked = engine_.ports.clock.mono();
  r->keys.call = 0;
  const auto call =
      engine_.ports.http.send(std::move(request), [weak = weak_from_this(), r, asked = r->config,
                                                   &executor = engine_.ports.executor](port::HttpResult result) {
        executor.post([weak, r, asked, result = std::move(result)] {
          const auto self = weak.lock();
          // What another config asked for is no key of this one's.
          if (self && asked->jwks_uri == r->config->jwks_uri && asked->ca_pem == r->config->ca_pem)
            self->keys_answered(r, result);
        });
      });
  r->keys.call = call;
}

void EventReceivers::keys_answered(const ReceiverPtr& r, const port::HttpResult& result) {
  if (find(r->row.id) != r) return;
  r->keys.call.reset();
  r->keys.failure.clear();
  if (result.response && result.response->status == 200) {
    auto set = idp::parse_jwks(std::string_view(result.response->body));
    if (!set) {
      r->keys.failure = "what is at jwks_uri is no JWK Set: " + set.error().message();
    } else {
      r->keys.set = std::move(*set);
      r->keys.read = engine_.ports.clock.mono();
    }
  } else {
    r->keys.failure = exchange_failure(result);
  }
  auto waiting = std::move(r->keys.waiting);
  r->keys.waiting.clear();
  for (auto& one : waiting) verify_signature(r, std::move(one), true);
}

/// The state is durable before the request leaves, so that the answer finds it, whoever gets that.
void EventReceivers::verify(SourceId id, Done<void> done) {
  const auto r = find(id);
  if (stopped_ || !r)
    return done(Error(Errc::unavailable, "the receiver does not work here", "source " + id.str()));
  if (r->config->verification_url.empty())
    return done(Error(Errc::conflict, "the source does not say where a verification is asked for",
                      "source " + r->row.name, "give it `verification`: deprov source set"));
  std::array<std::uint8_t, 16> chance{};
  engine_.ports.random.fill(chance);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string state;
  for (const auto b : chance) {
    state.push_back(digits[b >> 4U]);
    state.push_back(digits[b & 0xFU]);
  }
  auto impl = engine_.shared_from_this();
  impl->decide(
      [impl, scope = r->row.scope, id, state](port::Reader& reader) -> Result<port::Transaction> {
        DEPROV_TRY(row, reader.source(scope, id));
        if (!row) return Error(Errc::not_found, "there is no such receiver", "source " + id.str());
        auto stream = parse_stream_state(*row);
        stream.verification = state;
        row->header = to_text(stream);
        port::Transaction txn;
        txn.id = impl->new_id<TxnId>();
        txn.ops.emplace_back(port::op::PutSource{std::move(*row)});
        return txn;
      },
      [weak = weak_from_this(), r, state,
       done = std::move(done)](const Result<port::Committed>& committed) mutable {
        const auto self = weak.lock();
        if (!self || self->stopped_) return done(Error(Errc::closed, "the engine is shutting down"));
        if (!committed) return done(committed.error());
        self->ask_for_verification(r, state, std::move(done));
      });
}

void EventReceivers::ask_for_verification(const ReceiverPtr& r, const std::string& state, Done<void> done) {
  port::HttpRequest request;
  request.method = "POST";
  request.url = r->config->verification_url;
  request.headers = {{"Content-Type", "application/json"},
                     {"User-Agent", std::string("deprov/") + DEPROV_VERSION}};
  if (!r->config->verification_authorization.empty())
    request.headers.push_back({"Authorization", r->config->verification_authorization});
  request.body = json::serialize(json::object{{"stream_id", r->config->stream_id}, {"state", state}});
  request.peer.ca_pem = r->config->ca_pem;
  request.timeout = keys_answer_time;
  request.max_response_bytes = most_keys_answer;
  (void)engine_.ports.http.send(std::move(request), [name = r->row.name, &executor = engine_.ports.executor,
                                                     done = std::move(done)](port::HttpResult result) mutable {
    executor.post([name, result = std::move(result), done = std::move(done)]() mutable {
      if (result.response && result.response->status >= 200 && result.response->status < 300) return done({});
      done(Error(Errc::unavailable, "the transmitter did not take the request: " + exchange_failure(result),
                 "source " + name));
    });
  });
}

}  // namespace deprov::engine
