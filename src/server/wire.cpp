#include "server/wire.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <deprov/error.hpp>

namespace deprov::server {

namespace {

bool is_the_servers(std::string_view name) {
  switch (name.size()) {
    case 4: return is_named(name, "date");
    case 6: return is_named(name, "server");
    case 10: return is_named(name, "connection") || is_named(name, "keep-alive");
    case 14: return is_named(name, "content-length");
    case 17: return is_named(name, "transfer-encoding");
    default: return false;
  }
}

bool is_token(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  });
}

void append_number(std::string& out, std::size_t n, int base = 10) {
  std::array<char, 24> digits;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by to_chars
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), n, base).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void append_json_string(std::string& out, std::string_view s) {
  constexpr std::string_view hex = "0123456789abcdef";
  out.push_back('"');
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (u < 0x20 || u > 0x7e) {
      out.append("\\u00").push_back(hex[u >> 4U]);
      out.push_back(hex[u & 15U]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

Errc code_of(int status) {
  switch (status) {
    case 408: return Errc::timeout;
    case 413:
    case 414:
    case 431: return Errc::limit_exceeded;
    case 417:
    case 501: return Errc::unsupported;
    case 500: return Errc::internal;
    case 503: return Errc::busy;
    case 505: return Errc::protocol;
    default: return Errc::invalid_syntax;
  }
}

}  // namespace

bool is_named(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + 32) : x) == y; });
}

std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "";  // RFC 9112 section 4: the phrase may be empty, the space before it may not
  }
}

void append_head(std::string& out, const service::Response& response, const HeadFacts& facts) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::size_t>(response.status));
  out.append(" ").append(reason_phrase(response.status)).append("\r\nServer: deprov\r\nDate: ");
  out.append(facts.date).append("\r\n");
  for (const auto& h : response.headers)
    if (!is_the_servers(h.name)) out.append(h.name).append(": ").append(h.value).append("\r\n");
  switch (facts.framing) {
    case Framing::length:
      out.append("Content-Length: ");
      append_number(out, response.body.size());
      out.append("\r\n");
      break;
    case Framing::chunked: out.append("Transfer-Encoding: chunked\r\n"); break;
    case Framing::none:
    case Framing::close: break;
  }
  if (!facts.keep_alive)
    out.append("Connection: close\r\n");
  else if (!facts.http_1_1)
    out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
}

std::optional<std::string> unsendable(const service::Response& response) {
  if (response.status < 200 || response.status > 599)
    return "the handler answered with the status " + std::to_string(response.status);
  for (const auto& h : response.headers) {
    if (!is_token(h.name)) return "the handler answered with a header whose name is not one";
    if (std::any_of(h.value.begin(), h.value.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }))
      return "the handler answered with a line break in the header " + h.name;
  }
  return std::nullopt;
}

service::Response refusal_response(int status, std::string_view detail, std::string_view target) {
  const bool scim = target.substr(0, 5) == "/scim" && (target.size() == 5 || target[5] == '/' || target[5] == '?');
  service::Response r;
  r.status = status;
  r.headers.push_back({"Content-Type", scim ? "application/scim+json" : "application/json"});
  if (status == 503) r.headers.push_back({"Retry-After", "1"});
  if (scim) {
    r.body = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":")";
    r.body.append(std::to_string(status)).append(R"(","detail":)");
    append_json_string(r.body, detail);
    r.body += '}';
  } else {
    r.body = R"({"error":{"code":")";
    r.body.append(to_string(code_of(status))).append(R"(","message":)");
    append_json_string(r.body, detail);
    r.body += R"(,"where":"","advice":""}})";
  }
  return r;
}

std::string http_date(std::time_t t) {
  constexpr std::array<const char*, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm tm{};
  gmtime_r(&t, &tm);
  std::string out(days.at(static_cast<std::size_t>(tm.tm_wday)));  // strftime would follow the locale
  const auto two = [&out](int n) {
    if (n < 10) out.push_back('0');
    append_number(out, static_cast<std::size_t>(n));
  };
  out.append(", ");
  two(tm.tm_mday);
  out.append(" ").append(months.at(static_cast<std::size_t>(tm.tm_mon))).append(" ");
  append_number(out, static_cast<std::size_t>(tm.tm_year + 1900));
  out.append(" ");
  two(tm.tm_hour);
  out.append(":");
  two(tm.tm_min);
  out.append(":");
  two(tm.tm_sec);
  out.append(" GMT");
  return out;
}

void append_chunk_size(std::string& out, std::size_t size) {
  append_number(out, size, 16);
  out.append("\r\n");
}

}  // namespace deprov::server
