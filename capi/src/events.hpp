// What ended and was not taken yet, and what is under way.
#pragma once

#include <deprov.h>
#include <deprov/error.hpp>
#include <deprov/runtime/notice.hpp>
#include <deprov/service/http.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace deprov::capi {

/// The completion queue of one engine. *Thread safety*: any thread.
class Events {
 public:
  static constexpr std::size_t most = 65'536;

  ~Events();
  Events() = default;
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  /// A request begins, which ends with an event of this kind. Errors: `closed`, `busy`.
  Result<std::uint64_t> begin(int32_t kind, void* user);
  /// It was answered; the event belongs to the queue until it is taken. Nobody waits for it: no effect.
  void finish(std::uint64_t token, std::unique_ptr<deprov_response> response);
  /// False: it has ended.
  bool cancel(std::uint64_t token);
  /// Whether it has not ended yet.
  [[nodiscard]] bool is_under_way(std::uint64_t token) const;
  void piece(void* user);

  std::size_t take(deprov_event* out, std::size_t count);
  /// Up while there is something to take, and from the end on.
  [[nodiscard]] const runtime::Notice& ready() const noexcept { return ready_; }
  /// Up while no request is under way.
  [[nodiscard]] const runtime::Notice& idle() const noexcept { return idle_; }

  /// No request begins any more.
  void refuse();
  /// Ends what is under way as cancelled, and answers its tokens; from here on `over` once all is taken.
  std::vector<std::uint64_t> end();
  [[nodiscard]] bool over() const;

 private:
  void push_locked(const deprov_event& event);
  void settle_locked();

  mutable std::mutex mutex_;
  std::deque<deprov_event> queue_;
  struct UnderWay {
    int32_t kind;
    void* user;
  };
  std::unordered_map<std::uint64_t, UnderWay> under_way_;
  std::uint64_t last_ = 0;
  bool refusing_ = false;
  bool ended_ = false;
  runtime::Notice ready_;
  runtime::Notice idle_ = [] {
    runtime::Notice notice;
    notice.set();
    return notice;
  }();
};

}  // namespace deprov::capi
