// What stands behind the server in these tests.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deprov/server/server.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace deprov::test {

/// Answers with a function, inside the call.
class Immediate final : public service::Handler {
 public:
  explicit Immediate(std::function<service::Response(const service::Request&)> f) : f_(std::move(f)) {}
  void handle(service::Request request, service::Responder respond) override { respond(f_(request)); }

 private:
  std::function<service::Response(const service::Request&)> f_;
};

/// `method target body`
inline service::Response echo(const service::Request& r) {
  service::Response out;
  out.headers.push_back({"Content-Type", "text/plain"});
  out.body = r.method + " " + r.target + " " + r.body;
  return out;
}

/// Keeps what comes until the test answers it from its own thread.
class Deferred final : public service::Handler {
 public:
  struct Item {
    service::Request request;
    service::Responder respond;
  };
  void handle(service::Request request, service::Responder respond) override {
    const std::scoped_lock lock(mutex_);
    items_.push_back({std::move(request), std::move(respond)});
    came_.notify_all();
  }
  /// Waits for the next; nothing after a minute.
  std::optional<Item> next() {
    std::unique_lock lock(mutex_);
    if (!came_.wait_for(lock, std::chrono::minutes(1), [this] { return !items_.empty(); })) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    return item;
  }
  std::size_t size() {
    const std::scoped_lock lock(mutex_);
    return items_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Item> items_;
};

/// A stream whose pieces the test pushes from its own thread.
class PushedStream final : public service::BodyStream {
 public:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::optional<std::string>> pieces;
    port::UniqueFunction<void(std::optional<std::string>)> asked;
    bool destroyed = false;

    void push(std::optional<std::string> piece) {
      std::unique_lock lock(mutex);
      if (!asked) return pieces.push_back(std::move(piece));
      auto done = std::move(asked);
      asked = {};
      lock.unlock();
      done(std::move(piece));
    }
    /// False after a minute.
    bool wait_destroyed() {
      std::unique_lock lock(mutex);
      return changed.wait_for(lock, std::chrono::minutes(1), [this] { return destroyed; });
    }
  };

  explicit PushedStream(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  ~PushedStream() override {
    const std::scoped_lock lock(shared_->mutex);
    shared_->destroyed = true;
    shared_->changed.notify_all();
  }
  void next(port::UniqueFunction<void(std::optional<std::string>)> done) override {
    std::unique_lock lock(shared_->mutex);
    if (shared_->pieces.empty()) {
      shared_->asked = std::move(done);
      return;
    }
    auto piece = std::move(shared_->pieces.front());
    shared_->pieces.pop_front();
    lock.unlock();
    done(std::move(piece));
  }

 private:
  std::shared_ptr<Shared> shared_;
};

inline server::ServerOptions local() {
  server::ServerOptions o;
  o.port = 0;
  return o;
}

/// Polls what another thread will make true; false after a minute.
inline bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace deprov::test
