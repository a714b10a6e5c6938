#include "service/admin_call.hpp"
#include <boost/json/serialize.hpp>
#include <charconv>
#include <deprov/utf8.hpp>

namespace deprov::service {

std::string AdminCall::text(std::string_view member) const {
  const auto* v = body.if_contains(member);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string{};
}

bool AdminCall::flag(std::string_view member, bool otherwise) const {
  const auto* v = body.if_contains(member);
  return v != nullptr && v->is_bool() ? v->get_bool() : otherwise;
}

int http_status(Errc code) noexcept {
  switch (code) {
    case Errc::unauthorized: return 401;
    case Errc::forbidden: return 403;
    case Errc::not_found: return 404;
    case Errc::method_not_allowed: return 405;
    case Errc::conflict:
    case Errc::uniqueness:
    case Errc::stale_read:
    case Errc::held_by_guard: return 409;
    case Errc::precondition_failed: return 412;
    case Errc::limit_exceeded: return 413;
    case Errc::unsupported_media_type: return 415;
    case Errc::rate_limited: return 429;
    case Errc::invalid_syntax:
    case Errc::invalid_filter:
    case Errc::invalid_path:
    case Errc::no_target:
    case Errc::invalid_value:
    case Errc::mutability:
    case Errc::too_many:
    case Errc::invalid_version:
    case Errc::sensitive:
    case Errc::invalid_argument:
    case Errc::unsupported:
    case Errc::invalid_cursor:
    case Errc::expired_cursor:
    case Errc::invalid_count: return 400;
    case Errc::unavailable:
    case Errc::protocol: return 502;
    case Errc::busy:
    case Errc::closed:
    case Errc::cancelled: return 503;
    case Errc::timeout: return 504;
    case Errc::storage_full: return 507;
    default: return 500;
  }
}

Response error_response(const Error& error) {
  Response r;
  r.status = http_status(error.code());
  r.headers.push_back({"Content-Type", "application/json"});
  r.headers.push_back({"Cache-Control", "no-store"});
  if (r.status == 401) r.headers.push_back({"WWW-Authenticate", "Bearer realm=\"deprov\""});
  if (r.status == 503) r.headers.push_back({"Retry-After", "1"});
  r.body = json::serialize(json::object{{"error",
                                         {{"code", to_string(error.code())},
                                          {"message", to_utf8(error.detail())},
                                          {"where", to_utf8(error.where())},
                                          {"advice", to_utf8(error.advice())}}}});
  return r;
}

void fail(const CallPtr& call, const Error& error) { call->respond(error_response(error)); }

void answer(const CallPtr& call, int status, const json::value& body) {
  Response r;
  r.status = status;
  r.headers.push_back({"Content-Type", "application/json"});
  r.headers.push_back({"Cache-Control", "no-store"});
  r.body = json::serialize(body);
  call->respond(std::move(r));
}

void answer_nothing(const CallPtr& call) {
  Response r;
  r.status = 204;
  call->respond(std::move(r));
}

void read(const CallPtr& call, std::function<Result<json::value>(port::Reader&)> body) {
  auto result = std::make_shared<json::value>();
  call->engine.view(
      [result, body = std::move(body)](port::Reader& reader) -> Result<void> {
        DEPROV_TRY(made, body(reader));
        *result = std::move(made);
        return {};
      },
      [call, result](Result<void> done) {
        if (!done) return fail(call, done.error());
        answer(call, 200, *result);
      });
}

Result<std::uint64_t> number_of(const AdminCall& call, std::string_view name, std::uint64_t otherwise) {
  const auto it = call.query.find(name);
  if (it == call.query.end()) return otherwise;
  std::uint64_t v = 0;
  const auto* end = it->second.data() + it->second.size();
  const auto [at, ec] = std::from_chars(it->second.data(), end, v);
  if (ec != std::errc{} || at != end || it->second.empty())
    return Error(Errc::invalid_argument, "not a whole number", "query parameter " + std::string(name));
  return v;
}

Result<std::size_t> limit_of(const AdminCall& call, std::size_t otherwise, std::size_t most) {
  DEPROV_TRY(n, number_of(call, "limit", otherwise));
  if (n == 0 || n > most) {
    return Error(Errc::invalid_argument, "has to be between 1 and " + std::to_string(most),
                 "query parameter limit");
  }
  return static_cast<std::size_t>(n);
}

Result<port::IntegrationRow> integration_of(port::Reader& reader, const AdminCall& call) {
  DEPROV_TRY(row, reader.integration(call.scope()));
  if (!row || row->state == port::IntegrationState::deleted) {
    return Error(Errc::not_found, "there is no such integration", "integration " + call.id<IntegrationId>(0).str(),
                 "list them with GET /api/v1/integrations");
  }
  return std::move(*row);
}

}  // namespace deprov::service
