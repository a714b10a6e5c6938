#include "plugin/recording.hpp"
#include <algorithm>
#include <deprov/connector/json.hpp>
#include <deprov/utf8.hpp>
#include <utility>
#include "plugin/abi.hpp"
#include "plugin/redaction.hpp"

namespace deprov::plugin {

namespace json = boost::json;

namespace {

constexpr std::size_t max_recorded_url_bytes = 2000;

std::string without_user(std::string url) {
  const auto begin = url.find("://");
  if (begin == std::string::npos) return url;
  const auto end = std::min(url.find_first_of("/?#", begin + 3), url.size());
  const auto at = url.rfind('@', end == 0 ? 0 : end - 1);
  if (at != std::string::npos && at >= begin + 3) url.erase(begin + 3, at - begin - 2);
  return url;
}

std::string_view name_of_failure(std::int32_t failure) {
  switch (failure) {
    case DEPROV_HTTP_EGRESS: return "egress";
    case DEPROV_HTTP_RESOLVE: return "resolve";
    case DEPROV_HTTP_CONNECT: return "connect";
    case DEPROV_HTTP_TLS: return "tls";
    case DEPROV_HTTP_TIMEOUT: return "timeout";
    case DEPROV_HTTP_BROKEN: return "broken";
    case DEPROV_HTTP_TOO_LARGE: return "too_large";
    case DEPROV_HTTP_CANCELLED: return "cancelled";
    default: return "protocol";
  }
}

json::object message_json(const RecordedExchange::Message& m) {
  json::array headers;
  for (const auto& h : m.headers) headers.push_back(json::object{{"name", h.name}, {"value", h.value}});
  return {{"headers", std::move(headers)}, {"body", m.body}, {"bytes", m.bytes}};
}

}  // namespace

Recorder::Recorder(const std::vector<std::string>& secrets) : secrets_(forms_of(secrets)) {}

std::string Recorder::text(std::string_view in, std::size_t most) const {
  // Of what is far beyond the end nothing is shown.
  const bool cut = in.size() > most * 4;
  auto out = without_named(without_known(in, secrets_, most * 4));
  if (!is_utf8(out)) {
    // A character that the cut halved is none of the other bytes'.
    for (int i = 0; i < 3 && cut && !out.empty() && !is_utf8(out); ++i) out.pop_back();
    if (!is_utf8(out))
      for (auto& c : out)
        if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return connector::cut_detail(std::move(out), most);
}

RecordedExchange::Message Recorder::message(const std::vector<port::HttpHeader>& headers,
                                            const std::string& body) const {
  RecordedExchange::Message out;
  for (const auto& h : headers) {
    if (out.headers.size() == max_recorded_headers) break;
    out.headers.push_back(
        {text(h.name, max_recorded_header_bytes),
         carries_credentials(h.name) ? std::string(taken_out) : text(h.value, max_recorded_header_bytes)});
  }
  out.body = text(body, max_recorded_body_bytes);
  out.bytes = body.size();
  return out;
}

RecordedExchange Recorder::begin(const std::string& connector, connector::Operation operation,
                                 const port::HttpRequest& request, WallTime now) const {
  RecordedExchange out;
  out.connector = connector;
  out.operation = operation;
  out.began = now;
  out.method = text(request.method, max_recorded_header_bytes);
  out.url = text(without_user(request.url), max_recorded_url_bytes);
  out.request = message(request.headers, request.body);
  return out;
}

void Recorder::end(RecordedExchange& exchange, const port::HttpResult& result, std::int32_t failure,
                   Duration took) const {
  exchange.duration_ms = took.count() / 1000;
  if (result.response) {
    exchange.status = result.response->status;
    exchange.response = message(result.response->headers, result.response->body);
    return;
  }
  exchange.failure = name_of_failure(failure);
  exchange.sent = result.failure.sent;
  exchange.failure_detail = text(result.failure.detail, max_recorded_header_bytes);
}

json::object recorded_json(const RecordedExchange& exchange) {
  auto request = message_json(exchange.request);
  request["method"] = exchange.method;
  request["url"] = exchange.url;
  json::object out{{"connector", exchange.connector},
                   {"operation", to_string(exchange.operation)},
                   {"at", to_rfc3339(exchange.began)},
                   {"ms", exchange.duration_ms},
                   {"request", std::move(request)}};
  if (exchange.failure.empty()) {
    auto response = message_json(exchange.response);
    response["status"] = exchange.status;
    out["response"] = std::move(response);
  } else {
    out["failure"] =
        json::object{{"kind", exchange.failure}, {"sent", exchange.sent}, {"detail", exchange.failure_detail}};
  }
  return out;
}

}  // namespace deprov::plugin
