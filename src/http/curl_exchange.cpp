#include "curl_exchange.hpp"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace deprov::http {

namespace {

using port::HttpFailure;
using Kind = port::HttpFailure::Kind;

constexpr std::size_t max_header_bytes = 256U << 10U;
constexpr std::size_t max_detail = 300;

bool is_token(std::string_view s) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !s.empty() && std::all_of(s.begin(), s.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           others.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u == '\t' || (u >= 0x20 && u != 0x7F);
  });
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

HttpFailure not_sendable(std::string detail) { return {Kind::protocol, false, std::move(detail)}; }

Kind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return Kind::resolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
    case CURLE_INTERFACE_FAILED: return Kind::connect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT: return Kind::tls;
    case CURLE_OPERATION_TIMEDOUT: return Kind::timeout;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_LOGIN_DENIED:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_BAD_CONTENT_ENCODING: return Kind::protocol;
    default: return Kind::broken;
  }
}

long milliseconds(Duration d) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(d).count();
  return static_cast<long>(std::clamp<std::int64_t>(ms, 1, 24LL * 3600 * 1000));
}

/// All the options that are set here take a long, a pointer or a function; none of them can fail but for
/// memory, or because this libcurl was built without the feature, which its answer to the request shows.
template <class T>
void set(CURL* easy, CURLoption option, T value) {
  curl_easy_setopt(easy, option, value);
}

}  // namespace

std::optional<HttpFailure> Exchange::prepare(Easy handle, const CurlOptions& options) {
  easy_ = std::move(handle);
  if (!easy_) return HttpFailure{Kind::broken, false, "no memory for a request"};
  const bool http = request.url.substr(0, 7) == "http://";
  if (!http && request.url.substr(0, 8) != "https://")
    return not_sendable("the URL begins neither with http:// nor with https://");
  if (request.url.find_first_of(std::string_view("\0 \t\r\n", 5)) != std::string::npos)
    return not_sendable("the URL has a space or a control character");
  if (!is_token(request.method)) return not_sendable("the method is not a token of RFC 9110");
  auto* const e = easy_.get();
  set(e, CURLOPT_ERRORBUFFER, error_.data());
  set(e, CURLOPT_PRIVATE, static_cast<void*>(this));
  set(e, CURLOPT_NOSIGNAL, 1L);
  set(e, CURLOPT_URL, request.url.c_str());
  set(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(e, CURLOPT_PATH_AS_IS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
  set(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  set(e, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  set(e, CURLOPT_FOLLOWLOCATION, 0L);
  set(e, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(e, CURLOPT_TIMEOUT_MS, milliseconds(request.timeout));
  set(e, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(std::min(request.timeout, request.peer.connect_timeout)));
  set(e, CURLOPT_MAXAGE_CONN,
      static_cast<long>(std::max<std::int64_t>(milliseconds(options.idle_connection) / 1000, 1)));
  set(e, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  set(e, CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(e, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  set(e, CURLOPT_HEADERDATA, static_cast<void*>(this));
  egress_ = options.egress;
  set(e, CURLOPT_OPENSOCKETFUNCTION, &Exchange::on_socket);
  set(e, CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  set(e, CURLOPT_PREREQFUNCTION, &Exchange::on_request);
  set(e, CURLOPT_PREREQDATA, static_cast<void*>(this));
  set_peer();
  set_body();
  return set_headers(options);
}

void Exchange::set_peer() {
  auto* const e = easy_.get();
  const auto& peer = request.peer;
  set(e, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(e, CURLOPT_SSL_VERIFYPEER, peer.verify_tls ? 1L : 0L);
  set(e, CURLOPT_SSL_VERIFYHOST, peer.verify_tls ? 2L : 0L);
  // A CA of one's own stands in the place of the system's, not beside it.
  if (!peer.ca_pem.empty()) {
    curl_blob blob{const_cast<char*>(peer.ca_pem.data()), peer.ca_pem.size(), CURL_BLOB_COPY};
    set(e, CURLOPT_CAINFO_BLOB, &blob);
    set(e, CURLOPT_CAPATH, static_cast<char*>(nullptr));
  } else if (!peer.ca_file.empty()) {
    set(e, CURLOPT_CAINFO, peer.ca_file.c_str());
    set(e, CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  // Empty strings, not none: they keep libcurl from reading http_proxy and no_proxy.
  set(e, CURLOPT_PROXY, peer.proxy.c_str());
  set(e, CURLOPT_NOPROXY, "");
  if (!peer.proxy.empty() && !peer.proxy_user.empty()) {
    set(e, CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(e, CURLOPT_PROXYUSERNAME, peer.proxy_user.c_str());
    set(e, CURLOPT_PROXYPASSWORD, peer.proxy_password.c_str());
  }
}

void Exchange::set_body() {
  auto* const e = easy_.get();
  const auto& method = request.method;
  if (method == "HEAD") {
    set(e, CURLOPT_NOBODY, 1L);
    return;
  }
  if (!request.body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    set(e, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(e, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  set(e, CURLOPT_CUSTOMREQUEST, method.c_str());
}

std::optional<HttpFailure> Exchange::set_headers(const CurlOptions& options) {
  bool has_type = false;
  bool has_agent = false;
  curl_slist* list = nullptr;
  const auto add = [&](const std::string& line) {
    auto* const longer = curl_slist_append(list, line.c_str());
    if (longer == nullptr) return false;
    list = longer;
    if (headers_.get() != list) {
      (void)headers_.release();
      headers_.reset(list);
    }
    return true;
  };
  for (const auto& h : request.headers) {
    if (!is_token(h.name)) return not_sendable("a header's name is not a token of RFC 9110");
    if (!is_field_value(h.value))
      return not_sendable("the value of the header " + h.name + " has a control character");
    has_type = has_type || same_name(h.name, "Content-Type");
    has_agent = has_agent || same_name(h.name, "User-Agent");
    // "Name:" would take a header away; "Name;" sends it empty.
    if (!add(h.value.empty() ? h.name + ";" : h.name + ": " + h.value))
      return HttpFailure{Kind::broken, false, "no memory"};
  }
  if (!has_type) add("Content-Type:");
  add("Expect:");
  if (!has_agent) set(easy_.get(), CURLOPT_USERAGENT, options.user_agent.c_str());
  set(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
  return std::nullopt;
}

curl_socket_t Exchange::on_socket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
  auto& x = *static_cast<Exchange*>(self);
  std::array<std::uint8_t, 16> bytes{};
  if (address->family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address->addr, sizeof v4);
    bytes[10] = bytes[11] = 0xFF;
    std::memcpy(bytes.data() + 12, &v4.sin_addr, 4);
  } else if (address->family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address->addr, std::min<std::size_t>(sizeof v6, address->addrlen));
    std::memcpy(bytes.data(), &v6.sin6_addr, 16);
  } else {
    return CURL_SOCKET_BAD;
  }
  if (!allows(x.egress_, bytes)) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
    x.refused_address_ = text.data();
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int Exchange::on_request(void* self, char*, char*, int, int) noexcept {
  auto& x = *static_cast<Exchange*>(self);
  ++x.requests_begun_;
  if (x.requests_begun_ == 1 || x.request.method == "GET" || x.request.method == "HEAD") return CURL_PREREQFUNC_OK;
  // libcurl found a kept-alive connection dead and is about to repeat. It may only where nothing was written.
  long written = 0;
  curl_easy_getinfo(x.easy_.get(), CURLINFO_REQUEST_SIZE, &written);
  if (written == 0) return CURL_PREREQFUNC_OK;
  x.repeat_refused_ = true;
  return CURL_PREREQFUNC_ABORT;
}

std::size_t Exchange::on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  auto& x = *static_cast<Exchange*>(self);
  const auto n = size * count;
  if (n > x.request.max_response_bytes || x.response_.body.size() > x.request.max_response_bytes - n) {
    x.body_too_large_ = true;
    return 0;
  }
  x.response_.body.append(data, n);
  return n;
}

std::size_t Exchange::on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  auto& x = *static_cast<Exchange*>(self);
  const auto n = size * count;
  x.header_bytes_ += n;
  if (x.header_bytes_ > max_header_bytes) {
    x.headers_too_large_ = true;
    return 0;
  }
  std::string_view line(data, n);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.substr(0, 5) == "HTTP/") {
    x.response_.headers.clear();  // of an interim response
    x.headers_complete_ = false;
    return n;
  }
  if (line.empty()) {
    x.headers_complete_ = true;
    return n;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return n;
  auto value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  x.response_.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
  return n;
}

bool Exchange::sent() const {
  if (requests_begun_ == 0)
    return false;  // not even a connection (a CONNECT to a proxy is no part of the request)
  if (requests_begun_ > 1) return true;
  long written = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_REQUEST_SIZE, &written);
  return written > 0;
}

port::HttpResult Exchange::finish(CURLcode code) {
  port::HttpResult result;
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  // libcurl takes a connection that ends within the headers for the end of a response.
  const bool cut_off = code == CURLE_OK && !headers_complete_;
  if (code == CURLE_OK && !cut_off && status >= 200 && status <= 999) {
    response_.status = static_cast<int>(status);
    result.response = std::move(response_);
    return result;
  }
  auto& f = result.failure;
  f.sent = sent();
  if (body_too_large_) {
    f.kind = Kind::too_large;
    f.detail = "the response is longer than " + std::to_string(request.max_response_bytes) + " bytes";
    return result;
  }
  if (headers_too_large_) {
    f.kind = Kind::too_large;
    f.detail = "the headers of the response are longer than " + std::to_string(max_header_bytes) + " bytes";
    return result;
  }
  if (repeat_refused_) {
    f.kind = Kind::broken;
    f.detail = "the connection was closed after the request was written and before an answer came";
    return result;
  }
  if (cut_off) {
    f.kind = Kind::broken;
    f.detail = "the connection ended within the headers of the response";
    return result;
  }
  if (!refused_address_.empty() && !f.sent && code == CURLE_COULDNT_CONNECT) {
    f.kind = Kind::connect;
    f.detail = "the address " + refused_address_ + " is refused by the egress rule \"" +
               std::string(to_string(egress_)) + "\"";
    return result;
  }
  f.kind = code == CURLE_OK ? Kind::protocol : kind_of(code);
  // A proxy that refuses the tunnel shows as a receive error.
  if (f.kind == Kind::broken && !f.sent) f.kind = Kind::connect;
  const std::string_view text = error_[0] != '\0' ? std::string_view(error_.data()) : curl_easy_strerror(code);
  f.detail = std::string(text.substr(0, max_detail));
  return result;
}

port::HttpResult Exchange::cancelled() {
  port::HttpResult result;
  result.failure.kind = Kind::cancelled;
  result.failure.sent = easy_ != nullptr && sent();
  result.failure.detail = "the request was cancelled";
  return result;
}

}  // namespace deprov::http
