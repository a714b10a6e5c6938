#include "plugin/recording.hpp"
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <deprov/connector/json.hpp>
#include <deprov/utf8.hpp>
#include <iterator>
#include <utility>
#include "plugin/abi.hpp"

namespace deprov::plugin {

namespace json = boost::json;

namespace {

constexpr std::string_view taken_out = "***";
constexpr std::size_t least_secret = 4;
constexpr std::size_t max_recorded_url_bytes = 2000;

std::string percent_encoded(std::string_view text, std::string_view digits, bool form) {
  std::string out;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '.' || c == '_' || (form ? c == '*' : c == '~');
    if (plain) {
      out.push_back(c);
    } else if (form && c == ' ') {
      out.push_back('+');
    } else {
      out.append({'%', digits[b >> 4U], digits[b & 15U]});
    }
  }
  return out;
}

/// What is left of a secret in base64 wherever it begins in what was encoded: the characters that its own bytes
/// alone make.
std::string within_base64(std::string_view secret, std::size_t offset, std::string_view last_two) {
  const std::string alphabet =
      std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").append(last_two);
  const auto whole = std::string(offset, '\0').append(secret);
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : whole) {
    bits = ((bits << 8U) | static_cast<unsigned char>(c)) & 0xFFFFFFU;
    for (count += 8; count >= 6; count -= 6) out.push_back(alphabet[(bits >> (count - 6)) & 0x3FU]);
  }
  return out.substr((offset * 8 + 5) / 6);
}

std::string escaped_for_xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&apos;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

std::string json_content(std::string_view text) {
  const auto quoted = json::serialize(json::string(text));
  return quoted.substr(1, quoted.size() - 2);
}

std::string with_slashes_escaped(std::string text) {
  for (auto at = text.find('/'); at != std::string::npos; at = text.find('/', at + 2)) text.insert(at, 1, '\\');
  return text;
}

/// "Api-Key" and "api_key" are "apikey".
std::string bare_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      out.push_back(static_cast<char>(c + 32));
    } else if (c != '-' && c != '_' && c != '.') {
      out.push_back(c);
    }
  }
  return out;
}

bool speaks_of_credentials(std::string_view name) {
  const auto bare = bare_name(name);
  constexpr std::string_view words[] = {"password", "passwd",    "passphrase", "secret",        "token",
                                        "apikey",   "accesskey", "privatekey", "authorization", "assertion",
                                        "cookie",   "session",   "signature",  "credential"};
  return std::any_of(std::begin(words), std::end(words),
                     [&](std::string_view word) { return bare.find(word) != std::string::npos; });
}

bool carries_credentials(std::string_view header) {
  const auto bare = bare_name(header);
  return speaks_of_credentials(header) || bare.find("auth") != std::string::npos ||
         bare.find("key") != std::string::npos;
}

bool is_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
         c == '.' || c == ':';
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Where the JSON string that begins at `at` ends, or everything does.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size() && text[at] != quote; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

/// Where the value that begins at `at` ends: a string, an array or object as a whole, or a word.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (at >= text.size()) return text.size();
  if (text[at] == '"' || text[at] == '\'') return end_of_string(text, at);
  if (text.substr(at, 2) == "\\\"") {  // JSON in JSON
    const auto end = text.find("\\\"", at + 2);
    return end == std::string_view::npos ? text.size() : end + 2;
  }
  if (text[at] != '{' && text[at] != '[')
    return std::min(text.find_first_of("&;,}]<>\"' \t\r\n", at), text.size());
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = end_of_string(text, at);
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    ++at;
    if ((c == '}' || c == ']') && --depth == 0) break;
  }
  return at;
}

/// Values of JSON members, of forms and queries, and of XML elements whose name speaks of credentials.
std::string without_named(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != ':' && c != '=' && c != '>') continue;
    auto end = at;
    if (c != '>')
      while (end > copied && is_space(text[end - 1])) --end;
    const bool quoted = end > copied && (text[end - 1] == '"' || text[end - 1] == '\'');
    if (c == ':' && !quoted) continue;  // a port, or a time
    if (quoted) --end;
    while (quoted && end > copied && text[end - 1] == '\\') --end;  // JSON in JSON
    auto begin = end;
    while (begin > copied && is_name(text[begin - 1])) --begin;
    const bool opens = begin > 0 && text[begin - 1] == '<';
    if ((c == '>') != opens || !speaks_of_credentials(text.substr(begin, end - begin))) continue;
    auto from = at + 1;
    while (c != '>' && from < text.size() && is_space(text[from])) ++from;
    const auto to = c == '>' ? std::min(text.find('<', from), text.size()) : end_of_value(text, from);
    if (to <= from) continue;
    out.append(text.substr(copied, from - copied))
        .append(c != ':'             ? "***"
                : text[from] == '\\' ? R"(\"***\")"
                                     : R"("***")");  // JSON stays JSON
    copied = to;
    at = to - 1;
  }
  return out.append(text.substr(copied));
}

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

Recorder::Recorder(const std::vector<std::string>& secrets) {
  for (const auto& secret : secrets) {
    const auto in_json = json_content(secret);
    for (auto& form :
         {secret, percent_encoded(secret, "0123456789ABCDEF", false),
          percent_encoded(secret, "0123456789abcdef", false), percent_encoded(secret, "0123456789ABCDEF", true),
          percent_encoded(secret, "0123456789abcdef", true), in_json, with_slashes_escaped(in_json),
          escaped_for_xml(secret)})
      secrets_.push_back(form);
    for (const std::size_t offset : {0U, 1U, 2U})
      for (const auto* last_two : {"+/", "-_"}) secrets_.push_back(within_base64(secret, offset, last_two));
  }
  std::erase_if(secrets_, [](const std::string& s) { return s.size() < least_secret; });
  std::sort(secrets_.begin(), secrets_.end(),
            [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
  secrets_.erase(std::unique(secrets_.begin(), secrets_.end()), secrets_.end());
}

std::string Recorder::text(std::string_view in, std::size_t most) const {
  // Of what is far beyond the end nothing is shown, and what the cut halves is cut off with it.
  const auto longest = secrets_.empty() ? 0 : secrets_.front().size();
  const auto far = most * 4 + longest;
  const bool cut = in.size() > far;
  std::string out(in.substr(0, far));
  for (const auto& secret : secrets_) {
    for (auto at = out.find(secret); at != std::string::npos; at = out.find(secret, at + taken_out.size()))
      out.replace(at, secret.size(), taken_out);
  }
  if (cut) out.resize(out.size() > longest ? out.size() - longest : 0);
  out = without_named(out);
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
