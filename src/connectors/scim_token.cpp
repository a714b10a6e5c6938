#include "scim_token.hpp"
#include <algorithm>
#include <charconv>
#include <deprov/scim/json.hpp>
#include <utility>
#include "scim_outcome.hpp"
#include "scim_wire.hpp"

namespace deprov::connectors {

namespace {

using connector::Outcome;
using connector::Reply;

constexpr std::size_t max_token_response = 64U << 10U;
constexpr std::size_t max_token = 16U << 10U;
/// Where the endpoint does not say how long (RFC 6749 section 5.1 leaves that open).
constexpr Duration assumed_lifetime = std::chrono::minutes(5);
constexpr Duration longest_lifetime = std::chrono::hours(24);
constexpr Duration longest_margin = std::chrono::seconds(60);

std::optional<Duration> lifetime_of(const json::object& body) {
  const auto* v = scim::find(body, "expires_in");
  if (v == nullptr) return assumed_lifetime;
  double seconds = 0;
  if (v->is_number()) {
    seconds = v->to_number<double>();
  } else if (const auto* s = v->if_string()) {  // some quote it
    const auto* const end = s->data() + s->size();
    const auto r = std::from_chars(s->data(), end, seconds);
    if (r.ec != std::errc() || r.ptr != end) return std::nullopt;
  } else {
    return std::nullopt;
  }
  if (!(seconds >= 0)) return std::nullopt;
  const auto longest = static_cast<double>(longest_lifetime.count()) / 1e6;
  return Duration(static_cast<std::int64_t>(std::min(seconds, longest) * 1e6));
}

bool usable(std::string_view token) {
  return !token.empty() && token.size() <= max_token &&
         std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

/// `error` and `error_description` of RFC 6749 section 5.2.
std::string oauth_error(const port::HttpResponse& response) {
  const auto body = parse_body(response);
  if (!body) return {};
  std::string out;
  for (const std::string_view key : {"error", "error_description"})
    if (const auto* v = scim::find(*body, key); v != nullptr && v->is_string())
      out.append(out.empty() ? " " : ": ").append(std::string_view(v->get_string()));
  return out;
}

}  // namespace

TokenSource::TokenSource(ClientCredentials credentials, const ScimConfig& config, port::ConnectorHost host)
    : credentials_(std::move(credentials)),
      peer_(config.peer),
      timeout_(config.timeout),
      max_retry_after_(config.max_retry_after),
      host_(host) {}

void TokenSource::get(Waiter waiter) {
  if (!token_.empty() && host_.clock.mono() < good_until_) {
    waiter({token_, std::nullopt});
    return;
  }
  waiters_.push_back(std::move(waiter));
  if (!fetching_) fetch();
}

void TokenSource::refused(const std::string& token) {
  if (token == token_) token_.clear();
}

void TokenSource::fetch() {
  fetching_ = true;
  port::HttpRequest request;
  request.method = "POST";
  request.url = credentials_.token_url;
  request.peer = peer_;
  request.timeout = timeout_;
  request.max_response_bytes = max_token_response;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
  std::vector<std::pair<std::string, std::string>> fields{{"grant_type", "client_credentials"}};
  if (!credentials_.scope.empty()) fields.emplace_back("scope", credentials_.scope);
  for (const auto& p : credentials_.parameters) fields.push_back(p);
  if (credentials_.secret_in_body) {
    fields.emplace_back("client_id", credentials_.client_id);
    fields.emplace_back("client_secret", credentials_.client_secret);
  } else {
    // Section 2.3.1 wants both form-encoded before they are joined.
    const auto pair = percent_encode(credentials_.client_id) + ":" + percent_encode(credentials_.client_secret);
    request.headers.push_back({"Authorization", "Basic " + base64(pair)});
  }
  request.body = form_encode(fields);
  auto& executor = host_.executor;
  host_.http.send(std::move(request), [self = shared_from_this(), &executor](port::HttpResult result) {
    executor.post([self, result = std::move(result)] { self->fetched(result); });
  });
}

void TokenSource::fetched(const port::HttpResult& result) {
  fetching_ = false;
  const auto answer = read(result);
  auto waiters = std::exchange(waiters_, {});
  for (auto& w : waiters) w(answer);
}

TokenAnswer TokenSource::read(const port::HttpResult& result) {
  const auto refuse = [](Reply reply) {
    reply.detail = "token endpoint: " + reply.detail;
    return TokenAnswer{{}, std::move(reply)};
  };
  // To fetch a token changes nothing in the app, so that whatever fails here is safe to repeat.
  if (!result.response) return refuse(reply_of_failure(result.failure, Nature::read, false));
  const auto& response = *result.response;
  const auto status = "answered " + std::to_string(response.status);
  if (response.status == 400 || response.status == 401 || response.status == 403)
    return refuse(reply_of(Outcome::auth_failed, status + oauth_error(response)));
  if (response.status < 200 || response.status > 299) {
    auto reply = reply_of_status(response, Nature::read, host_.clock.wall(), max_retry_after_);
    // 404 is about the endpoint, not about an account.
    if (reply.outcome == Outcome::not_found) reply.outcome = Outcome::auth_failed;
    reply.detail = status + oauth_error(response);
    return refuse(std::move(reply));
  }
  const auto body = parse_body(response);
  if (!body) return refuse(reply_of(Outcome::protocol, body.error().detail()));
  const auto* type = scim::find(*body, "token_type");
  if (type != nullptr && !(type->is_string() && scim::iequals(type->get_string(), "bearer")))
    return refuse(reply_of(Outcome::protocol, "the token is not of the type Bearer"));
  const auto* token = scim::find(*body, "access_token");
  if (token == nullptr || !token->is_string() || !usable(token->get_string()))
    return refuse(reply_of(Outcome::protocol, status + " without a usable access_token"));
  const auto lifetime = lifetime_of(*body);
  if (!lifetime) return refuse(reply_of(Outcome::protocol, "expires_in is no number of seconds"));
  token_ = std::string(token->get_string());
  good_until_ = host_.clock.mono() + (*lifetime - std::min<Duration>(longest_margin, *lifetime / 10));
  return {token_, std::nullopt};
}

}  // namespace deprov::connectors
