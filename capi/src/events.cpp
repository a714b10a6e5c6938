#include "events.hpp"
#include <algorithm>
#include <utility>
#include "response.hpp"

namespace deprov::capi {

Events::~Events() {
  for (const auto& event : queue_) deprov_response_free(event.response);
}

Result<std::uint64_t> Events::begin(int32_t kind, void* user) {
  const std::lock_guard lock(mutex_);
  if (refusing_) return Error(Errc::closed, "the engine is closed", "engine");
  if (queue_.size() + under_way_.size() >= most) {
    return Error(Errc::busy, std::to_string(most) + " requests are under way or not taken yet", "engine",
                 "take events with deprov_engine_next()");
  }
  under_way_.emplace(++last_, UnderWay{kind, user});
  idle_.clear();
  return last_;
}

void Events::finish(std::uint64_t token, std::unique_ptr<deprov_response> response) {
  const std::lock_guard lock(mutex_);
  const auto it = under_way_.find(token);
  if (it == under_way_.end()) return;
  deprov_event event{it->second.kind, DEPROV_OK, token, it->second.user, response.get(), {}};
  push_locked(event);
  static_cast<void>(response.release());
  under_way_.erase(it);
  settle_locked();
}

bool Events::cancel(std::uint64_t token) {
  const std::lock_guard lock(mutex_);
  const auto it = under_way_.find(token);
  if (it == under_way_.end()) return false;
  push_locked({it->second.kind, DEPROV_ERR_CANCELLED, token, it->second.user, nullptr, {}});
  under_way_.erase(it);
  settle_locked();
  return true;
}

bool Events::is_under_way(std::uint64_t token) const {
  const std::lock_guard lock(mutex_);
  return under_way_.count(token) != 0;
}

void Events::piece(void* user) {
  const std::lock_guard lock(mutex_);
  if (!ended_) push_locked({DEPROV_EVENT_PIECE, DEPROV_OK, 0, user, nullptr, {}});
}

std::size_t Events::take(deprov_event* out, std::size_t count) {
  const std::lock_guard lock(mutex_);
  const auto n = std::min(count, queue_.size());
  std::copy_n(queue_.begin(), n, out);
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n));
  if (queue_.empty() && !ended_) ready_.clear();
  return n;
}

void Events::refuse() {
  const std::lock_guard lock(mutex_);
  refusing_ = true;
}

std::vector<std::uint64_t> Events::end() {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> tokens;
  for (const auto& [token, what] : under_way_) tokens.push_back(token);
  std::sort(tokens.begin(), tokens.end());
  for (const auto token : tokens) {
    const auto& what = under_way_.at(token);
    push_locked({what.kind, DEPROV_ERR_CANCELLED, token, what.user, nullptr, {}});
  }
  under_way_.clear();
  settle_locked();
  ended_ = true;
  ready_.set();
  return tokens;
}

bool Events::over() const {
  const std::lock_guard lock(mutex_);
  return ended_ && queue_.empty();
}

void Events::push_locked(const deprov_event& event) {
  queue_.push_back(event);
  ready_.set();
}

void Events::settle_locked() {
  if (under_way_.empty()) idle_.set();
}

}  // namespace deprov::capi
