#include "engine/sources/feed_auth.hpp"
#include <algorithm>
#include <charconv>
#include <deprov/scim/fold.hpp>
#include <utility>
#include "engine/sources/client_assertion.hpp"

namespace deprov::engine {

namespace {
constexpr std::size_t max_answer = std::size_t{64} << 10U;
constexpr std::size_t max_token = std::size_t{16} << 10U;
/// Where the endpoint does not say how long (RFC 6749 section 5.1 leaves that open).
constexpr std::int64_t assumed_seconds = 300;
constexpr std::int64_t longest_seconds = 86'400;

std::optional<std::int64_t> lifetime_of(const json::object& body) {
  const auto* v = body.if_contains("expires_in");
  if (v == nullptr || v->is_null()) return assumed_seconds;
  if (v->is_number()) {
    const auto seconds = v->to_number<double>();
    if (!(seconds >= 0)) return std::nullopt;
    return static_cast<std::int64_t>(std::min(seconds, static_cast<double>(longest_seconds)));
  }
  const auto* s = v->if_string();  // some quote it
  std::int64_t seconds = 0;
  if (s == nullptr) return std::nullopt;
  const auto r = std::from_chars(s->data(), s->data() + s->size(), seconds);
  if (r.ec != std::errc() || r.ptr != s->data() + s->size() || seconds < 0) return std::nullopt;
  return std::min(seconds, longest_seconds);
}

/// `error` of RFC 6749 section 5.2: a code, never what was sent.
std::string error_code(const json::object& body) {
  const auto* v = body.if_contains("error");
  const auto* s = v != nullptr ? v->if_string() : nullptr;
  return s == nullptr ? std::string{} : " " + std::string(s->data(), std::min<std::size_t>(s->size(), 100));
}
}  // namespace

idp::FeedFailure feed_failure_of(const port::HttpFailure& failure) {
  using Kind = port::HttpFailure::Kind;
  idp::FeedFailure f;
  const bool wrong = failure.kind == Kind::too_large || failure.kind == Kind::protocol;
  f.kind = wrong ? idp::FeedFailureKind::protocol : idp::FeedFailureKind::unavailable;
  f.detail = failure.detail.empty() ? "there was no answer" : failure.detail;
  return f;
}

idp::FeedResponse feed_response_of(port::HttpResponse response, WallTime now) {
  idp::FeedResponse out;
  out.status = response.status;
  out.headers.reserve(response.headers.size());
  for (auto& h : response.headers) out.headers.push_back({std::move(h.name), std::move(h.value)});
  out.body = std::move(response.body);
  out.now = now;
  return out;
}

FeedAuth::~FeedAuth() {
  const auto engine = engine_.lock();
  if (engine && call_) engine->ports.http.cancel(*call_);
}

void FeedAuth::get(port::UniqueFunction<void(Ready)> done) {
  const auto engine = engine_.lock();
  if (!engine)
    return done({{}, feed_failure_of({port::HttpFailure::Kind::cancelled, false, "the engine is gone"})});
  if (credential_.type != FeedCredential::Type::client_credentials) return done({credential_.header, {}});
  if (!token_.empty() && engine->ports.clock.mono() < good_until_) return done({header(), {}});
  waiters_.push_back(std::move(done));
  if (waiters_.size() == 1) fetch();
}

bool FeedAuth::refused(const std::string& header) {
  if (credential_.type != FeedCredential::Type::client_credentials) return false;
  if (header == this->header()) token_.clear();
  return true;
}

void FeedAuth::tell(const Ready& ready) {
  again_ = false;
  for (auto& waiter : std::exchange(waiters_, {})) waiter(ready);
}

Result<std::vector<port::HttpHeader>> FeedAuth::headers(const std::string& authorization, std::string_view method,
                                                        std::string_view url) {
  std::vector<port::HttpHeader> out;
  if (authorization.empty()) return out;
  out.push_back({"Authorization", authorization});
  constexpr std::string_view scheme = "DPoP ";
  const auto engine = engine_.lock();
  if (!prover_ || !engine || !authorization.starts_with(scheme)) return out;
  DEPROV_TRY(proof, prover_->proof(method, url, std::string_view(authorization).substr(scheme.size()),
                                   engine->new_id<TxnId>().str(), engine->now()));
  out.push_back({"DPoP", std::move(proof)});
  return out;
}

bool FeedAuth::lacked_nonce(std::string_view url, const idp::FeedResponse& response) {
  return prover_ && prover_->answered(url, response);
}

void FeedAuth::fetch() {
  const auto engine = engine_.lock();
  if (!engine) return;
  port::HttpRequest request;
  request.method = "POST";
  request.url = credential_.token_url;
  request.peer = peer_;
  request.timeout = timeout_;
  request.max_response_bytes = max_answer;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
  std::vector<std::pair<std::string, std::string>> fields{{"grant_type", "client_credentials"}};
  if (!credential_.scope.empty()) fields.emplace_back("scope", credential_.scope);
  for (const auto& p : credential_.parameters) fields.push_back(p);
  using ClientAuth = FeedCredential::ClientAuth;
  if (credential_.client_auth == ClientAuth::private_key_jwt) {
    const auto assertion =
        client_assertion(engine->ports.crypto, credential_, engine->new_id<TxnId>().str(), engine->now());
    if (!assertion) {
      const auto& why = assertion.error();
      return tell(
          {{}, idp::FeedFailure{idp::FeedFailureKind::auth_failed, why.where() + ": " + why.detail(), {}, {}}});
    }
    fields.emplace_back("client_id", credential_.client_id);
    fields.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    fields.emplace_back("client_assertion", *assertion);
  } else if (credential_.client_auth == ClientAuth::post) {
    fields.emplace_back("client_id", credential_.client_id);
    fields.emplace_back("client_secret", credential_.client_secret);
  } else {
    // Section 2.3.1 wants both form-encoded before they are joined.
    request.headers.push_back({"Authorization", basic_of(idp::feed_encode(credential_.client_id),
                                                         idp::feed_encode(credential_.client_secret))});
  }
  request.body = form_of(fields);
  if (credential_.bound != FeedCredential::Bound::never) {
    if (!prover_) prover_.emplace(engine->ports.crypto);
    auto proof = prover_->proof(request.method, request.url, {}, engine->new_id<TxnId>().str(), engine->now());
    if (!proof)
      return tell({{}, idp::FeedFailure{idp::FeedFailureKind::auth_failed, proof.error().detail(), {}, {}}});
    request.headers.push_back({"DPoP", std::move(*proof)});
  }
  auto& executor = engine->ports.executor;
  call_ =
      engine->ports.http.send(std::move(request), [weak = weak_from_this(), &executor](port::HttpResult result) {
        executor.post([weak, result = std::move(result)] {
          const auto self = weak.lock();
          if (!self) return;
          self->call_.reset();
          const auto alive = self->engine_.lock();
          // With another proof, and another assertion: each is good for one request.
          if (alive && result.response &&
              self->lacked_nonce(self->credential_.token_url, feed_response_of(*result.response, alive->now())) &&
              !std::exchange(self->again_, true))
            return self->fetch();
          self->tell(self->read(result));
        });
      });
}

FeedAuth::Ready FeedAuth::read(const port::HttpResult& result) {
  const auto refuse = [](idp::FeedFailure f) {
    f.detail = "token endpoint: " + f.detail;
    return Ready{{}, std::move(f)};
  };
  const auto engine = engine_.lock();
  if (!engine || !result.response) return refuse(feed_failure_of(result.failure));
  const auto response = feed_response_of(*result.response, engine->now());
  const auto body = idp::feed_body(response);
  if (auto failure = idp::feed_failure(response)) {
    // RFC 6749 section 5.2: 400 or 401 is about the credential here; so is a path that is not there.
    if (response.status >= 400 && response.status < 405) failure->kind = idp::FeedFailureKind::auth_failed;
    if (body) failure->detail += error_code(*body);
    return refuse(std::move(*failure));
  }
  const auto wrong = [&](std::string detail) {
    return refuse({idp::FeedFailureKind::protocol, std::move(detail), {}, {}});
  };
  if (!body) return wrong(body.error().detail());
  const auto* token = body->if_contains("access_token");
  const auto* text = token != nullptr ? token->if_string() : nullptr;
  if (text == nullptr || text->empty() || text->size() > max_token ||
      !std::all_of(text->begin(), text->end(), [](char c) { return c > 0x20 && c < 0x7F; }))
    return wrong("it answered without a usable access_token");
  const auto seconds = lifetime_of(*body);
  if (!seconds) return wrong("expires_in is no number of seconds");
  const auto* type = body->if_contains("token_type");
  const bool bound = prover_ && type != nullptr && type->is_string() && scim::fold(type->get_string()) == "dpop";
  if (!bound && credential_.bound == FeedCredential::Bound::always)
    return wrong("it gave a token that is not bound to the client's key, and the config wants that (auth.dpop)");
  bound_ = bound;
  token_ = std::string(*text);
  // Not used to its last moment: a request takes a while to arrive.
  const auto margin = std::min<std::int64_t>(60, *seconds / 10);
  good_until_ = engine->ports.clock.mono() + Duration(std::chrono::seconds(*seconds - margin));
  return {header(), {}};
}

}  // namespace deprov::engine
