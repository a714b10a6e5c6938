// A connector with an executor of its own, called as the engine calls it, one answer at a time.
#pragma once

#include <boost/json/object.hpp>
#include <deprov/connectors/connectors.hpp>
#include <deprov/crypto/crypto.hpp>
#include <deprov/http/curl_transport.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <deprov/runtime/random.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include "catch.hpp"

namespace deprov::test {

namespace json = boost::json;
using connector::Call;
using connector::Operation;
using connector::Outcome;
using connector::Reply;

inline std::string name(Outcome o) { return std::string(to_string(o)); }

/// Compared by name, so that a failure shows both.
inline void check_outcome(const Reply& r, Outcome o) {
  INFO(r.detail);
  CHECK(name(r.outcome) == name(o));
}

class Bench {
 public:
  Bench() : http(http::make_curl_transport()), executor("test") {}
  /// The order in which a host ends: no task runs any more, then no exchange, then nobody posts.
  ~Bench() {
    executor.stop();
    http.reset();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  /// A test that waits for an answer that never comes fails after a while.
  static Reply call(connector::Connector& c, Call call) {
    runtime::Event done;
    Reply reply;
    c.start(std::move(call), [&](Reply r) {
      reply = std::move(r);
      done.set();
    });
    REQUIRE(done.wait_for(std::chrono::minutes(2)));
    return reply;
  }

  [[nodiscard]] port::ConnectorHost host() { return {executor, clock, random, *http}; }

  [[nodiscard]] Result<std::unique_ptr<connector::Connector>> open(const std::string& kind,
                                                                   const json::object& config) {
    return kinds.at(kind)->open(config, host());
  }

  port::ConnectorKinds kinds = builtin_connectors();
  runtime::SystemClock clock;
  runtime::SeededRandom random{1};
  std::unique_ptr<port::HttpTransport> http;
  runtime::ThreadedExecutor executor;
};

inline Call make_call(Operation o, std::string account = {}) {
  Call c;
  c.operation = o;
  c.account_id = std::move(account);
  c.timeout = std::chrono::minutes(1);
  return c;
}

}  // namespace deprov::test
