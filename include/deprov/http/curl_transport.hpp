// Outbound HTTP by libcurl.
#pragma once

#include <cstddef>
#include <deprov/config.hpp>
#include <deprov/http/egress.hpp>
#include <deprov/port/http_transport.hpp>
#include <memory>
#include <string>

namespace deprov::http {

struct CurlOptions {
  std::size_t max_connections = 512;          ///< open at once, over all hosts
  std::size_t max_connections_per_host = 64;  ///< further exchanges with that host wait, within their timeout
  std::size_t max_in_flight = 20'000;         ///< further requests fail with `sent` false
  Duration idle_connection = std::chrono::seconds(30);  ///< older idle connections are not used again
  std::string user_agent = "deprov/" DEPROV_VERSION;    ///< unless the request has its own
  /// An address that it refuses fails as if nobody listened there, with the rule in the detail.
  Egress egress = Egress::own_networks;
};

/// HTTP/1.1, and HTTP/2 where TLS negotiates it, with connections kept alive, all on one thread, which begins with
/// the first request. TLS 1.2 and newer, verified. No redirect is followed, no proxy, netrc or cookie of the
/// environment is used, nothing but http and https is spoken, URLs with a user name are refused, no content
/// encoding is asked for.
///
/// A request whose method is neither GET nor HEAD is put on the wire at most once: where a kept-alive
/// connection turns out to be dead after bytes were written, the failure is answered with `sent` true.
///
/// Completions come from the transport's thread. The destructor ends what is in flight with `cancelled`.
/// Throws `std::runtime_error` where libcurl cannot be set up.
[[nodiscard]] std::unique_ptr<port::HttpTransport> make_curl_transport(const CurlOptions& options = {});

}  // namespace deprov::http
