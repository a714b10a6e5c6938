// Yardstick: what Boost.Beast alone does with a request, on one thread, without any of our code.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace deprov::bench {

/// Reads whole requests (bodies and all) and answers each with the same bytes; keep-alive, TCP_NODELAY.
class BareBeastServer {
 public:
  BareBeastServer(int status, std::vector<std::pair<std::string, std::string>> fields, std::string body);
  ~BareBeastServer();
  BareBeastServer(const BareBeastServer&) = delete;
  BareBeastServer& operator=(const BareBeastServer&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace deprov::bench
