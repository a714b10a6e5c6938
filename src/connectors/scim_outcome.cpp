#include "scim_outcome.hpp"
#include <algorithm>
#include <deprov/http/retry_after.hpp>
#include <deprov/scim/json.hpp>
#include <string_view>
#include <utility>
#include "scim_wire.hpp"

namespace deprov::connectors {

namespace {

using connector::Outcome;
using connector::Reply;
using Kind = port::HttpFailure::Kind;

constexpr std::size_t max_detail = 1000;

Outcome outcome_of_400(std::string_view type) {
  using scim::iequals;
  if (iequals(type, "uniqueness")) return Outcome::conflict_state;
  if (iequals(type, "mutability") || iequals(type, "invalidFilter") || iequals(type, "invalidVers"))
    return Outcome::unsupported;
  return Outcome::invalid_request;
}

Outcome outcome_of_4xx(int status) {
  switch (status) {
    case 401: return Outcome::auth_failed;
    case 402:
    case 403:
    case 451: return Outcome::permission_denied;
    case 404:
    case 410: return Outcome::not_found;
    case 405:
    case 406:
    case 415: return Outcome::unsupported;
    case 407: return Outcome::not_sent;  // the proxy's answer: the app saw nothing
    case 408:
    case 421:
    case 425: return Outcome::unavailable;
    case 409:
    case 423: return Outcome::conflict_state;
    case 412:
    case 428: return Outcome::precondition;
    default: return Outcome::invalid_request;
  }
}

Outcome outcome_of_5xx(int status, Nature nature) {
  if (status == 501) return Outcome::unsupported;
  if (nature == Nature::read || status == 503) return Outcome::unavailable;
  return Outcome::unknown_outcome;
}

/// Where a redirect points, without the part in which tokens travel.
std::string location_of(const port::HttpResponse& response) {
  auto location = std::string(response.header("Location").value_or("nowhere"));
  location.resize(std::min({location.size(), location.find_first_of("?#"), std::size_t{300}}));
  return location;
}

}  // namespace

Reply reply_of(Outcome outcome, std::string detail) {
  Reply r;
  r.outcome = outcome;
  r.detail = std::move(detail);
  return r;
}

Reply reply_of_nonsense(std::string detail, Nature nature) {
  return reply_of(nature == Nature::read ? Outcome::protocol : Outcome::unknown_outcome, std::move(detail));
}

Reply reply_of_failure(const port::HttpFailure& f, Nature nature, bool call_ended) {
  if (!f.sent) {
    if (f.kind == Kind::cancelled) return reply_of(Outcome::cancelled, f.detail);
    if (f.kind == Kind::protocol) return reply_of(Outcome::invalid_request, f.detail);
    return reply_of(Outcome::not_sent, f.detail);
  }
  if (nature == Nature::change) return reply_of(Outcome::unknown_outcome, f.detail);
  switch (f.kind) {
    case Kind::cancelled: return reply_of(Outcome::cancelled, f.detail);
    case Kind::timeout: return reply_of(call_ended ? Outcome::deadline : Outcome::unavailable, f.detail);
    case Kind::too_large:
    case Kind::protocol: return reply_of(Outcome::protocol, f.detail);
    default: return reply_of(Outcome::unavailable, f.detail);
  }
}

Reply reply_of_status(const port::HttpResponse& response, Nature nature, WallTime now, Duration bound) {
  const auto status = response.status;
  const auto problem = parse_problem(response);
  Reply r;
  r.detail = "the app answered " + std::to_string(status);
  if (!problem.type.empty()) r.detail += " " + problem.type;
  if (!problem.detail.empty()) r.detail += ": " + problem.detail;
  r.retry_after = http::retry_after(response, now, bound);
  if (status < 200 || status > 599) {
    r.outcome = Outcome::protocol;
  } else if (status < 400) {
    r.outcome = Outcome::protocol;
    r.detail = "the app answered " + std::to_string(status) + ", a redirect to " + location_of(response) +
               "; redirects are not followed, correct base_url";
  } else if (status == 400) {
    r.outcome = outcome_of_400(problem.type);
  } else if (status == 429 || (status == 403 && r.retry_after)) {
    r.outcome = Outcome::throttled;
  } else if ((status == 404 || status == 410) && is_html(response)) {
    // A web server in front that knows no such path says nothing about an account.
    r.outcome = Outcome::protocol;
    r.detail = "the app answered " + std::to_string(status) + " with a web page, so base_url may be wrong";
  } else if (status < 500) {
    r.outcome = outcome_of_4xx(status);
  } else {
    r.outcome = outcome_of_5xx(status, nature);
  }
  return r;
}

std::string clean_detail(std::string detail, const std::vector<std::string>& secrets) {
  for (const auto& secret : secrets)
    for (auto at = detail.find(secret); at != std::string::npos; at = detail.find(secret, at + 3))
      detail.replace(at, secret.size(), "***");
  for (auto& c : detail)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  if (detail.size() > max_detail) {
    auto end = max_detail;
    while (end > 0 && (static_cast<unsigned char>(detail[end]) & 0xC0U) == 0x80U) --end;
    detail.resize(end);
  }
  return detail;
}

}  // namespace deprov::connectors
