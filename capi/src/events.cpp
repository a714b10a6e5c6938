#include "events.hpp"
#include <algorithm>
#include <utility>
#include "response.hpp"

namespace deprov::capi {

namespace {
constexpr unsigned place_bits = 17;  // more than `Events::most`
constexpr std::uint64_t place_mask = (std::uint64_t{1} << place_bits) - 1;
static_assert(Events::most <= place_mask);

thread_local Events::Caught* catching = nullptr;
}  // namespace

Events::Caught::Caught(const Events& events) noexcept : events_(&events), before_(std::exchange(catching, this)) {}

Events::Caught::~Caught() {
  catching = before_;
  if (event_) deprov_response_free(event_->response);
}

Events::~Events() {
  for (const auto& event : queue_) deprov_response_free(event.response);
}

Result<std::uint64_t> Events::begin(int32_t kind, void* user) {
  const std::lock_guard lock(mutex_);
  if (refusing_) return Error(Errc::closed, "the engine is closed", "engine");
  if (queue_.size() + under_way_ >= most) {
    return Error(Errc::busy, std::to_string(most) + " requests are under way or not taken yet", "engine",
                 "take events with deprov_engine_next()");
  }
  if (free_.empty()) {
    // So that a place can always be given back.
    if (free_.capacity() <= places_.size()) free_.reserve(2 * places_.size() + 64);
    places_.emplace_back();
    free_.push_back(static_cast<std::uint32_t>(places_.size() - 1));
  }
  const auto at = free_.back();
  free_.pop_back();
  auto& place = places_[at];
  ++place.use;
  place.user = user;
  place.kind = kind;
  place.taken = true;
  ++under_way_;
  return place.use << place_bits | at;
}

Events::Place* Events::find_locked(std::uint64_t token) {
  return const_cast<Place*>(std::as_const(*this).find_locked(token));
}

const Events::Place* Events::find_locked(std::uint64_t token) const {
  const auto at = token & place_mask;
  if (at >= places_.size()) return nullptr;
  const auto& place = places_[at];
  return place.taken && place.use == token >> place_bits ? &place : nullptr;
}

void Events::end_locked(Place& place, std::uint64_t token, deprov_status status, deprov_response* response) {
  push_locked({place.kind, status, token, place.user, response, {}});
  free_locked(place, token);
}

void Events::free_locked(Place& place, std::uint64_t token) {
  place.taken = false;
  free_.push_back(static_cast<std::uint32_t>(token & place_mask));
  if (--under_way_ == 0 && refusing_) idle_.set();
}

void Events::finish(std::uint64_t token, std::unique_ptr<deprov_response> response) {
  const std::lock_guard lock(mutex_);
  auto* place = find_locked(token);
  if (place == nullptr) return;
  // A token is one of this queue; another engine's may be the same number.
  if (catching != nullptr && catching->events_ == this && catching->token_ == token) {
    catching->event_.emplace(deprov_event{place->kind, DEPROV_OK, token, place->user, response.get(), {}});
    free_locked(*place, token);
  } else {
    end_locked(*place, token, DEPROV_OK, response.get());
  }
  static_cast<void>(response.release());
}

void Events::forget(std::uint64_t token) {
  const std::lock_guard lock(mutex_);
  if (auto* place = find_locked(token)) free_locked(*place, token);
}

bool Events::cancel(std::uint64_t token) {
  const std::lock_guard lock(mutex_);
  auto* place = find_locked(token);
  if (place == nullptr) return false;
  end_locked(*place, token, DEPROV_ERR_CANCELLED, nullptr);
  return true;
}

bool Events::is_under_way(std::uint64_t token) const {
  const std::lock_guard lock(mutex_);
  return find_locked(token) != nullptr;
}

void Events::piece(void* user) {
  const std::lock_guard lock(mutex_);
  if (!ended_) push_locked({DEPROV_EVENT_PIECE, DEPROV_OK, 0, user, nullptr, {}});
}

std::size_t Events::take(deprov_event* out, std::size_t count) {
  if (!some_.load(std::memory_order_acquire)) return 0;
  const std::lock_guard lock(mutex_);
  const auto n = std::min(count, queue_.size());
  std::copy_n(queue_.begin(), n, out);
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(n));
  if (!queue_.empty()) return n;
  some_.store(false, std::memory_order_release);
  if (!ended_) ready_.clear();
  return n;
}

void Events::refuse() {
  const std::lock_guard lock(mutex_);
  refusing_ = true;
  if (under_way_ == 0) idle_.set();
}

std::vector<std::uint64_t> Events::end() {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> tokens;
  for (std::size_t at = 0; at < places_.size(); ++at)
    if (places_[at].taken) tokens.push_back(places_[at].use << place_bits | at);
  std::sort(tokens.begin(), tokens.end());
  for (const auto token : tokens) end_locked(*find_locked(token), token, DEPROV_ERR_CANCELLED, nullptr);
  ended_ = true;
  ready_.set();
  return tokens;
}

bool Events::over() const {
  const std::lock_guard lock(mutex_);
  return ended_ && queue_.empty();
}

void Events::push_locked(const deprov_event& event) {
  const bool first = queue_.empty();
  queue_.push_back(event);
  some_.store(true, std::memory_order_release);
  if (first) ready_.set();  // it stays up until the last one is taken
}

}  // namespace deprov::capi
