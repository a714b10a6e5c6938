// The threads of one connection, for libraries whose functions wait: calls go in by `start`, which must come back
// soon, and are worked off one by one, each thread with a session of its own.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deprov_connector.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace deprov_connectors {

using deprov_sdk::Call;
using deprov_sdk::Failure;

/// When a call has to be over, and whether somebody wants it to be over sooner.
class Patience {
 public:
  Patience(const Call& call, const std::atomic<bool>& closing)
      : call_(call), closing_(closing), end_(Clock::now() + std::chrono::milliseconds(call.timeout_ms())) {}

  [[nodiscard]] int left_ms() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
  }
  [[nodiscard]] bool is_over() const { return left_ms() == 0; }
  [[nodiscard]] bool is_cancelled() const { return closing_ || call_.is_cancelled(); }
  /// How long to wait before it is looked at again.
  [[nodiscard]] int slice_ms() const { return std::min(left_ms(), 50); }

 private:
  using Clock = std::chrono::steady_clock;
  Call call_;
  const std::atomic<bool>& closing_;
  Clock::time_point end_;
};

/// How long something has been lying about.
class Age {
 public:
  void begin_anew() { since_ = std::chrono::steady_clock::now(); }
  [[nodiscard]] bool is_more_than(std::chrono::seconds s) const {
    return std::chrono::steady_clock::now() - since_ > s;
  }

 private:
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

template <class Session>
class Threads {
 public:
  using Work = std::function<void(Session&, const Call&, const Patience&)>;

  /// `make` is called by each thread for itself, with its first call.
  Threads(std::size_t most, std::function<std::unique_ptr<Session>()> make)
      : most_(std::max<std::size_t>(most, 1)), make_(std::move(make)) {}
  /// Ends what runs, as soon as that looks at its patience, and waits for it.
  ~Threads() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    for (auto& t : threads_) t.join();
    for (const auto& item : waiting_) item.call.fail(DEPROV_OUTCOME_NOT_SENT, "the connection was closed");
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  /// Comes back at once. What `work` throws becomes the outcome.
  void run(const Call& call, Work work) {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= most_waiting) {
      throw Failure(DEPROV_OUTCOME_NOT_SENT,
                    "more than " + std::to_string(most_waiting) + " calls wait for this connection");
    }
    waiting_.push_back({call, std::move(work), Patience(call, closing_)});
    if (idle_ < waiting_.size() && threads_.size() < most_) {
      try {
        add_thread();
      } catch (const std::system_error& e) {
        if (threads_.empty()) {
          waiting_.pop_back();
          throw Failure(DEPROV_OUTCOME_NOT_SENT, std::string("no thread can be had: ") + e.what());
        }
      }
    }
    changed_.notify_one();
  }

 private:
  static constexpr std::size_t most_waiting = 10'000;
  struct Item {
    Call call;
    Work work;
    Patience patience;
  };

  /// Signals belong to the host: no thread of ours takes one.
  void add_thread() {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      threads_.emplace_back([this] { loop(); });
    } catch (...) {
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void loop() {
    std::unique_ptr<Session> session;
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      changed_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
      --idle_;
      if (closing_) return;
      const Item item = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      item.call.run([&] {
        if (item.patience.is_cancelled())
          throw Failure(DEPROV_OUTCOME_CANCELLED, "cancelled before anything was sent");
        if (item.patience.is_over())
          throw Failure(DEPROV_OUTCOME_NOT_SENT, "the time ran out before anything was sent");
        if (!session) session = make_();
        item.work(*session, item.call, item.patience);
      });
      lock.lock();
    }
  }

  const std::size_t most_;
  const std::function<std::unique_ptr<Session>()> make_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> waiting_;
  std::size_t idle_ = 0;
  std::atomic<bool> closing_{false};
  std::vector<std::thread> threads_;
};

}  // namespace deprov_connectors
