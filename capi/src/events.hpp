// What ended and was not taken yet, and what is under way.
#pragma once

#include <deprov.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deprov/error.hpp>
#include <deprov/runtime/notice.hpp>
#include <deprov/service/http.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>
#include "blocks.hpp"

namespace deprov::capi {

class Core;

/// The completion queue of one engine. *Thread safety*: any thread.
class Events {
 public:
  static constexpr std::size_t most = 65'536;

  ~Events();
  Events() = default;
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  /// An answer that comes inside the call which begins the request, on its thread: it passes the queue by, which
  /// nobody has to be woken for. One for a request.
  class Caught {
   public:
    explicit Caught(const Events& events) noexcept;
    ~Caught();
    Caught(const Caught&) = delete;
    Caught& operator=(const Caught&) = delete;
    void expect(std::uint64_t token) noexcept { token_ = token; }
    /// Whoever takes it has the response. Nothing: it comes through the queue.
    [[nodiscard]] std::optional<deprov_event> take() noexcept { return std::exchange(event_, std::nullopt); }

   private:
    friend class Events;
    const Events* events_;
    Caught* before_;
    std::uint64_t token_ = 0;  // no request has it
    std::optional<deprov_event> event_;
  };

  /// Of whose requests they are; before the first begins.
  void belong_to(std::weak_ptr<Core> core) { core_ = std::move(core); }
  [[nodiscard]] const std::weak_ptr<Core>& core() const noexcept { return core_; }
  [[nodiscard]] const std::shared_ptr<Blocks>& blocks() const noexcept { return blocks_; }

  /// A request begins, which ends with an event of this kind. Errors: `closed`, `busy`.
  Result<std::uint64_t> begin(int32_t kind, void* user);
  /// It was answered; the event belongs to the queue until it is taken. Nobody waits for it: no effect.
  void finish(std::uint64_t token, std::unique_ptr<deprov_response> response);
  /// It could not be begun after all, and has no event. It has ended: no effect.
  void forget(std::uint64_t token);
  /// False: it has ended.
  bool cancel(std::uint64_t token);
  /// Whether it has not ended yet.
  [[nodiscard]] bool is_under_way(std::uint64_t token) const;
  void piece(void* user);

  std::size_t take(deprov_event* out, std::size_t count);
  /// Up while there is something to take, and from the end on.
  [[nodiscard]] const runtime::Notice& ready() const noexcept { return ready_; }
  /// Up once `refuse` was called and no request is under way any more.
  [[nodiscard]] const runtime::Notice& idle() const noexcept { return idle_; }

  /// No request begins any more.
  void refuse();
  /// Ends what is under way as cancelled, and answers its tokens; from here on `over` once all is taken.
  std::vector<std::uint64_t> end();
  [[nodiscard]] bool over() const;

 private:
  /// A token is its place and how often that was used: nothing is looked for, and nothing allocated.
  struct Place {
    std::uint64_t use = 0;
    void* user = nullptr;
    int32_t kind = 0;
    bool taken = false;
  };
  [[nodiscard]] Place* find_locked(std::uint64_t token);
  [[nodiscard]] const Place* find_locked(std::uint64_t token) const;
  void push_locked(const deprov_event& event);
  void free_locked(Place& place, std::uint64_t token);
  void end_locked(Place& place, std::uint64_t token, deprov_status status, deprov_response* response);

  std::weak_ptr<Core> core_;
  std::shared_ptr<Blocks> blocks_ = std::make_shared<Blocks>();
  mutable std::mutex mutex_;
  std::deque<deprov_event> queue_;
  std::atomic<bool> some_{false};  // whether the queue has any, for who would only look
  std::vector<Place> places_;
  std::vector<std::uint32_t> free_;
  std::size_t under_way_ = 0;
  bool refusing_ = false;
  bool ended_ = false;
  runtime::Notice ready_;
  runtime::Notice idle_;
};

}  // namespace deprov::capi
