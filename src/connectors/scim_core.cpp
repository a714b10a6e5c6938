#include "scim_core.hpp"
#include <deprov/scim/json.hpp>

namespace deprov::connectors {

using connector::Effect;
using connector::Operation;
using connector::Outcome;
using connector::Reply;

namespace {

constexpr std::size_t max_response = std::size_t{16} << 20U;
constexpr std::string_view error_schema = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Some apps answer 200 with an error inside.
bool is_error(const json::object& body) {
  const auto* schemas = scim::find(body, "schemas");
  if (schemas == nullptr || !schemas->is_array()) return false;
  for (const auto& s : schemas->get_array())
    if (s.is_string() && scim::iequals(s.get_string(), error_schema)) return true;
  return false;
}

}  // namespace

std::optional<std::string> resource_path(const char* endpoint, const std::string& id) {
  if (id.empty() || id == "." || id == ".." || id.size() > 4096) return std::nullopt;
  return std::string(endpoint) + "/" + percent_encode(id);
}

ScimCore::ScimCore(ScimConfig config, port::ConnectorHost host)
    : config_(std::move(config)), host_(host), learned_(config_.update) {
  if (const auto* c = std::get_if<ClientCredentials>(&config_.auth))
    tokens_ = std::make_shared<TokenSource>(*c, config_, host_);
}

void ScimCore::start(connector::CallId id, connector::Call call, connector::Completion done) {
  auto f = std::make_shared<Flight>();
  f->id = id;
  f->call = std::move(call);
  f->done = std::move(done);
  f->deadline = host_.clock.mono() + f->call.timeout;
  flights_.emplace(id, f);
  switch (f->call.operation) {
    case Operation::check: return check(f);
    case Operation::find: return find(f);
    case Operation::read: return read(f);
    case Operation::list: return list(f);
    case Operation::disable: return spare_own(f, [self = shared_from_this(), f] { self->set_active(f, false); });
    case Operation::enable: return set_active(f, true);
    case Operation::remove: return spare_own(f, [self = shared_from_this(), f] { self->remove_account(f); });
    case Operation::list_entitlements: return list_entitlements(f);
    case Operation::revoke_entitlement:
      return spare_own(f, [self = shared_from_this(), f] {
        self->leave_group(f, f->call.entitlement, self->members_by_filter_,
                          [self, f](Reply r) { self->finish(f, std::move(r)); });
      });
    case Operation::grant_entitlement: return join_group(f);
    default:
      return finish(
          f, reply_of(Outcome::unsupported, "SCIM has no operation " + std::string(to_string(f->call.operation))));
  }
}

void ScimCore::cancel(connector::CallId id) {
  const auto it = flights_.find(id);
  if (it == flights_.end()) return;
  const auto f = it->second;
  f->cancelled = true;
  if (f->in_http) host_.http.cancel(f->http);
}

void ScimCore::send(const FlightPtr& f, Ask ask, Then then, bool again) {
  if (f->cancelled) {
    Got got;
    got.reply = reply_of(Outcome::cancelled, "the call was cancelled");
    return then(std::move(got));
  }
  if (host_.clock.mono() >= f->deadline) {
    Got got;
    got.reply = reply_of(ask.nature() == Nature::change ? Outcome::not_sent : Outcome::deadline,
                         "the time for the call ran out before the request could be sent");
    return then(std::move(got));
  }
  if (tokens_ == nullptr) {
    const auto* header = std::get_if<HeaderAuth>(&config_.auth);
    port::HttpHeader credential;
    if (header != nullptr) credential = {header->name, header->value};
    return send_authorised(f, std::move(ask), std::move(then), again, header == nullptr ? nullptr : &credential,
                           {});
  }
  tokens_->get([self = shared_from_this(), f, ask = std::move(ask), then = std::move(then),
                again](TokenAnswer answer) mutable {
    if (answer.refusal) {
      Got got;
      got.no_token = true;
      got.reply = std::move(*answer.refusal);
      return then(std::move(got));
    }
    const port::HttpHeader credential{"Authorization", "Bearer " + answer.token};
    self->send_authorised(f, std::move(ask), std::move(then), again, &credential, answer.token);
  });
}

void ScimCore::send_authorised(const FlightPtr& f, Ask ask, Then then, bool again,
                               const port::HttpHeader* credential, const std::string& token) {
  const auto left = f->deadline - host_.clock.mono();
  if (f->cancelled || left <= Duration(0)) {
    Got got;
    got.reply = f->cancelled
                    ? reply_of(Outcome::cancelled, "the call was cancelled")
                    : reply_of(Outcome::not_sent, "the time for the call ran out while it waited for a token");
    return then(std::move(got));
  }
  const bool call_ends_first = left < config_.timeout;
  port::HttpRequest request;
  request.method = ask.method;
  request.url = config_.base_url + ask.path;
  request.headers = config_.headers;
  request.headers.push_back({"Accept", "application/scim+json, application/json"});
  if (!ask.body.empty()) request.headers.push_back({"Content-Type", "application/scim+json"});
  if (!ask.if_match.empty()) request.headers.push_back({"If-Match", ask.if_match});
  if (credential != nullptr) request.headers.push_back(*credential);
  request.body = ask.body;
  request.peer = config_.peer;
  request.timeout = call_ends_first ? left : config_.timeout;
  request.max_response_bytes = max_response;
  f->in_http = true;
  auto& executor = host_.executor;
  f->http = host_.http.send(
      std::move(request), [self = shared_from_this(), f, ask = std::move(ask), then = std::move(then), again,
                           token, call_ends_first, &executor](port::HttpResult result) mutable {
        executor.post([self, f, ask = std::move(ask), then = std::move(then), again, token, call_ends_first,
                       result = std::move(result)]() mutable {
          self->answered(f, std::move(ask), std::move(then), again, token, std::move(result), call_ends_first);
        });
      });
}

void ScimCore::answered(const FlightPtr& f, Ask ask, Then then, bool again, const std::string& token,
                        port::HttpResult result, bool call_ended) {
  f->in_http = false;
  Got got;
  if (!result.response) {
    got.reply = reply_of_failure(result.failure, ask.nature(), call_ended);
    return then(std::move(got));
  }
  const auto status = result.response->status;
  if (status == 401 && tokens_ != nullptr) {
    // Refused before it did anything: the same request once more, with a fresh token.
    tokens_->refused(token);
    if (!again) return send(f, std::move(ask), std::move(then), true);
  }
  got.ok = status >= 200 && status <= 299;
  if (!got.ok) {
    got.reply = reply_of_status(*result.response, ask.nature(), host_.clock.wall(), config_.max_retry_after);
    if (got.reply.outcome == Outcome::not_sent) got.reply.detail = "the proxy wants other credentials (407)";
  }
  got.response = std::move(result.response);
  // Whatever has moved away answers 404 to everything, and must not pass for accounts that are gone (R13).
  const bool about_one = ask.path.rfind("/Users/", 0) == 0 || ask.path.rfind("/Groups/", 0) == 0;
  if (!got.ok && got.reply.outcome == Outcome::not_found && about_one)
    return confirm_gone(f, std::move(got), std::move(then));
  then(std::move(got));
}

void ScimCore::finish(const FlightPtr& f, Reply reply) {
  flights_.erase(f->id);
  reply.detail = clean_detail(std::move(reply.detail), config_.secrets);
  if (tokens_ != nullptr && tokens_->current().size() >= 4)
    reply.detail = clean_detail(std::move(reply.detail), {tokens_->current()});
  f->done(std::move(reply));
}

Result<connector::Account> ScimCore::account_of(const Got& got, const std::string& account_id) {
  DEPROV_TRY(body, parse_body(*got.response));
  if (is_error(body)) return Error(Errc::protocol, "an error with status " + std::to_string(got.status()));
  DEPROV_TRY(account, parse_account(body));
  if (account.id != account_id) return Error(Errc::protocol, "another account than the one that was asked for");
  return std::move(account);
}

Reply ScimCore::changed(const Got& got, const std::string& account_id) {
  Reply reply;
  reply.outcome = Outcome::ok;
  reply.effect = Effect::done;
  if (got.response->body.empty()) return reply;
  const auto body = parse_body(*got.response);
  if (!body) return reply_of_nonsense("the app answered " + body.error().detail(), Nature::change);
  if (is_error(*body))
    return reply_of_nonsense("the app answered " + std::to_string(got.status()) +
                                 " with an error inside: " + parse_problem(*got.response).detail,
                             Nature::change);
  if (auto account = parse_account(*body); account && account->id == account_id)
    reply.accounts.push_back(std::move(*account));
  return reply;
}

}  // namespace deprov::connectors
