// What one connection keeps and asks back, until it was told what became of it.
#include <algorithm>
#include <deprov/port/checkpoints.hpp>
#include <utility>
#include "plugin/host.hpp"

namespace deprov::plugin {

namespace {

std::int32_t checkpoint_status(Errc code) noexcept {
  switch (code) {
    case Errc::ok: return DEPROV_OK;
    case Errc::not_found: return DEPROV_ERR_NOT_FOUND;
    case Errc::limit_exceeded: return DEPROV_ERR_LIMIT_EXCEEDED;
    case Errc::invalid_argument: return DEPROV_ERR_INVALID_ARGUMENT;
    case Errc::unsupported: return DEPROV_ERR_UNSUPPORTED;
    case Errc::closed: return DEPROV_ERR_CLOSED;
    case Errc::internal:
    case Errc::store_corrupt: return DEPROV_ERR_INTERNAL;
    default: return DEPROV_ERR_UNAVAILABLE;
  }
}

}  // namespace

}  // namespace deprov::plugin

using deprov::plugin::CheckpointTold;

bool deprov_connector_connection::keeps() const noexcept {
  return plugin_->remote != nullptr ? plugin_->remote->keeps() : host_.checkpoints != nullptr;
}

std::int32_t deprov_connector_connection::checkpoint(std::string name, std::optional<std::string> value,
                                                     CheckpointTold done) {
  using deprov::plugin::checkpoint_status;
  if (!keeps()) return DEPROV_ERR_UNSUPPORTED;
  if (auto ok = deprov::port::check_checkpoint(name, value ? std::string_view(*value) : std::string_view()); !ok) {
    fault("a checkpoint was refused: " + ok.error().message());
    return checkpoint_status(ok.error().code());
  }
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!open_ || !keeping_) return DEPROV_ERR_CLOSED;
    if (checkpoints_.size() == DEPROV_CHECKPOINTS_AT_ONCE) return DEPROV_ERR_UNAVAILABLE;
    number = ++last_;
    checkpoints_.emplace(number, std::move(done));
  }
  const auto has_secret = [&](std::string_view text) {
    return std::any_of(hidden_.begin(), hidden_.end(),
                       [&](const auto& secret) { return text.find(secret) != std::string_view::npos; });
  };
  if (value && (has_secret(name) || has_secret(*value))) {
    fault("a checkpoint was refused, since a secret of the configuration is in it");
    kept(number, DEPROV_ERR_INVALID_ARGUMENT, {});
    return DEPROV_OK;
  }
  const auto told = [weak = weak_from_this(), number](std::int32_t status, std::string found) {
    if (const auto self = weak.lock()) self->kept(number, status, std::move(found));
  };
  try {
    if (plugin_->remote != nullptr) {
      plugin_->remote->checkpoint(std::move(name), std::move(value), told);
    } else if (value) {
      host_.checkpoints->set(std::move(name), std::move(*value),
                             [told](deprov::Result<void> r) { told(checkpoint_status(r.error().code()), {}); });
    } else {
      host_.checkpoints->get(std::move(name), [told](deprov::Result<std::string> r) {
        const auto status = checkpoint_status(r.error().code());
        told(status, r ? std::move(*r) : std::string());
      });
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    checkpoints_.erase(number);
    throw;
  }
  return DEPROV_OK;
}

void deprov_connector_connection::kept(std::uint64_t number, std::int32_t status, std::string value) {
  // The lock is held while the executor is told: `shut` comes before the executor goes.
  const std::lock_guard lock(mutex_);
  if (!open_ || checkpoints_.find(number) == checkpoints_.end()) return;
  host_.executor.post([self = shared_from_this(), number, status, value = std::move(value)]() mutable {
    self->tell(number, status, std::move(value));
  });
}

void deprov_connector_connection::tell(std::uint64_t number, std::int32_t status, std::string value) {
  const std::lock_guard turn(turn_);
  CheckpointTold done;
  {
    const std::lock_guard lock(mutex_);
    const auto it = checkpoints_.find(number);
    if (it == checkpoints_.end()) return;
    done = std::move(it->second);
    checkpoints_.erase(it);
  }
  if (status == DEPROV_ERR_LIMIT_EXCEEDED && plugin_->remote == nullptr) {  // or the host has said so
    fault("a checkpoint was refused: an integration may have " +
          std::to_string(deprov::port::Checkpoints::max_names) + " names");
  }
  try {
    done(status, std::move(value));
  } catch (...) {
    fault("an exception came out of a checkpoint's callback; it belongs inside of the connector");
  }
}

void deprov_connector_connection::end_checkpoints() {
  std::vector<std::uint64_t> left;
  {
    const std::lock_guard lock(mutex_);
    keeping_ = false;
    for (const auto& [number, done] : checkpoints_) left.push_back(number);
  }
  for (const auto number : left) tell(number, DEPROV_ERR_CLOSED, {});
}
