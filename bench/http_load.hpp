// A load generator for HTTP/1.1: some connections kept alive, one request at a time on each, one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace deprov::bench {

struct HttpLoad {
  std::uint16_t port = 0;  ///< on 127.0.0.1
  std::size_t connections = 64;
  std::size_t requests = 100'000;
  /// Appends request number `n` (0, 1, ...) to `out`, which is empty; whole, with its Host field.
  std::function<void(std::uint64_t n, std::string& out)> request;
  /// Nothing for so long ends the run with an error.
  std::chrono::milliseconds silence{30'000};
};

struct HttpLoadResult {
  std::size_t requests = 0;
  std::size_t not_2xx = 0;
  int first_other_status = 0;  ///< of those
  std::string first_other_body;
  double seconds = 0;
  double rate = 0;  ///< requests a second
  double p50_us = 0, p90_us = 0, p99_us = 0, max_us = 0;
  double client_cpu_seconds = 0;  ///< of the generator's own thread
  double other_cpu_seconds = 0;   ///< of the rest of the process: the server's, where it lives here
};

/// Runs on the calling thread until all are answered.
/// Errors: `io`, `protocol`, `timeout`, with how far it came.
[[nodiscard]] Result<HttpLoadResult> run_http_load(const HttpLoad& load);

/// One request, for looking at its answer: the status line and fields, and the body.
struct HttpAnswer {
  int status = 0;
  std::string head;
  std::string body;
};
[[nodiscard]] Result<HttpAnswer> ask_once(std::uint16_t port, const std::string& request);

/// A request as an IdP sends one: Host, User-Agent, Accept, Authorization, and Content-Type where there is a body.
void append_scim_request(std::string& out, std::string_view method, std::string_view target,
                         std::string_view token, std::string_view body = {});

}  // namespace deprov::bench
