// An IdP that deactivates users one after the other and sends again what was not acknowledged.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace deprov::test {

/// Several keep-alive connections, a thread each. What is released is sent until it is acknowledged, however often
/// the server goes away in between; after each reconnection the last acknowledged user is read and has to be
/// inactive still.
class IdpClient {
 public:
  struct Target {
    std::uint16_t port = 0;
    std::string base;   ///< /scim/v2/...
    std::string token;  ///< of the integration
  };
  /// `users`: their SCIM ids, in the order in which they are to be deactivated.
  IdpClient(Target target, std::vector<std::string> users, std::size_t connections);
  ~IdpClient();
  IdpClient(const IdpClient&) = delete;
  IdpClient& operator=(const IdpClient&) = delete;

  /// Lets the first `count` users be sent.
  void release(std::size_t count);
  [[nodiscard]] std::size_t acknowledged() const noexcept { return acknowledged_; }
  [[nodiscard]] std::size_t reconnections() const noexcept { return reconnections_; }
  /// Requests that were sent more than once.
  [[nodiscard]] std::size_t repeated() const noexcept { return repeated_; }
  /// Answers that no server may give, in words.
  [[nodiscard]] std::vector<std::string> complaints() const;

 private:
  void run();
  /// The next user to send; nothing at the end.
  bool take(std::size_t& user);
  void complain(std::string what);

  const Target target_;
  const std::vector<std::string> users_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0, released_ = 0;
  bool stopping_ = false;
  std::vector<std::string> complaints_;
  std::atomic<std::size_t> acknowledged_{0}, reconnections_{0}, repeated_{0};
  std::vector<std::thread> threads_;
};

}  // namespace deprov::test
