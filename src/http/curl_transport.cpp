#include <curl/curl.h>
#include <deprov/http/curl_transport.hpp>
#include <deprov/runtime/event_thread.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>
#include "curl_exchange.hpp"

namespace deprov::http {

namespace {

using port::HttpFailure;
using port::HttpResult;
using Done = port::UniqueFunction<void(HttpResult)>;

constexpr std::size_t spare_handles = 256;
constexpr int idle_poll_ms = 60'000;  // `wakeup` ends it; libcurl's own timers shorten it

struct FreeMulti {
  void operator()(CURLM* p) const noexcept { curl_multi_cleanup(p); }
};

void initialise_once() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::runtime_error("libcurl cannot be set up");
}

class CurlTransport final : public port::HttpTransport {
 public:
  explicit CurlTransport(const CurlOptions& options) : options_(options) {
    initialise_once();
    multi_.reset(curl_multi_init());
    if (!multi_) throw std::runtime_error("libcurl cannot be set up");
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(options.max_connections));
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS,
                      static_cast<long>(options.max_connections_per_host));
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(options.max_connections));
  }

  ~CurlTransport() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    curl_multi_wakeup(multi_.get());
    if (thread_) thread_->join();
  }

  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  port::HttpCallId send(port::HttpRequest request, Done done) override {
    std::unique_lock lock(mutex_);
    const auto id = ++last_id_;
    if (closing_ || in_flight_ >= options_.max_in_flight) {
      const bool closing = closing_;
      lock.unlock();
      HttpResult result;
      result.failure = {closing ? HttpFailure::Kind::cancelled : HttpFailure::Kind::connect, false,
                        closing ? "the transport is closing"
                                : std::to_string(options_.max_in_flight) + " requests are in flight already"};
      done(std::move(result));
      return id;
    }
    if (!thread_) thread_.emplace("deprov-http", [this] { run(); });  // whoever never sends has no thread
    ++in_flight_;
    arrived_.push_back(std::make_unique<Exchange>(id, std::move(request), std::move(done)));
    wake(lock);
    return id;
  }

  void cancel(port::HttpCallId id) override {
    std::unique_lock lock(mutex_);
    to_cancel_.push_back(id);
    wake(lock);
  }

 private:
  void wake(std::unique_lock<std::mutex>& lock) {
    const bool first = !std::exchange(woken_, true);
    lock.unlock();
    if (first) curl_multi_wakeup(multi_.get());
  }

  void run() {
    bool closing = false;
    while (!closing) {
      closing = take_orders();
      if (closing) break;
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      if (!collect_finished()) curl_multi_poll(multi_.get(), nullptr, 0, idle_poll_ms, nullptr);
    }
    for (auto& [id, x] : exchanges_) {
      curl_multi_remove_handle(multi_.get(), x->handle());
      complete(*x, x->cancelled());
    }
    exchanges_.clear();
  }

  /// Starts what arrived and ends what was cancelled. True: the transport is closing.
  bool take_orders() {
    std::vector<std::unique_ptr<Exchange>> arrived;
    std::vector<port::HttpCallId> to_cancel;
    bool closing = false;
    {
      const std::lock_guard lock(mutex_);
      arrived.swap(arrived_);
      to_cancel.swap(to_cancel_);
      woken_ = false;
      closing = closing_;
    }
    for (auto& x : arrived) begin(std::move(x));
    for (const auto id : to_cancel) {
      const auto it = exchanges_.find(id);
      if (it == exchanges_.end()) continue;
      const auto x = std::move(it->second);
      exchanges_.erase(it);
      curl_multi_remove_handle(multi_.get(), x->handle());
      complete(*x, x->cancelled());
    }
    return closing;
  }

  void begin(std::unique_ptr<Exchange> x) {
    Easy easy;
    if (spare_.empty()) {
      easy.reset(curl_easy_init());
    } else {
      easy = std::move(spare_.back());
      spare_.pop_back();
    }
    auto refused = x->prepare(std::move(easy), options_);
    if (!refused && curl_multi_add_handle(multi_.get(), x->handle()) != CURLM_OK)
      refused = HttpFailure{HttpFailure::Kind::broken, false, "libcurl took no further request"};
    if (refused) {
      HttpResult result;
      result.failure = std::move(*refused);
      complete(*x, std::move(result));
      return;
    }
    const auto id = x->id;
    exchanges_.emplace(id, std::move(x));
  }

  bool collect_finished() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      any = true;
      const auto code = message->data.result;
      CURL* const handle = message->easy_handle;
      void* owner = nullptr;
      curl_easy_getinfo(handle, CURLINFO_PRIVATE, &owner);
      curl_multi_remove_handle(multi_.get(), handle);  // `message` is gone from here on
      const auto it = exchanges_.find(static_cast<Exchange*>(owner)->id);
      const auto x = std::move(it->second);
      exchanges_.erase(it);
      complete(*x, x->finish(code));
    }
    return any;
  }

  void complete(Exchange& x, HttpResult result) {
    {
      const std::lock_guard lock(mutex_);
      --in_flight_;
    }
    if (auto easy = x.release(); easy && spare_.size() < spare_handles) {
      curl_easy_reset(easy.get());
      spare_.push_back(std::move(easy));
    }
    x.done(std::move(result));
  }

  const CurlOptions options_;
  std::unique_ptr<CURLM, FreeMulti> multi_;

  // The thread's own.
  std::vector<Easy> spare_;
  std::unordered_map<port::HttpCallId, std::unique_ptr<Exchange>> exchanges_;

  std::mutex mutex_;
  std::vector<std::unique_ptr<Exchange>> arrived_;
  std::vector<port::HttpCallId> to_cancel_;
  port::HttpCallId last_id_ = 0;
  std::size_t in_flight_ = 0;
  bool woken_ = false;
  bool closing_ = false;

  std::optional<runtime::EventThread> thread_;
};

}  // namespace

std::unique_ptr<port::HttpTransport> make_curl_transport(const CurlOptions& options) {
  return std::make_unique<CurlTransport>(options);
}

}  // namespace deprov::http
