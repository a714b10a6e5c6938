// One engine on a SQLite store in a temporary directory, with users in it, driven through the SCIM service.
#pragma once

#include <cstddef>
#include <deprov/crypto/crypto.hpp>
#include <deprov/engine/engine.hpp>
#include <deprov/http/curl_transport.hpp>
#include <deprov/runtime/clock.hpp>
#include <deprov/runtime/threaded_executor.hpp>
#include <deprov/service/scim_service.hpp>
#include <deprov/store/sqlite_store.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>
#include "scale.hpp"

namespace deprov::bench {

/// A directory that is gone when the object is.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

struct WorldOptions {
  std::size_t users = 100'000;
  bool paused = true;             ///< the lane
  bool bound = true;              ///< every subject has its account
  std::size_t group_members = 0;  ///< of one group; that many of the users
  /// The guard counts, and lets everything pass.
  std::string policy =
      R"({"guard":{"percent":100,"absolute":1000000000,"small":{"below":0},"group":{"percent":100}}})";
  bool start_engine = true;
};

struct Rate {
  std::size_t requests = 0;
  std::size_t failures = 0;
  double seconds = 0;
  std::string first_failure;  ///< its status and body
  double p50_us = 0, p99_us = 0;
  [[nodiscard]] double per_second() const { return static_cast<double>(requests) / seconds; }
};

class EngineWorld {
 public:
  explicit EngineWorld(const WorldOptions& options);
  ~EngineWorld();
  EngineWorld(const EngineWorld&) = delete;
  EngineWorld& operator=(const EngineWorld&) = delete;

  [[nodiscard]] service::Request request(const std::string& method, const std::string& path,
                                         std::string body = {}) const;
  /// `in_flight` at a time; `make(i)` for i in [0, count).
  Rate drive(std::size_t count, std::size_t in_flight, const std::function<service::Request(std::size_t)>& make);
  /// Waits until no job of the integration is unfinished; answers how many are finished.
  std::size_t drain();
  /// Waits until nothing is left to be worked off in pieces.
  void wait_for_work();
  /// One deactivation after the other on an idle engine: the median time until its job is durably `sent`, which is
  /// when the connector is called; and that of three commits of one row each. In microseconds.
  std::pair<double, double> request_to_call(std::size_t count);

  std::vector<ResourceId> users;
  ResourceId group;
  std::string token = "dpg_benchmark";
  port::Scope scope;

  ScratchDirectory directory;
  runtime::SystemClock clock;
  std::unique_ptr<port::Crypto> crypto = crypto::make_crypto();
  std::unique_ptr<port::Random> random = crypto::make_system_random();
  std::unique_ptr<port::HttpTransport> http;
  std::unique_ptr<runtime::ThreadedExecutor> executor;
  std::unique_ptr<port::Store> store;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<service::ScimService> scim;

 private:
  void populate(const WorldOptions& options);
  void commit(port::Transaction txn);
};

}  // namespace deprov::bench
