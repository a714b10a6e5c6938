// An app behind SCIM and HTTP without a socket: another deprov, whose exchanges fail when told.
#pragma once

#include <cstddef>
#include <deprov/port/http_transport.hpp>
#include <string>
#include "faults/scenario.hpp"
#include "support/scim_world.hpp"

namespace deprov::test {

class ScimApp final : public port::HttpTransport {
 public:
  enum class Kind {
    none,
    not_sent,       ///< the connection is refused
    request_lost,   ///< sent, never arrived, and no answer
    answer_lost,    ///< it arrived and was done, and the answer never came
    broken_answer,  ///< done, and the answer is no JSON
    unavailable,    ///< 503
    throttled,      ///< 429 with Retry-After
    unauthorized,   ///< 401
    error           ///< 500, and it was done
  };
  struct Fault {
    Kind kind = Kind::none;
    std::size_t at = 0;  ///< counted from 1 over the exchanges since `set`
    bool lasts = false;
  };

  void set(Fault fault);
  void heal() { fault_ = {}; }
  [[nodiscard]] std::size_t exchanges() const noexcept { return exchanges_; }
  [[nodiscard]] AppView view();
  /// The configuration of a connection to it.
  [[nodiscard]] std::string config() const;

  port::HttpCallId send(port::HttpRequest request, port::UniqueFunction<void(port::HttpResult)> done) override;
  void cancel(port::HttpCallId) override {}

 private:
  port::HttpResult carry_out(const port::HttpRequest& request);

  ScimWorld app_;
  Fault fault_;
  std::size_t exchanges_ = 0;
};

}  // namespace deprov::test
